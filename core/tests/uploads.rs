//! Several segments of a push go up side by side. Whatever order they arrive in, the entry names them in the order of the changes;
//! if one fails or the push is dropped, nothing is committed and nothing is lost. (I1, I2)

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use longshore_core::{
    Capabilities, Client, Content, Document, DomainName, Error, ErrorKind, MemoryReplica, ObjectKey, Payload,
    Replica as _, Reply, Result, Runtime as _, Sequence, Server as _, Storage, StoredServer,
};
use support::sim::Sim;
use support::{Bend, Forward, Rng, World};

/// Documents, each of which fills a segment of its own here.
const DOCUMENTS: usize = 6;
const LIMIT: u64 = 64 << 10;
const BODY: usize = 40 << 10;

/// Uploads take their time, by the order in which they begin: the first is slowest. One of them may fail.
#[derive(Debug)]
struct Uneven {
    sim: Sim,
    begun: AtomicUsize,
    under_way: Arc<AtomicUsize>,
    /// Which upload is refused, counted from 0.
    fails: Option<usize>,
}

#[async_trait]
impl Bend for Uneven {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities().with_max_object(LIMIT)
    }

    async fn put(&self, inner: &dyn Storage, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst);
        self.under_way.fetch_add(1, Ordering::SeqCst);
        self.sim.sleep(Duration::from_secs(if number == 0 { 60 } else { 2 })).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.fails == Some(number) {
            return Err(Error::new(ErrorKind::Denied, "this upload is not allowed"));
        }
        inner.put(key, payload).await
    }
}

/// A server on the world's storage, and how many uploads are under way there.
fn uneven(world: &World, fails: Option<usize>) -> (Arc<StoredServer>, Arc<AtomicUsize>) {
    let under_way = Arc::<AtomicUsize>::default();
    let bend = Uneven { sim: world.sim.clone(), begun: AtomicUsize::new(0), under_way: Arc::clone(&under_way), fails };
    let storage = Arc::new(Forward::new(world.storage.clone(), bend));
    (Arc::new(StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap()), under_way)
}

fn client(world: &World, server: Arc<StoredServer>, replica: &MemoryReplica) -> Client {
    Client::builder_on(world.sim.runtime(), server, Arc::new(replica.clone())).build()
}

fn run<T>(world: &World, future: impl Future<Output = T>) -> T {
    world.sim.run(future, || false).unwrap()
}

/// A body that does not compress.
fn noise(seed: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed as u64);
    (0..BODY).map(|_| rng.next().to_le_bytes()[3]).collect()
}

fn filled() -> MemoryReplica {
    let replica = MemoryReplica::new();
    for number in 0..DOCUMENTS {
        block_on(replica.put(Document::new(format!("{number}"), noise(number)).unwrap())).unwrap();
    }
    replica
}

/// Another device gets all documents as they were written, and the first waits for nothing.
fn assert_all_arrived(world: &World, here: &MemoryReplica) {
    assert_eq!(block_on(here.pending_count()).unwrap(), 0);
    let there = MemoryReplica::new();
    let report = run(world, client(world, uneven(world, None).0, &there).sync()).unwrap();
    assert_eq!(report.pulled, DOCUMENTS as u64);
    for number in 0..DOCUMENTS {
        let found = block_on(there.get(&format!("{number}").as_str().try_into().unwrap())).unwrap().unwrap();
        assert!(found.body == noise(number), "document {number}");
    }
}

/// The first entry's segments.
fn committed(world: &World, server: &StoredServer) -> Option<Content> {
    let replies = run(world, server.changes_read(Sequence::FIRST, 1)).unwrap();
    replies.into_iter().next().unwrap().value.map(|entry| entry.content)
}

#[test]
fn segments_are_named_in_their_order_though_the_first_arrives_last() {
    let world = World::new(60, true);
    let here = filled();
    let (server, _) = uneven(&world, None);
    run(&world, client(&world, server.clone(), &here).sync()).unwrap();
    let Some(Content::Segments(segments)) = committed(&world, &server) else {
        panic!("it was to be segments");
    };
    let mut ids = Vec::new();
    for segment in &segments {
        let changes = run(&world, server.segment(segment)).unwrap();
        ids.extend(changes.into_iter().map(|change| change.id.as_str().to_owned()));
    }
    assert_eq!((segments.len(), ids.join(" ").as_str()), (DOCUMENTS, "0 1 2 3 4 5"));
    assert_all_arrived(&world, &here);
}

#[test]
fn if_one_upload_fails_nothing_is_committed_and_the_next_sync_does_it_all() {
    for fails in 0..DOCUMENTS {
        let world = World::new(61, true);
        let here = filled();
        let (server, _) = uneven(&world, Some(fails));
        let device = client(&world, server.clone(), &here);
        let error = run(&world, device.sync()).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Denied, Some("put")), "{fails}: {error}");
        assert_eq!(committed(&world, &server), None, "{fails}");
        assert_eq!(block_on(here.pending_count()).unwrap(), DOCUMENTS as u64);

        assert_eq!(run(&world, device.sync()).unwrap().pushed, DOCUMENTS as u64);
        assert_all_arrived(&world, &here);
    }
}

#[test]
fn a_push_that_is_dropped_while_several_are_under_way_loses_nothing() {
    let mut most = 0;
    for polls in 1.. {
        let world = World::new(62, true);
        let here = filled();
        let (server, under_way) = uneven(&world, None);
        let device = client(&world, server.clone(), &here);
        let mut left = polls;
        let ended = world.sim.run(device.sync(), || {
            left -= 1;
            left == 0
        });
        most = most.max(under_way.load(Ordering::SeqCst));
        let whole = ended.is_some();
        drop(device);
        run(&world, client(&world, uneven(&world, None).0, &here).sync()).unwrap();
        assert_all_arrived(&world, &here);
        if whole {
            break;
        }
    }
    assert_eq!(most, 3, "so many were under way when a push was dropped");
}

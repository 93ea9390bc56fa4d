//! A store takes only small objects: a proxy before it bounds the size of a request. What is many documents is cut to fit; a
//! document that cannot fit is named and waits, and no other waits with it. (I1, I2)

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::format::SegmentRef;
use longshore_core::{
    AttemptNumber, Author, Capabilities, Client, ClientId, Content, Created, Document, DomainName, ErrorKind, Hash,
    MemoryReplica, MetadataName, ObjectKey, Outcome, Payload, Replica as _, Reply, Result, Server as _, Staged,
    Storage, StoreOptions, StoredServer, Tip,
};
use support::{Bend, Forward, Rng, World};

/// The least that an adapter may claim: 1 MiB.
const LIMIT: u64 = 1 << 20;

/// A storage that claims a limit, and remembers the largest object that it was sent.
#[derive(Clone, Debug)]
struct Small {
    limit: u64,
    largest: Arc<AtomicU64>,
}

impl Small {
    fn new(limit: u64) -> Self {
        Self { limit, largest: Arc::default() }
    }

    fn largest(&self) -> u64 {
        self.largest.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Bend for Small {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities().with_max_object(self.limit)
    }

    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.largest.fetch_max(bytes.len() as u64, Ordering::Relaxed);
        inner.create(key, bytes).await
    }

    async fn put(&self, inner: &dyn Storage, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.largest.fetch_max(payload.len(), Ordering::Relaxed);
        inner.put(key, payload).await
    }
}

fn server(world: &World, small: &Small) -> Arc<StoredServer> {
    let storage = Arc::new(Forward::new(world.storage.clone(), small.clone()));
    Arc::new(StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap())
}

fn client(world: &World, small: &Small, replica: &MemoryReplica) -> Client {
    Client::builder_on(world.sim.runtime(), server(world, small), Arc::new(replica.clone())).build()
}

fn run<T>(world: &World, future: impl Future<Output = T>) -> T {
    world.sim.run(future, || false).unwrap()
}

/// A body that does not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.next().to_le_bytes()[3]).collect()
}

fn put(replica: &MemoryReplica, id: &str, body: Vec<u8>) {
    block_on(replica.put(Document::new(id, body).unwrap())).unwrap();
}

fn body(replica: &MemoryReplica, id: &str) -> Option<usize> {
    let document = block_on(replica.get(&id.try_into().unwrap())).unwrap()?;
    Some(document.body.len())
}

fn pending(replica: &MemoryReplica) -> u64 {
    block_on(replica.pending_count()).unwrap()
}

#[test]
fn many_documents_are_cut_to_what_the_store_takes() {
    let (world, small) = (World::new(50, true), Small::new(LIMIT));
    let (here, there) = (MemoryReplica::new(), MemoryReplica::new());
    for number in 0..40_u64 {
        put(&here, &format!("{number}"), noise(number, 1000 + 2500 * (usize::try_from(number).unwrap() * 17 % 100)));
    }
    assert_eq!(run(&world, client(&world, &small, &here).sync()).unwrap().pushed, 40);
    assert!(small.largest() <= LIMIT, "{} bytes were sent at once", small.largest());
    assert_eq!(run(&world, client(&world, &small, &there).sync()).unwrap().pulled, 40);
    assert_eq!(body(&there, "39"), body(&here, "39"));
}

#[test]
fn a_document_that_cannot_fit_is_named_and_no_other_waits_with_it() {
    let (world, small) = (World::new(51, true), Small::new(LIMIT));
    let (here, there) = (MemoryReplica::new(), MemoryReplica::new());
    put(&here, "before", noise(1, 300 << 10));
    put(&here, "film", noise(2, 2 << 20));
    put(&here, "long, and compresses", vec![b'x'; 5 << 20]);
    put(&here, "song", noise(3, 1 << 20));
    put(&here, "after", b"small".to_vec());
    let device = client(&world, &small, &here);

    let error = run(&world, device.sync()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotApplied));
    let said = error.to_string();
    for part in ["film needs an object of 2097", "the store takes at most 1048576", "make it smaller", "1 more"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(block_on(device.status()).unwrap().last_error, Some(said));
    assert!(small.largest() <= LIMIT, "{} bytes were sent at once", small.largest());
    assert_eq!(pending(&here), 2, "the two that wait");

    run(&world, client(&world, &small, &there).sync()).unwrap();
    let arrived = ["before", "film", "long, and compresses", "song", "after"].map(|id| body(&there, id));
    assert_eq!(arrived, [Some(300 << 10), None, Some(5 << 20), None, Some(5)]);

    // Nothing new: no entry is written for what waits.
    let entries = run(&world, device.sync()).unwrap_err();
    assert_eq!(entries.kind(), ErrorKind::Unsupported);
    assert_eq!(block_on(device.status()).unwrap().checkpoint.unwrap().get(), 1);

    // Made smaller, it goes; a store that takes more gets the rest.
    put(&here, "film", noise(4, 500 << 10));
    assert!(!run(&world, device.sync()).unwrap_err().to_string().contains("film"));
    assert_eq!(pending(&here), 1);
    run(&world, client(&world, &Small::new(u64::MAX), &here).sync()).unwrap();
    assert_eq!(pending(&here), 0);
    run(&world, client(&world, &small, &there).sync()).unwrap();
    assert_eq!((body(&there, "film"), body(&there, "song")), (Some(500 << 10), Some(1 << 20)));
}

/// The error is about one document; the sync was one all the same.
#[test]
fn a_sync_that_leaves_a_document_out_is_finished() {
    let (world, small) = (World::new(55, true), Small::new(LIMIT));
    let (here, there) = (MemoryReplica::new(), MemoryReplica::new());
    put(&here, "film", noise(1, 2 << 20));
    put(&here, "list", b"milk".to_vec());
    let device = client(&world, &small, &here);
    let status = || block_on(device.status()).unwrap();
    let said = run(&world, device.sync()).unwrap_err().to_string();
    let first = status().last_synced.unwrap();
    assert_eq!(status().last_error, Some(said));

    world.sim.advance(Duration::from_secs(120));
    run(&world, client(&world, &small, &there).sync()).unwrap();
    let said = run(&world, device.sync()).unwrap_err().to_string();
    assert!(said.contains("film needs an object"), "{said}");
    assert!(status().last_synced.unwrap() >= first + 120_000, "it was a sync, too");
    assert_eq!(status().last_error, Some(said));

    put(&here, "film", b"short".to_vec());
    run(&world, device.sync()).unwrap();
    assert_eq!(status().last_error, None);
    run(&world, client(&world, &small, &there).sync()).unwrap();
    assert_eq!((body(&there, "film"), body(&there, "list")), (Some(5), Some(4)));
}

/// A store that takes so little that an entry cannot name all segments of a large push: that becomes several entries.
#[test]
fn a_push_of_more_segments_than_an_entry_can_name_becomes_several_entries() {
    let (world, small) = (World::new(53, true), Small::new(8 << 10));
    let (here, there) = (MemoryReplica::new(), MemoryReplica::new());
    for number in 0..200 {
        put(&here, &format!("{number}"), noise(number, 6 << 10));
    }
    put(&here, "film", noise(200, 20 << 10));
    let device = client(&world, &small, &here);
    let plan = run(&world, device.plan()).unwrap();
    let error = run(&world, device.sync_planned(&plan)).unwrap_err().to_string();
    assert!(error.contains("film needs an object"), "{error}");
    assert_eq!(pending(&here), 1, "all but the film");
    let entries = block_on(device.status()).unwrap().checkpoint.unwrap().get();
    assert!((3..=7).contains(&entries), "200 segments, 32 and a few in each: {entries} entries");
    assert!(small.largest() <= 8 << 10, "{} bytes were sent at once", small.largest());

    assert_eq!(run(&world, client(&world, &small, &there).sync()).unwrap().pulled, 200);
    assert_eq!((0..200).find(|number| body(&there, &number.to_string()) != Some(6 << 10)), None);
}

/// Nothing that no server takes may be journalled: it would be sent at every sync.
#[test]
fn an_entry_above_a_record_is_refused_before_it_is_journalled() {
    let world = World::new(54, true);
    let server = server(&world, &Small::new(u64::MAX));
    let tip = Tip { sequence: None, hash: Hash::of(b"format"), time: None };
    let author =
        Author { client: ClientId::from_bytes([1; 16]), attempt: AttemptNumber::FIRST, lease: None, time: None };
    let prepared = |count: u32| {
        let reference = |number: u32| {
            let hash = Hash::of(&number.to_le_bytes());
            let name = format!("domains/main/segments/0000000000000000/0000000000000000-{}", &hash.to_string()[..32]);
            SegmentRef { name, length: 8 << 20, hash: Hash::of(hash.to_string().as_bytes()) }
        };
        let content = Content::Segments((0..count).map(reference).collect());
        server.prepare(&tip, &author, &Staged { checkpoint: 0, content, too_large: Vec::new() })
    };
    let error = prepared(30_000).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Invalid, Outcome::NotApplied));
    assert!(error.to_string().contains("commit fewer changes at once"), "{error}");
    let most = prepared(4096 + 200).unwrap();
    assert!(most.bytes.len() < 512 << 10, "what is staged for one entry fits well: {} bytes", most.bytes.len());
}

/// What is no document is refused as well, before it is sent.
#[test]
fn metadata_that_cannot_fit_is_refused() {
    let (world, small) = (World::new(52, true), Small::new(64 << 10));
    let server = server(&world, &small);
    run(&world, server.initialize(&StoreOptions::default().with_probe(false))).unwrap();
    let name = MetadataName::new("schema").unwrap();
    let error = run(&world, server.metadata_write(&name, None, noise(5, 100 << 10).into())).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotApplied));
    assert!(error.key().is_some_and(|key| key.contains("meta/schema")), "{error}");
    assert!(error.to_string().contains("the store takes at most 65536"), "{error}");
    assert!(small.largest() <= 64 << 10);
}

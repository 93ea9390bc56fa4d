//! A storage says how many requests it bears at once. A push of many segments that sent more would be refused by it, again and again;
//! and a wide storage gets only a few of them at a time, since each is held in memory until it is up.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use longshore_core::{
    Capabilities, Change, Content, Document, DomainName, MemoryStorage, ObjectKey, Payload, Reply, Result,
    Runtime as _, Server as _, Storage, StoredServer,
};
use support::sim::Sim;
use support::{Bend, Forward, Rng};

/// More segments than are ever on their way up at once.
const SEGMENTS: usize = 6;

/// Uploads take their time; the most that there were side by side are counted.
#[derive(Debug)]
struct Narrow {
    sim: Sim,
    parallelism: usize,
    under_way: AtomicUsize,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl Bend for Narrow {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities().with_parallelism(self.parallelism)
    }

    async fn put(&self, inner: &dyn Storage, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        self.sim.sleep(Duration::from_secs(1)).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        inner.put(key, payload).await
    }
}

/// The most uploads at once to a storage that says it bears so many requests, of documents of this many bytes.
fn most_at_once(parallelism: usize, size: usize) -> usize {
    let (sim, most) = (Sim::new(1), Arc::<AtomicUsize>::default());
    let (under_way, counted) = (AtomicUsize::new(0), Arc::clone(&most));
    let narrow = Narrow { sim: sim.clone(), parallelism, under_way, most: counted };
    let storage = Arc::new(Forward::new(MemoryStorage::new(), narrow));
    let server = StoredServer::new(storage, sim.runtime(), &DomainName::default()).unwrap();
    let mut dice = Rng::new(1);
    // Each fills a segment of its own.
    let body: Bytes = (0..size / 8).flat_map(|_| dice.next().to_le_bytes()).collect::<Vec<u8>>().into();
    let changes = (0..SEGMENTS).map(|at| Ok(Change::put(Document::new(format!("large-{at}"), body.clone()).unwrap())));
    let staged = sim.run(server.put(0, stream::iter(changes).boxed()), || false).unwrap().unwrap();
    assert!(matches!(&staged.content, Content::Segments(segments) if segments.len() == SEGMENTS), "{staged:?}");
    most.load(Ordering::SeqCst)
}

#[test]
fn no_more_segments_go_up_at_once_than_the_storage_bears() {
    for (parallelism, most) in [(1, 1), (2, 2), (64, 3)] {
        assert_eq!(most_at_once(parallelism, 9 << 20), most, "of {parallelism} requests at once");
    }
}

/// A document may have a gigabyte: three of those at once would be more than a phone has.
#[test]
fn large_segments_go_up_one_by_one() {
    assert_eq!(most_at_once(64, 17 << 20), 1);
}

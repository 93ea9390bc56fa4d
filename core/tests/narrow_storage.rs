//! A storage says how many requests it bears at once. A push of many segments that sent more would be refused by it, again and again,
//! and so would the probe, so that no store is ever made there;
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
    ByteRange, Capabilities, Change, Content, Created, Document, DomainName, Error, ErrorKind, MemoryStorage, Object,
    ObjectKey, Outcome, Payload, Reply, Result, Runtime as _, Server as _, Storage, StoreOptions, StoredServer,
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

/// It bears so many requests at once and refuses any more, whatever it says.
#[derive(Debug)]
struct Strict {
    sim: Sim,
    says: usize,
    bears: usize,
    under_way: AtomicUsize,
    refused: Arc<AtomicUsize>,
}

impl Strict {
    async fn admit<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let before = self.under_way.fetch_add(1, Ordering::SeqCst);
        self.sim.sleep(Duration::from_millis(10)).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if before < self.bears {
            return request.await;
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(ErrorKind::Unavailable, "too many requests at once")
            .with_throttled()
            .with_outcome(Outcome::NotApplied))
    }
}

#[async_trait]
impl Bend for Strict {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities().with_parallelism(self.says)
    }

    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.admit(inner.create(key, bytes)).await
    }

    async fn get(&self, inner: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.admit(inner.get(key, range)).await
    }

    async fn delete(&self, inner: &dyn Storage, key: &ObjectKey) -> Result<Reply<()>> {
        self.admit(inner.delete(key)).await
    }
}

/// Whether a store is made on such a storage, and how many requests were refused meanwhile.
fn initialized(says: usize, bears: usize) -> (Result<()>, usize) {
    let (sim, refused) = (Sim::new(2), Arc::<AtomicUsize>::default());
    let strict =
        Strict { sim: sim.clone(), says, bears, under_way: AtomicUsize::new(0), refused: Arc::clone(&refused) };
    let storage = Arc::new(Forward::new(MemoryStorage::new(), strict));
    let server = StoredServer::new(storage, sim.runtime(), &DomainName::default()).unwrap();
    let result = sim.run(server.initialize(&StoreOptions::default()), || false).unwrap();
    (result.map(drop), refused.load(Ordering::SeqCst))
}

#[test]
fn a_store_is_made_where_only_as_many_requests_go_at_once_as_the_storage_bears() {
    for parallelism in [2, 3, 8] {
        let (result, refused) = initialized(parallelism, parallelism);
        result.unwrap();
        assert_eq!(refused, 0, "of {parallelism} requests at once");
    }
}

#[test]
fn a_store_is_made_where_the_storage_bears_fewer_requests_than_it_says() {
    for bears in [2, 3, 5] {
        let (result, refused) = initialized(8, bears);
        result.unwrap();
        assert!((1..60).contains(&refused), "{refused} of {bears} at once");
    }
}

#[test]
fn a_storage_that_refuses_every_request_for_our_rate_is_given_up() {
    let (result, refused) = initialized(8, 0);
    let error = result.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.throttled(), "{error}");
    assert!(refused < 60, "{refused}");
}

//! Who waits for whom: a case for one that kills the server, a call for its turn.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Storage,
};

use super::{case, memory};
use crate::case::{Need, Size};
use crate::harness::Harness;
use crate::suite::Suite;

#[test]
fn no_case_runs_beside_one_that_kills_the_server() {
    let run = Suite::new(memory()).begin().unwrap();
    let other = case(|_| Box::pin(async { Ok(()) }));
    for needs in [&[Need::Killable], &[Need::KillablePart]] {
        let killing = case(|_| Box::pin(async { Ok(()) })).needs(needs);
        assert!(run.in_turn(&killing, || run.alone.try_read().is_err()), "another could begin");
    }
    assert!(run.in_turn(&other, || run.alone.try_read().is_ok()), "others wait for each other");
    assert!(run.in_turn(&other, || run.alone.try_write().is_err()), "the server could be killed under it");
}

/// Counts the calls that come to it.
#[derive(Clone, Debug, Default)]
struct Counting(MemoryStorage, Arc<AtomicUsize>);

impl Counting {
    fn count(&self) -> &MemoryStorage {
        self.1.fetch_add(1, SeqCst);
        &self.0
    }
}

#[async_trait]
impl Storage for Counting {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> longshore_core::Result<Reply<Created>> {
        self.count().create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> longshore_core::Result<Reply<()>> {
        self.count().put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> longshore_core::Result<Reply<Option<Object>>> {
        self.count().get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> longshore_core::Result<Reply<Listing>> {
        self.count().list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> longshore_core::Result<Reply<()>> {
        self.count().delete(key).await
    }
}

/// Every storage case and a sync, with all openers there are: no call may pass the pace by.
#[test]
fn every_call_of_a_run_has_its_turn() {
    let counting = Counting::default();
    let shared = counting.clone();
    let open = move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    let harness = Harness::storage("counting", open.clone()).missing_root(open.clone()).wrong_credentials(open);
    let mut suite = Suite::new(harness.in_this_process().with_rate(u32::MAX)).size(Size::Quick);
    let run = suite.begin().unwrap();
    assert_eq!(run.pace.rate(), Some(u32::MAX));
    for (at, case) in Suite::cases().iter().enumerate() {
        let before = (run.pace.calls(), counting.1.load(SeqCst) as u64);
        if case.name.starts_with("storage::") || case.name.starts_with("sync::fleet") {
            run.case(case, at);
            let made = counting.1.load(SeqCst) as u64 - before.1;
            assert_eq!(run.pace.calls() - before.0, made, "{}", case.name);
        }
    }
    assert!(run.pace.calls() > 0);
}

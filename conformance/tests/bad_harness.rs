//! A harness may be wrong itself: it panics, hangs, cannot reach its store or cannot clean up. Each is a failure that says so, and
//! stops no other case.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_conformance::{CaseReport, Harness, Size, Suite, Verdict};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload,
    Reply, Result, Storage,
};

/// Both say what they saw, though the first of them failed.
fn both(harness: Harness) -> Vec<CaseReport> {
    let suite = Suite::new(harness.in_this_process()).size(Size::Quick).seed(1);
    let cases = ["storage::create::a_second_one", "storage::delete::of_a_missing_object"];
    cases.into_iter().fold(suite, Suite::only).run().unwrap()
}

fn seen(reports: &[CaseReport]) -> Vec<&str> {
    assert_eq!(reports.len(), 2);
    let seen = |report: &CaseReport| match &report.verdict {
        Verdict::Failed { seen, .. } => Box::leak(seen.clone().into_boxed_str()) as &str,
        verdict => panic!("{}: {verdict:?}", report.case.name()),
    };
    reports.iter().map(seen).collect()
}

#[test]
fn an_opener_that_panics() {
    let reports = both(Harness::storage("panics", |_| async { panic!("no such luck") }));
    assert!(seen(&reports).iter().all(|seen| seen.contains("panicked: no such luck")), "{reports:?}");
}

#[test]
fn a_store_that_cannot_be_reached() {
    let unreachable = || Error::new(ErrorKind::Unavailable, "nobody answers");
    let reports = both(Harness::storage("unreachable", move |_| async move { Err(unreachable()) }));
    assert!(seen(&reports).iter().all(|seen| seen.contains("nobody answers")), "{reports:?}");
}

/// What was written stays, whatever the storage says of deleting it.
#[derive(Debug)]
struct Keeping(MemoryStorage);

#[async_trait]
impl Storage for Keeping {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.0.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.0.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.0.list(folder, after).await
    }

    async fn delete(&self, _key: &ObjectKey) -> Result<Reply<()>> {
        Ok(Reply::new(()))
    }
}

#[test]
fn litter_that_stays() {
    let shared = MemoryStorage::new();
    let open = move |_| {
        let storage = Keeping(shared.clone());
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    let reports = Suite::new(Harness::storage("keeping", open).in_this_process())
        .size(Size::Quick)
        .only("storage::create::a_second_one_changes_nothing")
        .run()
        .unwrap();
    let Verdict::Failed { seen, .. } = &reports[0].verdict else { panic!("{reports:?}") };
    assert!(seen.contains("cannot be removed"), "{seen}");
}

//! An adapter says that its store takes small objects only, and its store holds it to that: the suite and the doctor send nothing
//! larger, and find it sound.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_conformance::doctor::{Health, examine};
use longshore_conformance::{Harness, Size, Suite, Verdict};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload,
    Reply, Result, Storage,
};

/// The least that an adapter may claim.
const LIMIT: u64 = 1 << 20;

#[derive(Clone, Debug, Default)]
struct Small(MemoryStorage);

fn taken(size: u64) -> Result<()> {
    let refused = || Error::new(ErrorKind::Internal, "413 Payload Too Large");
    (size <= LIMIT).then_some(()).ok_or_else(refused)
}

#[async_trait]
impl Storage for Small {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities().with_max_object(LIMIT)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        taken(bytes.len() as u64)?;
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        taken(payload.len())?;
        self.0.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.0.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.0.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.0.delete(key).await
    }
}

fn suite() -> Suite {
    let small = Small::default();
    let open = move |_| {
        let storage = small.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    Suite::new(Harness::storage("small", open).in_this_process()).size(Size::Quick)
}

#[test]
fn no_case_of_the_storage_sends_more() {
    let reports = suite().only("storage::").run().unwrap();
    let failed: Vec<_> = reports.iter().filter(|report| report.verdict.is_failed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let passed = reports.iter().filter(|report| report.verdict == Verdict::Passed).count();
    assert!(passed * 2 > reports.len(), "only {passed} of {} passed", reports.len());
}

#[test]
fn large_commits_pass_in_small_objects() {
    let suite = suite();
    let reports = suite.only("bodies::").only("segments::").only("claims::").run().unwrap();
    for report in &reports {
        assert_eq!(report.verdict, Verdict::Passed, "{}", report.case.name());
    }
    assert!(reports.len() >= 6, "{}", reports.len());
}

#[tokio::test(start_paused = true)]
async fn the_doctor_warns_and_sends_nothing_larger() {
    let small = Small::default();
    let findings = examine(&move || {
        let storage = small.clone();
        Box::pin(async move { Ok(Arc::new(storage) as Arc<dyn Storage>) })
    })
    .await;
    let worst = findings.iter().max_by_key(|finding| finding.health).unwrap();
    assert_eq!((worst.topic, worst.health), ("size limit", Health::Warning), "{findings:#?}");
}

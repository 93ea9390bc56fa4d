//! A harness may be wrong itself: it panics, hangs, cannot reach its store or cannot clean up. Each is a failure that says so, and
//! stops no other case.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/wrong.rs"]
mod wrong;

use async_trait::async_trait;
use longshore_conformance::{CaseReport, Harness, Size, Suite, Verdict};
use longshore_core::{Error, ErrorKind, MemoryStorage, ObjectKey, Reply, Result};
use wrong::Wrong;

/// Both say what they saw, though the first of them failed.
fn both(harness: Harness) -> Vec<CaseReport> {
    let suite = Suite::new(harness.in_this_process()).size(Size::Quick).seed(1);
    let cases = ["storage::create::a_second_one", "storage::delete::of_a_missing_object"];
    cases.into_iter().fold(suite, Suite::only).run().unwrap()
}

fn seen(reports: &[CaseReport]) -> Vec<&str> {
    assert_eq!(reports.len(), 2);
    let seen = |report| match report {
        &CaseReport { verdict: Verdict::Failed { ref seen, .. }, .. } => seen.as_str(),
        other => panic!("{}: {:?}", other.case.name(), other.verdict),
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
impl Wrong for Keeping {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn delete(&self, _: &ObjectKey) -> Result<Reply<()>> {
        Ok(Reply::new(()))
    }
}

#[test]
fn litter_that_stays() {
    let suite = Suite::new(wrong::server(Keeping)).size(Size::Quick);
    let reports = suite.only("storage::create::a_second_one_changes_nothing").run().unwrap();
    let Verdict::Failed { seen, .. } = &reports[0].verdict else { panic!("{reports:?}") };
    assert!(seen.contains("cannot be removed"), "{seen}");
}

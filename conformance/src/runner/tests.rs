//! The runner over harnesses that are wrong, slow or dead.

mod answers;
mod cleaning;
mod ends;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use longshore_core::{MemoryStorage, Storage};

use super::Run;
use crate::case::{Case, Group, Rule};
use crate::harness::Harness;
use crate::health::PATIENCE;
use crate::suite::Suite;
use crate::verdict::Verdict;

/// So short that what hangs is found at once; nothing that answers is judged by being faster.
pub(super) const SHORT: Duration = Duration::from_millis(50);
pub(super) const STOPPED: &str = "; the store stopped answering: asked once more, it gave no answer either";

pub(super) fn case(run: crate::case::CaseFn) -> Case {
    Case::new("storage::x::y", Group::Storage, Rule::Storage(1), run)
}

pub(super) fn memory() -> Harness {
    let shared = MemoryStorage::new();
    Harness::storage("memory", move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    })
}

pub(super) fn hanging() -> Harness {
    Harness::storage("hanging", |_| std::future::pending())
}

/// A run that waits so long for its store: [`SHORT`] for one that never answers; one that answers has its time.
pub(super) fn patient(harness: Harness, patience: Duration) -> Run {
    let mut run = Suite::new(harness).opening(patience).begin().unwrap();
    (run.grace, run.patience) = (patience, patience);
    run
}

/// What is seen of a case over this harness.
pub(super) fn seen(harness: Harness, case: &Case) -> String {
    seen_in(&patient(harness, PATIENCE), case)
}

pub(super) fn seen_in(run: &Run, case: &Case) -> String {
    failed_in(run, case).1
}

/// The rule that a case says is broken, and what is seen of it.
pub(super) fn failed_in(run: &Run, case: &Case) -> (Option<Rule>, String) {
    match run.case(case, 0) {
        Verdict::Failed { rule, seen } => (rule, seen),
        other => panic!("{other:?}"),
    }
}

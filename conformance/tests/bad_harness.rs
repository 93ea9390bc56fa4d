//! A harness may be wrong itself: it panics, hangs, cannot reach its store or cannot clean up. Each is a failure that says so, and
//! stops no other case.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/wrong.rs"]
mod wrong;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use longshore_conformance::{CaseReport, Harness, Site, Size, Suite, Verdict};
use longshore_core::{Error, ErrorKind, MemoryStorage, ObjectKey, Reply, Result, Server, StoredServer};
use wrong::Wrong;

/// Both say what they saw, though the first of them failed. Of a harness that is wrong, none judges a rule.
fn both(harness: Harness) -> Vec<CaseReport> {
    let suite = Suite::new(harness.in_this_process()).size(Size::Quick).seed(1);
    let cases = ["storage::create::a_second_one", "storage::delete::of_a_missing_object"];
    cases.into_iter().fold(suite, Suite::only).run().unwrap()
}

fn seen(reports: &[CaseReport]) -> Vec<&str> {
    assert_eq!(reports.len(), 2);
    let seen = |report| match report {
        &CaseReport { verdict: Verdict::Failed { rule: None, ref seen }, .. } => seen.as_str(),
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
    let seen = seen(&reports);
    assert!(seen[0].contains("nobody answers") && seen[0].contains("the store stopped answering"), "{reports:?}");
    assert!(
        seen[1].starts_with("not run: the store stopped answering in storage::create::a_second_one"),
        "{reports:?}"
    );
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
    let Verdict::Failed { rule: None, seen } = &reports[0].verdict else { panic!("{reports:?}") };
    assert!(seen.contains("cannot be removed"), "{seen}");
}

/// Stores in memory, by name.
type Stores = Arc<Mutex<BTreeMap<String, MemoryStorage>>>;

fn server(stores: &Stores) -> Harness {
    let stores = Arc::clone(stores);
    let harness = Harness::server("server", move |site: Site| {
        let store = stores.lock().unwrap().entry(site.store).or_default().clone();
        async move { Ok(Arc::new(StoredServer::new(Arc::new(store), site.runtime, &site.domain)?) as Arc<dyn Server>) }
    });
    harness.in_this_process()
}

/// Those of a case that opens one, and of one that opens many.
fn run_over(harness: Harness) -> Vec<CaseReport> {
    let cases = ["server::log::entries_come_as_written", "interruption::server::a_reply_is_lost"];
    cases.into_iter().fold(Suite::new(harness).size(Size::Quick).seed(1), Suite::only).run().unwrap()
}

#[test]
fn every_store_that_was_opened_is_removed() {
    let (stores, removed) = (Stores::default(), Arc::<Mutex<usize>>::default());
    let (all, count) = (Arc::clone(&stores), Arc::clone(&removed));
    let reports =
        run_over(
            server(&stores).removing(move |site: Site| {
                let known = all.lock().unwrap().remove(&site.store).is_some();
                *count.lock().unwrap() += 1;
                async move {
                    if known { Ok(()) } else { Err(Error::new(ErrorKind::Missing, "never opened, or removed twice")) }
                }
            }),
        );
    assert!(reports.len() == 2 && reports.iter().all(|report| report.verdict == Verdict::Passed), "{reports:?}");
    assert!(stores.lock().unwrap().is_empty());
    assert!(*removed.lock().unwrap() > 2);
}

#[test]
fn without_a_hook_no_store_is_removed() {
    let stores = Stores::default();
    run_over(server(&stores));
    assert!(!stores.lock().unwrap().is_empty());
}

#[test]
fn a_hook_that_cannot_remove_says_so() {
    let full = |_| async { Err(Error::new(ErrorKind::Denied, "the table may not be dropped")) };
    let reports = run_over(server(&Stores::default()).removing(full));
    let says = |seen: &&str| {
        seen.starts_with("what the case left cannot be removed: the harness's hook `removing`, called for store ")
            && seen.contains("failed: the table may not be dropped")
    };
    assert!(seen(&reports).iter().all(says), "{reports:?}");
}

#[test]
fn a_hook_that_panics_says_so() {
    let reports = run_over(server(&Stores::default()).removing(|_| async { panic!("no such table") }));
    let says = |seen: &&str| seen.contains("hook `removing`") && seen.contains("panicked: no such table");
    assert!(seen(&reports).iter().all(says), "{reports:?}");
}

/// A client that panics when it is dropped.
#[derive(Debug)]
struct Panicking(MemoryStorage);

impl Drop for Panicking {
    fn drop(&mut self) {
        panic!("no such handle");
    }
}

impl Wrong for Panicking {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }
}

/// Two such clients in one case end the program, unless each is dropped by itself.
#[test]
fn a_client_that_panics_when_it_is_dropped_fails_its_case() {
    let suite = Suite::new(wrong::client(Panicking)).size(Size::Quick).seed(1);
    let cases = ["storage::create::", "sync::fleet::"];
    let reports = cases.into_iter().fold(suite, Suite::only).run().unwrap();
    assert!(reports.len() > 4, "{reports:?}");
    for report in &reports {
        let Verdict::Failed { rule: None, seen } = &report.verdict else { panic!("{report:?}") };
        assert_eq!(seen, "dropping the storage panicked: no such handle", "{}", report.case.name());
    }
}

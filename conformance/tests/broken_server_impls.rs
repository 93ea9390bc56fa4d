//! The suite is worth what it catches: here are servers that are wrong in one way each, as real ones are, and the cases that must
//! catch them. Each goes through the entry point that every author of a `Server` uses.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(unreachable_pub, reason = "a test is a crate of its own")]

#[path = "broken/interrupted.rs"]
mod interrupted;
#[path = "broken_engines/named.rs"]
mod named;
#[path = "broken_server_impls/proxy.rs"]
mod proxy;
#[path = "broken_server_impls/server.rs"]
mod server;
#[path = "broken_server_impls/wrong.rs"]
mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore_conformance::{Group, Harness, Size, Suite, Verdict};
use longshore_core::Storage;
use longshore_core::sabotage::Mistake;
use named::named;
use proxy::Proxy;
use server::harness;
use wrong::{CAUGHT, Wrong};

/// Cases that look beneath the server: what must be refused there is hidden by [`Proxy`].
const HIDDEN_BY_A_PROXY: &[&str] = &[
    "server::damage::a_missing_entry_is_not_closed_up",
    "server::damage::a_store_without_its_format_is_corrupt",
    "server::damage::bytes_that_were_changed_are_corrupt",
    "sync::damage::no_wrong_document_comes_of_it",
    "sync::damage::removed_segments_are_corrupt",
    "sync::replaced::a_fork_is_refused",
    "sync::replaced::a_log_with_a_hole_is_corrupt",
    "sync::replaced::a_reset_store_is_refused",
    "sync::replaced::an_emptied_store_is_refused",
    "sync::replaced::an_older_copy_is_refused",
    "sync::replaced::another_store_is_refused",
    "sync::replaced::entries_of_two_histories_are_refused",
    "sync::replaced::what_comes_back_is_known_again",
];

/// Cases that nothing here fails.
const NOT_YET_SHOWN: &[&str] = &[];

/// The cases of both groups that fail over this server.
fn failing(wrong: Wrong, only: &[&str]) -> BTreeMap<&'static str, String> {
    failing_over(harness(wrong), only)
}

fn failing_over(harness: Harness, only: &[&str]) -> BTreeMap<&'static str, String> {
    let mut suite = Suite::new(harness).size(Size::Quick).seed(1);
    for pattern in only {
        suite = suite.only(*pattern);
    }
    let reports = suite.run().unwrap();
    let failed = reports.into_iter().filter_map(|report| match report.verdict {
        Verdict::Failed { seen, .. } => Some((report.case.name(), seen)),
        _ => None,
    });
    failed.collect()
}

/// The right server passes, so what fails below fails for the wrong that was done.
#[test]
fn a_right_server_passes() {
    let failed = failing(Wrong::Nothing, &["server::", "sync::"]);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_wrong_server_is_caught() {
    let mut missed = Vec::new();
    for (wrong, cases) in CAUGHT {
        let failed = failing(*wrong, cases);
        for case in *cases {
            match failed.get(case) {
                Some(seen) => println!("{wrong:?}: {case}: {}", seen.chars().take(160).collect::<String>()),
                None => missed.push(format!("{wrong:?} passes {case}")),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_proxy_that_hides_what_happens_is_caught() {
    let proxy = Proxy::default();
    let harness = Harness::storage("proxy", move |_| {
        let client = proxy.clone();
        async move { Ok(Arc::new(client) as Arc<dyn Storage>) }
    });
    let failed = failing_over(harness.in_this_process(), HIDDEN_BY_A_PROXY);
    for case in HIDDEN_BY_A_PROXY {
        let seen = failed.get(case).unwrap_or_else(|| panic!("{case} passes"));
        println!("proxy: {case}: {seen}");
        assert!(!seen.contains("cannot be removed"), "{case} fails for its litter only");
    }
}

/// The other way round: a case that nothing fails shows nothing.
#[test]
fn each_case_catches_something() {
    let groups = [Group::Server, Group::Sync, Group::Interruption];
    let all = Suite::cases().into_iter().filter(|case| groups.contains(&case.group()));
    let all: BTreeSet<&str> = all.map(|case| case.name()).collect();
    // What an engine's mistakes show, `broken_engines.rs` holds; what broken storages show, `broken_servers.rs`.
    let by_engines = Mistake::ALL.iter().flat_map(|mistake| named(*mistake));
    let shown = CAUGHT.iter().flat_map(|(_, cases)| *cases).chain(HIDDEN_BY_A_PROXY).chain(by_engines);
    let shown = shown.chain(interrupted::CAUGHT.iter().map(|(_, case)| case));
    let shown: BTreeSet<&str> = shown.copied().collect();
    let listed: BTreeSet<&str> = NOT_YET_SHOWN.iter().copied().collect();
    println!("not shown to catch anything yet: {listed:#?}");
    let unknown: Vec<_> = shown.union(&listed).filter(|name| !all.contains(*name)).collect();
    assert!(unknown.is_empty(), "there are no such cases: {unknown:#?}");
    let both: Vec<_> = shown.intersection(&listed).collect();
    assert!(both.is_empty(), "shown now, so not to be listed any more: {both:#?}");
    let neither: Vec<_> = all.difference(&shown).filter(|name| !listed.contains(*name)).collect();
    assert!(neither.is_empty(), "no server or engine fails these cases: {neither:#?}");
}

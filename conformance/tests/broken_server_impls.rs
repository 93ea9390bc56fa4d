//! The suite is worth what it catches: here are servers that are wrong in one way each, as real ones are, and the cases that must
//! catch them. Each goes through the entry point that every author of a `Server` uses.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(unreachable_pub, reason = "a test is a crate of its own")]

#[path = "broken/interrupted.rs"]
mod interrupted;
#[path = "broken/judge.rs"]
mod judge;
#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/matrix.rs"]
mod matrix;
#[path = "broken_engines/named.rs"]
mod named;
#[path = "broken/printed.rs"]
mod printed;
#[path = "broken_server_impls/proxy.rs"]
mod proxy;
#[path = "broken_server_impls/server.rs"]
mod server;
#[path = "broken_server_impls/wrong.rs"]
mod wrong;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use judge::Judged;
use longshore_conformance::{Group, Harness, Size, Suite};
use longshore_core::Storage;
use longshore_core::sabotage::Mistake;
use matrix::{Matrix, Row};
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

fn main() -> ExitCode {
    printed::run(&[
        ("a_right_server_passes", a_right_server_passes),
        ("each_wrong_server_is_caught", each_wrong_server_is_caught),
        ("each_case_catches_something", each_case_catches_something),
    ])
}

/// What these cases make of this server.
fn row(harness: &Harness, run: &[&str], caught_by: &[&'static str]) -> Row {
    let name = harness.name().to_owned();
    // Those that fault calls meet every fault at every call: which of them shows the wrong is no matter of luck then.
    let (faulty, calm): (Vec<&str>, Vec<&str>) = run.iter().partition(|case| case.starts_with("interruption::"));
    let mut judged = Vec::new();
    for (cases, size) in [(calm, Size::Quick), (faulty, Size::Full)] {
        if !cases.is_empty() {
            let suite = cases.into_iter().fold(Suite::new(harness.clone()).size(size).seed(1), Suite::only);
            judged.extend(suite.run().unwrap().iter().map(Judged::new));
        }
    }
    Row { name, caught_by: caught_by.to_vec(), judged }
}

/// The right server passes, so what fails below fails for the wrong that was done.
fn a_right_server_passes() {
    let failed = row(&harness(Wrong::Nothing), &["server::", "sync::"], &[]).failures();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn each_wrong_server_is_caught() {
    let mut matrix = Matrix { rows: CAUGHT.iter().map(|(wrong, cases)| row(&harness(*wrong), cases, cases)).collect() };
    let proxy = Proxy::default();
    let proxy = Harness::storage("Proxy", move |_| {
        let client = proxy.clone();
        async move { Ok(Arc::new(client) as Arc<dyn Storage>) }
    });
    matrix.rows.push(row(&proxy.in_this_process(), HIDDEN_BY_A_PROXY, HIDDEN_BY_A_PROXY));
    for line in matrix.rows.iter().flat_map(Row::failures) {
        println!("{}", line.chars().take(200).collect::<String>());
    }
    println!("{matrix}");
    let complaints = matrix.complaints(&[]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The other way round: a case that nothing fails shows nothing.
fn each_case_catches_something() {
    let groups = [Group::Server, Group::Sync, Group::Interruption];
    let all = Suite::cases().into_iter().filter(|case| groups.contains(&case.group()));
    let all: BTreeSet<&str> = all.map(|case| case.name()).collect();
    // What an engine's mistakes show, `broken_engines.rs` holds; what broken storages show, `broken_servers.rs`.
    let by_engines = Mistake::ALL.iter().flat_map(|mistake| named(*mistake));
    let shown = CAUGHT.iter().flat_map(|(_, cases)| *cases).chain(HIDDEN_BY_A_PROXY).chain(by_engines);
    let shown = shown.chain(interrupted::CAUGHT.iter().map(|(_, case)| case));
    let shown: BTreeSet<&str> = shown.copied().collect();
    let unknown: Vec<_> = shown.difference(&all).collect();
    assert!(unknown.is_empty(), "there are no such cases: {unknown:#?}");
    let neither: Vec<_> = all.difference(&shown).collect();
    assert!(neither.is_empty(), "no server or engine fails these cases: {neither:#?}");
}

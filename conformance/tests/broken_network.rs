//! The group `network` is worth what it catches: here is a storage over HTTP, small and right, and then wrong in one way each, in its
//! client or in its server. Each goes through the entry point that every author uses.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "broken_network/client.rs"]
mod client;
#[path = "broken/judge.rs"]
mod judge;
#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/matrix.rs"]
mod matrix;
#[path = "broken_network/server.rs"]
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use client::{Client, Wrong};
use judge::Judged;
use longshore_conformance::{Group, Harness, Size, Suite};
use longshore_core::Storage;
use matrix::{Matrix, Row};
use server::Kind;

/// What is wrong, and the cases that must catch it, beside others that may.
const TABLE: &[(&str, Wrong, Kind, &[&str])] = &[
    ("a create is sent again by itself", Wrong::SendsCreatesAgain, Kind::Right, &["network::response_cut"]),
    ("a short body is taken for the whole", Wrong::TakesShortBodies, Kind::Right, &["network::response_cut"]),
    ("a lost answer is taken for NotApplied", Wrong::LostIsNotApplied, Kind::Right, &["network::response_cut"]),
    (
        "a lost answer is taken for success",
        Wrong::LostIsDone,
        Kind::Right,
        &["network::request_cut", "network::response_cut", "network::sync_through_cuts"],
    ),
    ("500 is taken for NotApplied", Wrong::ErrorIsNotApplied, Kind::Right, &["network::error_after_landing"]),
    ("500 is taken for the end", Wrong::ErrorIsFinal, Kind::Right, &["network::error_after_landing"]),
    (
        "a create that failed is taken for missing",
        Wrong::RemembersFailures,
        Kind::Right,
        &["network::commit_after_errors"],
    ),
    ("429 is taken for success", Wrong::BusyIsDone, Kind::Right, &["network::busy"]),
    ("503 is taken for missing", Wrong::BusyIsMissing, Kind::Right, &["network::busy", "network::error_after_landing"]),
    ("a date in Retry-After is not read", Wrong::IgnoresDates, Kind::Right, &["network::busy"]),
    ("an answer is waited for for ever", Wrong::WaitsForEver, Kind::Right, &["network::stalled"]),
    ("what is no HTTP is taken for success", Wrong::UnreadableIsDone, Kind::Right, &["network::garbage"]),
    ("any page is taken for a listing", Wrong::AnythingIsListing, Kind::Right, &["network::a_page_instead"]),
    ("the server decides when a create begins", Wrong::Nothing, Kind::DecidesAtStart, &["network::held_creators"]),
    ("the server keeps half a body", Wrong::Nothing, Kind::KeepsHalf, &["network::request_cut"]),
];
/// Mistakes that are examined at once: most of the time is waiting.
const AT_ONCE: usize = 4;

fn harness(name: &str, wrong: Wrong, kind: Kind) -> Harness {
    let server = server::start(kind);
    let open = move |address: SocketAddr| async move { Ok(Arc::new(Client::new(address, wrong)) as Arc<dyn Storage>) };
    let harness = Harness::storage(name, move |_| open(server)).in_this_process();
    harness.over_network(server, move |_, proxy| open(proxy))
}

fn row((name, wrong, kind, caught_by): &(&str, Wrong, Kind, &[&'static str])) -> Row {
    let suite = Suite::new(harness(name, *wrong, *kind)).size(Size::Quick).seed(1).only("network::");
    let judged = suite.run().unwrap().iter().map(Judged::new).collect();
    Row { name: (*name).to_owned(), caught_by: caught_by.to_vec(), judged }
}

/// Else what is caught might be the harness, or the little server.
#[test]
fn a_right_client_of_a_right_server_passes() {
    let suite = Suite::new(harness("right", Wrong::Nothing, Kind::Right)).size(Size::Quick).seed(1);
    let reports = suite.only("network::").only("storage::").run().unwrap();
    let failed: Vec<_> = reports.iter().filter(|report| report.verdict.is_failed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let shown = reports.iter().filter(|report| report.case.group() == Group::Network);
    assert!(shown.clone().count() > 0 && shown.clone().all(|report| report.verdict.as_str() == "passed"));
}

#[test]
fn every_mistake_is_caught_and_every_case_catches_one() {
    let mut matrix = Matrix::default();
    for some in TABLE.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|mistake| scope.spawn(|| row(mistake))).collect();
            matrix.rows.extend(running.into_iter().map(|row| row.join().unwrap()));
        });
    }
    for line in matrix.rows.iter().flat_map(Row::failures) {
        println!("{}", line.chars().take(200).collect::<String>());
    }
    println!("{matrix}");
    let complaints = matrix.complaints(&[Group::Network]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Without the hook nothing is shown, and that is told.
#[test]
fn without_the_hook_they_are_ignored() {
    let server = server::start(Kind::Right);
    let open = move |_| async move { Ok(Arc::new(Client::new(server, Wrong::Nothing)) as Arc<dyn Storage>) };
    let harness = Harness::storage("without", open).in_this_process();
    let reports = Suite::new(harness).size(Size::Quick).only("network::").run().unwrap();
    assert!(reports.iter().all(|report| report.verdict.as_str() == "ignored"), "{reports:#?}");
}

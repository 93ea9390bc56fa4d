//! The suite catches what is wrong: servers that are each wrong in one way that a real one is, run through the published
//! entry point. Each names the cases that must catch it, and every case catches at least one of them.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod broken;

use std::process::ExitCode;

use broken::runs::{Broken, run};
use broken::{interrupted, printed, storage, wrong};
use longshore_conformance::{Group, Harness, Size};

/// What the table stands for: of the other groups, `broken_engines.rs`, `broken_server_impls.rs`, `broken_crash.rs` and
/// `broken_killed.rs` show what catches which mistake.
const GROUPS: &[Group] = &[Group::Storage];

fn main() -> ExitCode {
    printed::run(&[
        (
            "every_broken_server_is_caught_and_every_case_catches_one",
            every_broken_server_is_caught_and_every_case_catches_one,
        ),
        ("the_server_that_they_are_made_from_is_right", the_server_that_they_are_made_from_is_right),
        ("who_only_panics_is_not_caught", who_only_panics_is_not_caught),
        ("what_shows_under_faults_is_caught", what_shows_under_faults_is_caught),
    ])
}

fn every_broken_server_is_caught_and_every_case_catches_one() {
    let matrix = run(&storage::table());
    println!("{matrix}");
    let complaints = matrix.complaints(GROUPS);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Else what is caught might be the harness.
fn the_server_that_they_are_made_from_is_right() {
    let sound = Broken { name: "sound", only: "storage::", size: Size::Quick, harness: wrong::sound, caught_by: &[] };
    let matrix = run(&[sound]);
    let seen = matrix.rows[0].failures();
    assert!(seen.is_empty(), "{}", seen.join("\n"));
}

/// A panic, a hang or litter shows that something is wrong, and not what: it counts for no case.
fn who_only_panics_is_not_caught() {
    const CASES: &[&str] = &["storage::delete::of_a_missing_object_succeeds"];
    let harness = || Harness::storage("panics", |_| async { panic!("no such luck") }).in_this_process();
    let panics = Broken { name: "panics", only: CASES[0], size: Size::Quick, harness, caught_by: CASES };
    let complaints = run(&[panics]).complaints(&[]);
    assert!(complaints.len() == 1 && complaints[0].contains("Beside panicked"), "{complaints:?}");
}

/// The same broken storages under an engine whose calls fail.
fn what_shows_under_faults_is_caught() {
    let table = storage::table();
    let row = |(name, case): &'static (&str, &str)| {
        let broken = table.iter().find(|broken| broken.name == *name).unwrap();
        Broken { only: case, caught_by: std::slice::from_ref(case), ..*broken }
    };
    let rows: Vec<Broken> = interrupted::CAUGHT.iter().map(row).collect();
    let matrix = run(&rows);
    println!("{matrix}");
    let complaints = matrix.complaints(&[]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

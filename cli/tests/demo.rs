//! The newcomer's first command: it must work, take seconds, and prove what it says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{Place, longshore};

#[test]
fn the_demo_survives_a_real_kill_and_ends_with_equal_folders() {
    let place = Place::new();
    for number in 0..5 {
        place.write(&format!("mine/folder/{number}.txt"), format!("file {number}"));
    }
    let output = longshore().args(["demo", "--from"]).arg(place.path("mine")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("It died after the storage call: create domains/main/log/"), "{text}");
    assert!(text.contains("(conflict phone "), "{text}");
    assert!(text.contains(", 0 differ."), "{text}");
    assert!(text.contains("storage requests were used"), "{text}");
    assert_eq!(place.files("mine").len(), 5, "the sample itself is not touched");
}

#[test]
fn a_demo_without_files_says_what_to_do() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    let output = longshore().args(["demo", "--from"]).arg(place.path("empty")).output().unwrap();
    let ended = support::Ended::from(output);
    assert!(ended.fails(1).contains("--from FOLDER"));
}

#[test]
fn a_demo_outside_a_repository_says_where_files_can_come_from() {
    let place = Place::new();
    std::fs::create_dir(place.path("alone")).unwrap();
    let mut command = longshore();
    command.arg("demo").current_dir(place.path("alone"));
    // Nothing above it may count as a repository either.
    let above = std::fs::canonicalize(place.path("")).unwrap();
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env("GIT_CEILING_DIRECTORIES", &above);
    let line = support::Ended::from(command.output().unwrap()).fails(1);
    assert!(line.contains("alone") && line.contains("give it files with `longshore demo --from FOLDER`"), "{line}");
}

//! A share was not mounted for a week, and every sync of that week failed. Whoever asks for the status must see it, also where the
//! sync never got as far as the engine; and once a sync succeeds, nobody must be told of it any more.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Ended, Place, longshore};

fn status(place: &Place) -> Value {
    place.run("status", "one", &[]).ok().json()
}

/// Syncs in vain; the status must say why in the same words, and when.
#[track_caller]
fn fails_and_is_remembered(place: &Place, code: i32) -> String {
    let line = place.sync("one", &[]).fails(code);
    let line = line.trim_end().strip_prefix("longshore: ").unwrap().to_owned();
    remembered(place, &line);
    line
}

#[track_caller]
fn remembered(place: &Place, line: &str) {
    let status = status(place);
    assert_eq!(status["status"]["last_error"], line);
    assert!(status["failed_at"].as_u64().unwrap() > 1_700_000_000_000);
    let text: Ended = longshore().arg("status").arg(place.path("one")).output().unwrap().into();
    assert!(text.ok().out.contains(&format!("Z: {line}\n")));
}

#[track_caller]
fn forgotten(place: &Place) {
    place.settle(&["one"]);
    let status = status(place);
    assert!(status["status"]["last_error"].is_null() && status["failed_at"].is_null(), "{status}");
}

fn away(place: &Place) {
    fs::rename(place.path("store"), place.path("away")).unwrap();
}

fn back(place: &Place) {
    fs::rename(place.path("away"), place.path("store")).unwrap();
}

fn settled() -> Place {
    let place = Place::with(&["one"]);
    place.write("one/a.txt", "a");
    place.settle(&["one"]);
    place
}

#[test]
fn a_store_that_is_gone_is_remembered_until_it_is_back() {
    let place = settled();
    away(&place);
    fails_and_is_remembered(&place, 6);
    fs::write(place.path("store"), "a file is in its place").unwrap();
    fails_and_is_remembered(&place, 6);
    place.remove("store");
    back(&place);
    forgotten(&place);
}

#[test]
fn another_store_before_the_first_sync_is_remembered() {
    let (place, other) = (Place::with(&["one"]), Place::with(&["one"]));
    away(&place);
    support::copy(&other.path("store"), &place.path("store"));
    assert!(fails_and_is_remembered(&place, 5).contains("not the one"));
    fs::remove_dir_all(place.path("store")).unwrap();
    back(&place);
    forgotten(&place);
}

#[test]
fn another_store_after_the_first_sync_is_remembered() {
    let (place, other) = (settled(), settled());
    away(&place);
    support::copy(&other.path("store"), &place.path("store"));
    fails_and_is_remembered(&place, 5);
    fs::remove_dir_all(place.path("store")).unwrap();
    back(&place);
    forgotten(&place);
}

#[test]
fn a_stopped_mass_deletion_is_remembered() {
    let place = Place::with(&["one"]);
    for number in 0..12 {
        place.write(&format!("one/{number}.txt"), "text");
    }
    place.settle(&["one"]);
    (0..12).for_each(|number| place.remove(&format!("one/{number}.txt")));
    assert_eq!(place.sync("one", &[]).code, Some(4));
    assert!(status(&place)["status"]["last_error"].as_str().unwrap().contains("--allow-mass-delete"));
    place.sync("one", &["--allow-mass-delete"]).ok();
    forgotten(&place);
}

#[test]
fn a_dry_run_remembers_and_forgets_nothing() {
    let place = settled();
    away(&place);
    place.sync("one", &["--dry-run"]).fails(6);
    assert!(status(&place)["status"]["last_error"].is_null());
    let line = fails_and_is_remembered(&place, 6);
    back(&place);
    place.sync("one", &["--dry-run"]).ok();
    remembered(&place, &line);
    forgotten(&place);
}

#[test]
fn state_that_takes_no_note_does_not_hide_the_error() {
    let place = settled();
    away(&place);
    let expected = place.sync("one", &[]).fails(6);
    back(&place);
    forgotten(&place);
    // A folder with something in it is neither replaced nor removed.
    place.write("one/.longshore/last-failure.json/in the way", "");
    away(&place);
    assert_eq!(place.sync("one", &[]).fails(6), expected);
    assert!(status(&place)["status"]["last_error"].is_null());
    back(&place);
    place.settle(&["one"]);
}

#[test]
fn a_damaged_note_is_no_failure_and_goes() {
    let place = settled();
    place.write("one/.longshore/last-failure.json", "{");
    assert!(status(&place)["status"]["last_error"].is_null());
    forgotten(&place);
    assert!(!place.path("one/.longshore/last-failure.json").exists());
}

#[test]
fn detaching_forgets_it_in_a_state_of_its_own() {
    let place = Place::new();
    place.init("one", &["--state", &place.path("state").display().to_string()]).ok();
    away(&place);
    fails_and_is_remembered(&place, 6);
    place.run("detach", "one", &[]).ok();
    assert_eq!(fs::read_dir(place.path("state")).unwrap().count(), 0, "nothing of ours is left");
}

#[test]
fn a_password_that_was_written_into_the_configuration_is_not_repeated() {
    let place = settled();
    let config = place.read("one/.longshore/config.json").unwrap();
    place.write("one/.longshore/config.json", config.replace("file://", "https://anna:secret@host"));
    for command in ["sync", "status", "conflicts"] {
        let line = place.run(command, "one", &[]).fails(2);
        assert!(!line.contains("secret") && line.contains("take it out"), "{line}");
    }
    assert!(!place.path("one/.longshore/last-failure.json").exists());
}

//! A script runs the command with `--json` and reads standard output. Where that stays empty whenever something goes wrong, the
//! script has to guess from the words on standard error; so a failure is JSON too, with a kind that does not change.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::{Ended, Place, longshore};

fn json(arguments: &[&str], place: &Place) -> Ended {
    longshore().arg("--json").args(arguments).current_dir(place.path("one")).output().unwrap().into()
}

/// The object is there, names the kind, and says what standard error says in one line.
#[track_caller]
fn is_error(ended: Ended, code: i32, kind: &str) {
    let said = ended.json();
    assert_eq!(said["error"]["kind"], kind, "{said}");
    assert_eq!(said.as_object().unwrap().len(), 1, "{said}");
    let line = ended.fails(code);
    assert_eq!(said["error"]["message"], line.trim_end()["longshore: ".len()..]);
}

#[test]
fn every_command_fails_in_json() {
    let place = Place::new();
    fs::create_dir(place.path("one")).unwrap();
    for command in ["sync", "status", "log", "conflicts", "detach"] {
        is_error(json(&[command], &place), 1, "failure");
    }
    is_error(json(&["init", ".", "gopher://host/x"], &place), 2, "usage");
    is_error(json(&["demo"], &place), 2, "usage");
}

#[test]
fn the_kind_follows_the_exit_code() {
    let place = Place::with(&["one"]);
    place.write("one/a.txt", "a");
    place.settle(&["one"]);
    is_error(json(&["log", "show", "9"], &place), 1, "failure");
    fs::rename(place.path("store"), place.path("away")).unwrap();
    for command in ["sync", "log"] {
        is_error(json(&[command], &place), 6, "busy");
    }
    fs::create_dir(place.path("store")).unwrap();
    for command in ["sync", "log"] {
        is_error(json(&[command], &place), 5, "replaced");
    }
    place.write("one/.longshore/config.json", "{");
    for command in ["sync", "status", "log", "conflicts"] {
        is_error(json(&[command], &place), 8, "damaged");
    }
}

#[test]
fn a_stopped_mass_deletion_is_json_too() {
    let place = Place::with(&["one"]);
    for number in 0..12 {
        place.write(&format!("one/{number}.txt"), "text");
    }
    place.settle(&["one"]);
    (0..12).for_each(|number| place.remove(&format!("one/{number}.txt")));
    let ended = json(&["sync"], &place);
    assert_eq!((ended.code, ended.json()["error"]["kind"].as_str()), (Some(4), Some("guard")), "{}", ended.err);
}

#[test]
fn a_wrong_command_line_is_json_too() {
    let place = Place::with(&["one"]);
    for (arguments, word) in [(&["sync", "--wrong"][..], "--wrong"), (&["init"], "<FOLDER>"), (&[], "subcommand")] {
        let ended = json(arguments, &place);
        let said = ended.json();
        assert_eq!((ended.code, said["error"]["kind"].as_str()), (Some(2), Some("usage")), "{said}");
        assert!(said["error"]["message"].as_str().unwrap().contains(word), "{said}");
        assert!(ended.err.starts_with("error: "), "{}", ended.err);
    }
    // Help is no failure.
    assert!(json(&["--help"], &place).ok().out.contains("Usage: "));
}

#[test]
fn without_the_option_standard_output_stays_empty() {
    let place = Place::with(&["one"]);
    fs::rename(place.path("store"), place.path("away")).unwrap();
    let ended: Ended = longshore().arg("sync").arg(place.path("one")).output().unwrap().into();
    assert_eq!(ended.out, "");
    // The phases of the sync may stand before it.
    assert_eq!((ended.code, ended.err.matches("longshore: ").count()), (Some(6), 1));
    let ended: Ended = longshore().args(["sync", "--wrong", "--", "--json"]).output().unwrap().into();
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
}

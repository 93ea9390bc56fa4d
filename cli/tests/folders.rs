//! What a folder of files keeps when it goes through a store: times, the executable bit, and what the user said to ignore.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use filetime::FileTime;
use support::{Place, longshore, platform};

fn time(place: &Place, path: &str) -> FileTime {
    FileTime::from_last_modification_time(&fs::metadata(place.path(path)).unwrap())
}

fn chmod(place: &Place, path: &str, mode: &str) {
    assert!(std::process::Command::new("chmod").arg(mode).arg(place.path(path)).status().unwrap().success());
}

fn is_executable(place: &Place, path: &str) -> bool {
    std::process::Command::new("test").arg("-x").arg(place.path(path)).status().unwrap().success()
}

#[test]
fn times_and_the_executable_bit_are_kept() {
    let place = Place::with(&["one", "two"]);
    place.write("one/run.sh", "#!/bin/sh\n");
    place.write("one/old.txt", "old");
    chmod(&place, "one/run.sh", "755");
    let old = FileTime::from_unix_time(1_000_000_000, 123_000_000);
    filetime::set_file_mtime(place.path("one/old.txt"), old).unwrap();
    place.settle(&["one", "two"]);
    assert!(is_executable(&place, "two/run.sh") && !is_executable(&place, "two/old.txt"));
    assert_eq!(time(&place, "two/old.txt"), old);
    assert_eq!(time(&place, "two/run.sh"), time(&place, "one/run.sh"));
    // A change of the bit alone is synced; a change of the time alone is not.
    chmod(&place, "one/run.sh", "644");
    chmod(&place, "one/old.txt", "755");
    filetime::set_file_mtime(place.path("one/old.txt"), old).unwrap();
    place.settle(&["one", "two"]);
    assert!(!is_executable(&place, "two/run.sh") && is_executable(&place, "two/old.txt"));
    filetime::set_file_mtime(place.path("one/old.txt"), FileTime::from_unix_time(5, 0)).unwrap();
    assert_eq!(place.sync("one", &[]).ok().json()["report"]["pushed"], 0);
}

#[test]
fn a_private_file_stays_private() {
    let place = Place::with(&["one", "two"]);
    place.write("one/key", "one");
    place.settle(&["one", "two"]);
    chmod(&place, "two/key", "600");
    place.write("one/key", "another");
    place.settle(&["one", "two"]);
    assert_eq!(place.read("two/key").unwrap(), "another");
    assert!(platform::mode(&place.path("two/key")).is_none_or(|mode| mode == 0o600));
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen_if_the_file_is_young() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "aaaa");
    let written = time(&place, "one/a.txt");
    place.settle(&["one", "two"]);
    place.write("one/a.txt", "bbbb");
    filetime::set_file_mtime(place.path("one/a.txt"), written).unwrap();
    place.settle(&["one", "two"]);
    assert_eq!(place.read("two/a.txt").unwrap(), "bbbb");
}

#[test]
fn what_is_ignored_stays_where_it_is() {
    let place = Place::with(&["one", "two"]);
    place.write("one/.longshoreignore", "*.log\n/build/\n");
    for name in ["a.txt", "a.log", "build/out", "sub/build/kept", ".git/config", "sub/.DS_Store"] {
        place.write(&format!("one/{name}"), name);
    }
    place.settle(&["one", "two"]);
    assert_eq!(place.files("two").keys().collect::<Vec<_>>(), [".longshoreignore", "a.txt", "sub/build/kept"]);
    // What becomes ignored is not deleted elsewhere, also when it goes.
    place.write("one/.longshoreignore", "*.log\n*.txt\n");
    place.remove("one/a.txt");
    place.settle(&["one"]);
    place.settle(&["two"]);
    assert_eq!(place.read("two/a.txt").unwrap(), "a.txt");
}

#[test]
fn folders_come_and_go_with_their_files() {
    let place = Place::with(&["one", "two"]);
    fs::create_dir(place.path("one/empty")).unwrap();
    place.write("one/a/b/c.txt", "c");
    place.settle(&["one", "two"]);
    assert!(!place.path("two/empty").exists());
    place.remove("one/a/b/c.txt");
    place.settle(&["one", "two"]);
    assert!(!place.path("two/a").exists());
}

#[test]
fn every_reading_command_speaks_json() {
    let place = Place::with(&["one"]);
    place.write("one/a.txt", "a");
    assert_eq!(place.run("status", "one", &[]).ok().json()["changed"], 1);
    place.settle(&["one"]);
    let status = place.run("status", "one", &[]).ok().json();
    assert_eq!((status["files"].as_u64(), status["device"].as_str()), (Some(1), Some("one")));
    let log = |more: &[&str]| {
        let mut command = longshore();
        command.args(["--json", "log", "--folder"]).arg(place.path("one")).args(more);
        support::Ended::from(command.output().unwrap())
    };
    assert_eq!(log(&[]).ok().json()["entries"].as_array().unwrap().len(), 1);
    let shown = log(&["show", "1"]).ok().json();
    assert_eq!((shown["changes"][0]["id"].as_str(), shown["changes"][0]["bytes"].as_u64()), (Some("a.txt"), Some(1)));
    log(&["show", "9"]).fails(1);
    // The option may stand anywhere.
    let last = longshore().args(["log", "show", "1", "--json"]).current_dir(place.path("one")).output().unwrap();
    assert_eq!(support::Ended::from(last).ok().json(), shown);
}

#[test]
fn status_after_a_sync_finds_nothing_changed() {
    let place = Place::with(&["one"]);
    place.write("one/a.txt", "aaaa");
    place.write("one/b.txt", "bbbb");
    place.settle(&["one"]);
    let status = place.run("status", "one", &[]).ok().json();
    assert_eq!((status["changed"].as_u64(), status["too_fresh"].as_u64()), (Some(0), Some(0)), "{status}");
    let written = time(&place, "one/a.txt");
    place.write("one/a.txt", "cccc");
    filetime::set_file_mtime(place.path("one/a.txt"), written).unwrap();
    assert_eq!(place.run("status", "one", &[]).ok().json()["changed"], 1);
}

#[test]
fn text_is_for_people() {
    let place = Place::with(&["one"]);
    place.write("one/a.txt", "a");
    let run = |arguments: &[&str]| {
        let output = longshore().args(arguments).current_dir(place.path("one")).output().unwrap();
        support::Ended::from(output).ok().out
    };
    assert!(run(&["sync", "--dry-run"]).contains("commit: create a.txt"));
    assert!(run(&["sync"]).contains("1 change committed"));
    assert!(run(&["log"]).contains("#1 "));
    assert!(run(&["log", "show", "1"]).contains("+ a.txt"));
    assert!(run(&["status"]).contains("last in step at"));
    assert!(run(&["conflicts"]).contains("no conflict waits"));
    assert!(run(&["detach"]).contains("detached"));
    assert!(!place.path("one/.longshore").exists() && place.path("one/a.txt").exists());
}

/// Many files are written by two threads; names that meet (a file and a folder of one name) stay with one of them.
#[test]
fn many_files_in_many_folders_arrive() {
    let place = Place::with(&["a", "b"]);
    for number in 0..600 {
        place.write(&format!("a/folder {}/deep/file {number}", number % 7), format!("text {number}"));
        place.write(&format!("a/top {number}"), format!("top {number}"));
    }
    place.settle(&["a", "b"]);
    place.equal("a", "b");
    assert_eq!(place.files("b").len(), 1200);
    assert_eq!(place.sync("b", &[]).ok().json()["report"]["pushed"], 0, "what was written is not taken for an edit");
}

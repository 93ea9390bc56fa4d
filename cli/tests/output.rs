//! A script reads the first lines and closes the pipe, or the disk that takes the output is full. Neither is a panic: a reader that
//! has enough is no failure, and what cannot be written is one line and an exit code, after the work is done.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::fs::OpenOptions;
use std::process::Stdio;

use support::{Place, longshore};

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::with(&["a"]);
    place.write("a/file", "text");
    place.sync("a", &[]).ok();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = longshore().args(["log", "--folder"]).arg(place.path("a")).stdout(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn an_output_that_is_full_is_one_line_after_the_work() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        println!("this system has no /dev/full to write to");
        return;
    };
    let place = Place::with(&["a"]);
    place.write("a/file", "text");
    let mut command = longshore();
    let ended =
        command.args(["sync", "--json"]).arg(place.path("a")).stdout(full).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("standard output: cannot be written"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(place.sync("a", &[]).ok().json()["report"]["pushed"], 0, "the sync itself was done");
}

#[test]
fn every_decision_about_a_conflict_is_told() {
    for (rule, word) in [("keep-both", "copied"), ("local", "ours"), ("remote", "theirs")] {
        let place = Place::with(&["a", "b"]);
        place.write("a/file", "base");
        place.settle(&["a", "b"]);
        place.write("a/file", "from a, longer");
        place.write("b/file", "from b");
        place.sync("a", &[]).ok();
        let told = place.sync("b", &["--conflict", rule]).ok().json();
        let told = &told["conflicts"][0];
        assert_eq!((&told["document"], &told["decision"]), (&"file".into(), &word.into()), "{rule}");
    }
}

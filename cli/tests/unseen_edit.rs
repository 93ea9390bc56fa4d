//! I12: a file that its user edits after the scan and before the write back is never overwritten, nor removed, unseen.
//!
//! `--before-write` runs a command in exactly that moment.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Place;

/// `one` committed `change` (nothing: a deletion) to `a.txt`; `two` syncs it, and its user does `edit` meanwhile.
fn meet(change: Option<&str>, edit: &str) -> Place {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "base");
    place.settle(&["one", "two"]);
    match change {
        Some(text) => place.write("one/a.txt", text),
        None => place.remove("one/a.txt"),
    }
    place.settle(&["one"]);
    let line = format!("cd '{}' && {edit}", place.path("two").display());
    let ended = place.sync("two", &["--before-write", &line]).ok().json();
    assert_eq!(ended["found_unseen"], 1);
    place.settle(&["one", "two"]);
    place.equal("one", "two");
    place
}

#[test]
fn an_edit_meets_an_edit() {
    let place = meet(Some("theirs"), "printf mine > a.txt");
    assert_eq!(place.read("two/a.txt").unwrap(), "theirs");
    assert!(place.files("two").into_values().any(|bytes| bytes == b"mine"), "the unseen edit is lost");
}

#[test]
fn an_edit_of_the_same_length_meets_an_edit() {
    let place = meet(Some("theirs"), "printf MINE > a.txt");
    assert!(place.files("two").into_values().any(|bytes| bytes == b"MINE"), "the unseen edit is lost");
}

#[test]
fn an_edit_meets_a_deletion() {
    let place = meet(None, "printf mine > a.txt");
    assert_eq!(place.read("one/a.txt").unwrap(), "mine");
}

#[test]
fn a_deletion_meets_an_edit() {
    let place = meet(Some("theirs"), "rm a.txt");
    assert_eq!(place.read("two/a.txt").unwrap(), "theirs");
}

#[test]
fn a_new_file_meets_a_new_file() {
    let place = Place::with(&["one", "two"]);
    place.write("one/b/new.txt", "theirs");
    place.settle(&["one"]);
    let line = format!("cd '{}' && mkdir b && printf mine > b/new.txt", place.path("two").display());
    place.sync("two", &["--before-write", &line]).ok();
    place.settle(&["one"]);
    place.equal("one", "two");
    let contents: Vec<_> = place.files("one").into_values().collect();
    assert!(contents.contains(&b"mine".to_vec()) && contents.contains(&b"theirs".to_vec()));
}

#[test]
fn a_folder_that_became_a_link_is_not_written_through() {
    let place = Place::with(&["one", "two"]);
    place.write("one/b/new.txt", "theirs");
    place.settle(&["one"]);
    std::fs::create_dir(place.path("outside")).unwrap();
    let line = format!("ln -s '{}' '{}'", place.path("outside").display(), place.path("two/b").display());
    let ended = place.sync("two", &["--before-write", &line]);
    assert_eq!(ended.code, Some(7), "{}", ended.err);
    assert!(place.files("outside").is_empty());
    // With the link gone, the next sync fetches it; it was never taken for deleted.
    place.remove("two/b");
    place.settle(&["two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.files("one").len(), 1);
}

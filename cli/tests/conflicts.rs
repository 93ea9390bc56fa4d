//! Two devices edit one file. No edit may be lost: each rule of `--conflict` decides as it says, and the default keeps both.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Place;

/// Both devices have `a.txt`, and both changed it; `one` committed first.
fn met() -> Place {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "base");
    place.settle(&["one", "two"]);
    place.write("one/a.txt", "first edit");
    place.write("two/a.txt", "second, longer edit");
    place.settle(&["one"]);
    place
}

fn copy_of(place: &Place, folder: &str) -> Option<String> {
    place.files(folder).into_keys().find(|name| name.starts_with("a (conflict two ") && name.ends_with(").txt"))
}

#[test]
fn by_default_both_edits_are_kept() {
    let place = met();
    let ended = place.sync("two", &[]).ok().json();
    assert_eq!(ended["report"]["resolved"], 1);
    place.settle(&["one"]);
    place.equal("one", "two");
    assert_eq!(place.read("one/a.txt").unwrap(), "first edit");
    let copy = copy_of(&place, "one").unwrap();
    assert_eq!(place.read(&format!("one/{copy}")).unwrap(), "second, longer edit");
    assert_eq!(place.files("one").len(), 2);
}

#[test]
fn local_wins_if_asked_for() {
    let place = met();
    place.sync("two", &["--conflict", "local"]).ok();
    place.settle(&["one"]);
    place.equal("one", "two");
    assert_eq!(place.read("one/a.txt").unwrap(), "second, longer edit");
}

#[test]
fn remote_wins_if_asked_for() {
    let place = met();
    place.sync("two", &["--conflict", "remote"]).ok();
    place.settle(&["one"]);
    place.equal("one", "two");
    assert_eq!(place.read("two/a.txt").unwrap(), "first edit");
    assert_eq!(place.files("two").len(), 1);
}

#[test]
fn stop_leaves_it_open_and_says_so() {
    let place = met();
    assert_eq!(place.sync("two", &["--conflict", "stop"]).code, Some(3));
    assert_eq!(place.read("two/a.txt").unwrap(), "second, longer edit");
    let listed = place.run("conflicts", "two", &[]);
    assert_eq!((listed.code, listed.json()["conflicts"][0]["id"].as_str()), (Some(3), Some("a.txt")));
    assert_eq!(place.run("status", "two", &[]).ok().json()["status"]["conflicts"], 1);
    place.run("detach", "two", &[]).fails(1);
    // The rest goes on meanwhile.
    place.write("two/b.txt", "b");
    assert_eq!(place.sync("two", &["--conflict", "stop"]).code, Some(3));
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.run("conflicts", "two", &[]).ok().json()["conflicts"].as_array().unwrap().len(), 0);
}

#[test]
fn an_edit_wins_over_a_deletion_on_either_side() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "a");
    place.write("one/b.txt", "b");
    place.settle(&["one", "two"]);
    place.remove("one/a.txt");
    place.write("two/a.txt", "edited a");
    place.write("one/b.txt", "edited b");
    place.remove("two/b.txt");
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.read("one/a.txt").unwrap(), "edited a");
    assert_eq!(place.read("one/b.txt").unwrap(), "edited b");
}

#[test]
fn the_same_edit_on_both_sides_is_no_conflict() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "same");
    place.write("two/a.txt", "same");
    place.settle(&["one", "two"]);
    let report = place.sync("two", &[]).ok().json()["report"].clone();
    assert_eq!((report["conflicts"].as_u64(), report["pushed"].as_u64()), (Some(0), Some(0)));
    assert_eq!(place.files("two").len(), 1);
}

#[test]
fn a_copy_that_exists_is_not_overwritten() {
    let place = met();
    place.sync("two", &[]).ok();
    let copy = copy_of(&place, "two").unwrap();
    place.write(&format!("two/{copy}"), "mine");
    place.settle(&["one"]);
    place.write("one/a.txt", "third edit");
    place.write("two/a.txt", "a fourth edit");
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    let contents: Vec<_> = place.files("two").into_values().collect();
    for text in ["third edit", "a fourth edit", "mine"] {
        assert!(contents.contains(&text.as_bytes().to_vec()), "{text} is lost");
    }
}

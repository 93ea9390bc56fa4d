//! A folder that looks emptied (a wrong mount, a slip of the hand) must not empty all the others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::Place;

fn twelve() -> Place {
    let place = Place::with(&["one", "two"]);
    for number in 0..12 {
        place.write(&format!("one/{number}.txt"), format!("file {number}"));
    }
    place.settle(&["one", "two"]);
    place
}

fn remove(place: &Place, device: &str, count: usize) {
    (0..count).for_each(|number| place.remove(&format!("{device}/{number}.txt")));
}

#[test]
fn deletions_to_be_pushed_are_stopped() {
    let place = twelve();
    remove(&place, "one", 7);
    let ended = place.sync("one", &[]);
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.err.contains("  - 0.txt") && ended.err.contains("--allow-mass-delete"), "{}", ended.err);
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 12);
    place.sync("one", &["--allow-mass-delete"]).ok();
    assert_eq!(place.sync("two", &[]).code, Some(4), "the other side asks too");
    assert_eq!(place.files("two").len(), 12, "nothing of it was done");
    place.sync("two", &["--allow-mass-delete"]).ok();
    place.equal("one", "two");
}

#[test]
fn half_of_the_files_may_go() {
    let place = twelve();
    remove(&place, "one", 6);
    place.settle(&["one", "two"]);
    assert_eq!(place.files("two").len(), 6);
}

#[test]
fn a_renamed_folder_is_no_deletion() {
    let place = twelve();
    fs::create_dir(place.path("one/all")).unwrap();
    for number in 0..12 {
        fs::rename(place.path(&format!("one/{number}.txt")), place.path(&format!("one/all/{number}.txt"))).unwrap();
    }
    place.settle(&["one", "two"]);
    place.equal("one", "two");
}

#[test]
fn a_missing_folder_deletes_nothing() {
    let place = twelve();
    fs::rename(place.path("one"), place.path("elsewhere")).unwrap();
    place.sync("one", &[]).fails(1);
    fs::create_dir(place.path("one")).unwrap();
    place.sync("one", &[]).fails(1);
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 12);
}

#[test]
fn a_dry_run_warns_and_changes_nothing() {
    let place = twelve();
    remove(&place, "one", 7);
    place.write("one/new.txt", "new");
    let plan = place.sync("one", &["--dry-run"]).ok().json();
    assert_eq!((plan["mass_delete"].as_bool(), plan["push"].as_array().unwrap().len()), (Some(true), 8));
    assert_eq!(place.run("status", "one", &[]).ok().json()["status"]["pending"], 0);
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 12);
}

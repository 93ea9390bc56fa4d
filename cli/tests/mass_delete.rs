//! A folder that looks emptied (a wrong mount, a slip of the hand) must not empty all the others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::{Ended, Place, longshore};

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
    let ended = place.sync("one", &["--dry-run"]);
    let plan = ended.json();
    assert_eq!((ended.code, plan["exit"].as_u64()), (Some(4), Some(4)), "{plan}");
    assert_eq!((plan["mass_delete"].as_bool(), plan["push"].as_array().unwrap().len()), (Some(true), 8));
    assert_eq!(plan["would_delete"].as_array().unwrap().len(), 7);
    assert_eq!(place.sync("one", &["--dry-run", "--allow-mass-delete"]).ok().json()["mass_delete"], true);
    assert_eq!(place.run("status", "one", &[]).ok().json()["status"]["pending"], 0);
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 12);
}

#[test]
fn a_dry_run_counts_renames_as_the_sync_does() {
    let place = twelve();
    fs::create_dir(place.path("one/all")).unwrap();
    for number in 0..12 {
        fs::rename(place.path(&format!("one/{number}.txt")), place.path(&format!("one/all/{number}.txt"))).unwrap();
    }
    assert_eq!(place.sync("one", &["--dry-run"]).ok().json()["mass_delete"], false);
    place.settle(&["one"]);
    let plan = place.sync("two", &["--dry-run"]).ok().json();
    assert_eq!((plan["mass_delete"].as_bool(), plan["pull"].as_array().unwrap().len()), (Some(false), 24));
    place.settle(&["two"]);
    place.equal("one", "two");
}

#[test]
fn what_was_stopped_is_shown() {
    let place = Place::with(&["one", "two"]);
    for number in 0..30 {
        place.write(&format!("one/{number}.txt"), format!("file {number}"));
    }
    place.settle(&["one", "two"]);
    remove(&place, "one", 25);
    place.write("one/new.txt", "new");
    let said = |arguments: &[&str], device: &str| {
        let mut command = longshore();
        command.args(arguments).arg(place.path(device));
        Ended::from(command.output().unwrap())
    };
    let short = said(&["sync"], "one");
    assert_eq!((short.code, short.err.matches("  - ").count()), (Some(4), 20), "{}", short.err);
    assert!(short.err.contains("… and 5 more") && short.err.contains("commit: create new.txt"), "{}", short.err);
    assert_eq!(said(&["sync", "-v"], "one").err.matches("  - ").count(), 25);
    let json = place.sync("one", &[]).json();
    assert_eq!(json["plan"]["would_delete"].as_array().unwrap().len(), 25, "{json}");
    assert_eq!(json["plan"]["push"].as_array().unwrap().len(), 26, "{json}");
    place.sync("one", &["--allow-mass-delete"]).ok();
    // The other direction.
    place.write("two/own.txt", "own");
    let json = place.sync("two", &[]).json();
    assert_eq!(
        (json["error"]["kind"].as_str(), json["plan"]["would_delete"].as_array().unwrap().len()),
        (Some("guard"), 25)
    );
    assert!(said(&["sync"], "two").err.contains("commit: create own.txt"));
    assert_eq!(place.files("two").len(), 31);
}

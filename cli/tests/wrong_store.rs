//! The store was emptied, replaced or rolled back; a folder was copied to a second device, or its state restored from a backup.
//! Each time there is a defined error or a recovery, and no file is deleted anywhere.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::{Ended, Place, longshore};

/// Two devices in step, with three files and three commits.
fn settled() -> Place {
    let place = Place::with(&["one", "two"]);
    for name in ["a.txt", "b.txt", "c.txt"] {
        place.write(&format!("one/{name}"), name);
        place.settle(&["one", "two"]);
    }
    place
}

fn store_becomes(place: &Place, other: &str) {
    fs::remove_dir_all(place.path("store")).unwrap();
    fs::rename(place.path(other), place.path("store")).unwrap();
}

/// The store's address, and the next step in the command's words.
#[track_caller]
fn says_what_to_do(place: &Place, device: &str, line: &str) {
    assert!(line.contains(&place.url()) && !line.contains("replica") && !line.contains("join anew"), "{line}");
    let again =
        format!("`longshore detach {}`, then `longshore init", fs::canonicalize(place.path(device)).unwrap().display());
    assert!(line.contains(&again) || line.contains("mount"), "{line}");
}

#[track_caller]
fn refused(place: &Place, code: i32) {
    place.write("one/new.txt", "new");
    for device in ["one", "two"] {
        says_what_to_do(place, device, &place.sync(device, &[]).fails(code));
    }
    assert_eq!(place.files("one").len(), 4);
    assert_eq!(place.files("two").len(), 3);
}

#[test]
fn an_emptied_store_is_an_error() {
    let place = settled();
    fs::create_dir(place.path("empty")).unwrap();
    store_becomes(&place, "empty");
    refused(&place, 5);
    assert!(fs::read_dir(place.path("store")).unwrap().next().is_none(), "nothing was created in it");
}

#[test]
fn the_log_of_a_wrong_store_is_an_error() {
    let place = settled();
    let log = || Ended::from(longshore().args(["log", "--folder"]).arg(place.path("one")).output().unwrap());
    place.copy("store", "older");
    place.write("one/d.txt", "d");
    place.settle(&["one"]);
    log().ok();
    store_becomes(&place, "older");
    log().fails(5);
    support::copy(&settled().path("store"), &place.path("other"));
    store_becomes(&place, "other");
    log().fails(5);
    fs::create_dir(place.path("empty")).unwrap();
    store_becomes(&place, "empty");
    log().fails(5);
}

#[test]
fn a_store_that_is_not_mounted_is_an_error() {
    let place = settled();
    fs::rename(place.path("store"), place.path("away")).unwrap();
    refused(&place, 6);
    assert!(!place.path("store").exists());
    fs::rename(place.path("away"), place.path("store")).unwrap();
    place.settle(&["one", "two"]);
    place.equal("one", "two");
}

#[test]
fn another_store_in_its_place_is_an_error() {
    let place = settled();
    let other = settled();
    support::copy(&other.path("store"), &place.path("other"));
    store_becomes(&place, "other");
    refused(&place, 5);
}

#[test]
fn an_older_copy_in_its_place_is_an_error() {
    let place = settled();
    place.copy("store", "older");
    place.write("one/d.txt", "d");
    place.settle(&["one", "two"]);
    store_becomes(&place, "older");
    says_what_to_do(&place, "one", &place.sync("one", &[]).fails(5));
    says_what_to_do(&place, "two", &place.sync("two", &[]).fails(5));
    assert_eq!((place.files("one").len(), place.files("two").len()), (4, 4));
}

#[test]
fn a_store_swapped_before_the_first_sync_is_an_error() {
    let (place, other) = (Place::with(&["one"]), settled());
    place.write("one/a.txt", "a");
    support::copy(&other.path("store"), &place.path("other"));
    store_becomes(&place, "other");
    place.sync("one", &[]).fails(5);
}

#[test]
fn a_folder_copied_with_its_state_becomes_a_device_of_its_own() {
    let place = settled();
    place.copy("two", "three");
    place.write("two/from two.txt", "2");
    place.write("three/from three.txt", "3");
    place.write("two/a.txt", "edited on two");
    place.settle(&["two"]);
    place.settle(&["three", "two", "one"]);
    place.write("three/more.txt", "more");
    place.settle(&["three", "two", "one"]);
    place.equal("one", "two");
    place.equal("one", "three");
    assert_eq!(place.files("one").len(), 6);
    assert_eq!(place.read("one/a.txt").unwrap(), "edited on two");
}

#[test]
fn state_restored_from_a_backup_recovers() {
    let place = settled();
    place.copy("two/.longshore", "backup");
    place.write("two/b.txt", "edited after the backup");
    place.write("two/d.txt", "made after the backup");
    place.remove("two/c.txt");
    place.settle(&["two", "one"]);
    fs::remove_dir_all(place.path("two/.longshore")).unwrap();
    place.copy("backup", "two/.longshore");
    place.write("two/e.txt", "made after the restore");
    place.settle(&["two", "one", "two"]);
    place.equal("one", "two");
    assert_eq!(place.files("one").keys().collect::<Vec<_>>(), ["a.txt", "b.txt", "d.txt", "e.txt"]);
    assert_eq!(place.read("one/b.txt").unwrap(), "edited after the backup");
}

#[test]
fn folder_and_state_restored_from_a_backup_recover() {
    let place = settled();
    place.copy("two", "backup");
    place.write("two/b.txt", "edited after the backup");
    place.write("two/d.txt", "made after the backup");
    place.settle(&["two", "one"]);
    fs::remove_dir_all(place.path("two")).unwrap();
    fs::rename(place.path("backup"), place.path("two")).unwrap();
    place.settle(&["two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.read("two/b.txt").unwrap(), "edited after the backup");
    assert_eq!(place.files("two").len(), 4);
}

#[test]
fn lost_state_is_an_error_and_joining_anew_mends_it() {
    let place = settled();
    place.remove("two/.longshore/replica.db");
    place.sync("two", &[]).fails(8);
    place.run("detach", "two", &["--force"]).ok();
    place.init("two", &["--join"]).ok();
    place.settle(&["two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.files("two").len(), 3);
}

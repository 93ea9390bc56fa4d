//! Bad input: each gives one clear line on standard error and a documented exit code, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::{self, File};

use support::{Ended, Place, longshore, platform};

fn init(place: &Place, url: &str) -> Ended {
    fs::create_dir_all(place.path("one")).unwrap();
    longshore().arg("init").arg(place.path("one")).arg(url).output().unwrap().into()
}

#[test]
fn an_address_of_an_unknown_scheme_is_refused() {
    assert!(init(&Place::new(), "gopher://host/x").fails(2).contains("gopher"));
}

#[test]
fn a_malformed_address_is_refused() {
    for url in ["folder", "file://host/x", "file:///%zz", ""] {
        init(&Place::new(), url).fails(2);
    }
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    let place = Place::new();
    let line = init(&place, "https://anna:secret@host/dav").fails(2);
    assert!(!line.contains("secret") && line.contains("take it out"), "{line}");
    assert!(!place.path("one/.longshore").exists());
}

#[test]
fn an_unknown_option_is_refused() {
    assert_eq!(longshore().args(["sync", "--wrong"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn help_documents_the_exit_codes() {
    let help = longshore().arg("--help").output().unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("more than half of at least ten files"));
}

#[test]
fn a_missing_folder_is_an_error() {
    let place = Place::new();
    let ended = longshore().arg("init").arg(place.path("nowhere")).arg(place.url()).output().unwrap();
    let line = Ended::from(ended).fails(1);
    let said = format!("longshore: {}: there is no such folder; make it first, ", place.path("nowhere").display());
    assert!(line.starts_with(&said), "{line}");
    place.sync("nowhere", &[]).fails(1);
    assert!(!place.path("nowhere").exists());
}

#[test]
fn a_folder_that_is_not_attached_is_an_error() {
    let place = Place::new();
    fs::create_dir(place.path("one")).unwrap();
    for command in ["sync", "status", "conflicts", "detach"] {
        assert!(place.run(command, "one", &[]).fails(1).contains("longshore init"));
    }
}

#[test]
fn a_store_in_the_folder_and_a_folder_in_the_store_are_refused() {
    let place = Place::new();
    for inside in ["one", "one/store"] {
        init(&place, &longshore::file_url(&place.path(inside))).fails(2);
    }
    fs::create_dir_all(place.path("store/files")).unwrap();
    let ended = longshore().arg("init").arg(place.path("store/files")).arg(place.url()).output().unwrap();
    Ended::from(ended).fails(2);
    assert!(!place.path("store/files/.longshore").exists());
    // A link does not hide it.
    if platform::link(&place.path("one"), &place.path("link")).is_ok() {
        init(&place, &longshore::file_url(&place.path("link/store"))).fails(2);
    }
}

#[test]
fn joining_never_creates() {
    let place = Place::new();
    place.init("one", &["--join"]).fails(6);
    fs::create_dir(place.path("store")).unwrap();
    assert!(place.init("one", &["--join"]).fails(1).contains("no store to join"));
    assert_eq!(fs::read_dir(place.path("store")).unwrap().count(), 0);
    assert!(place.init("one", &[]).ok().out.starts_with("created"));
    place.write("one/a.txt", "a");
    place.settle(&["one"]);
    assert!(place.init("two", &["--join"]).ok().out.starts_with("joined (1 document)"));
    place.init("two", &[]).fails(2);
}

#[test]
fn sizes_at_the_limits() {
    let place = Place::with(&["one", "two"]);
    place.write("one/empty", "");
    place.write("one/large", vec![7; 100 << 20]);
    File::create(place.path("one/huge")).unwrap().set_len(2 << 30).unwrap();
    place.write("one/fine.txt", "fine");
    let ended = place.sync("one", &[]);
    assert_eq!(ended.code, Some(7));
    assert!(ended.json()["skipped"][0]["why"].as_str().unwrap().contains("1 GiB"));
    place.settle(&["two"]);
    assert_eq!(place.files("two").keys().collect::<Vec<_>>(), ["empty", "fine.txt", "large"]);
    assert_eq!(place.files("two")["large"].len(), 100 << 20);
    // Bodies are not kept twice on disk: the state of both devices stays small.
    for device in ["one", "two"] {
        assert!(state_bytes(&place, device) < 10 << 20, "{device}: {}", state_bytes(&place, device));
    }
}

fn state_bytes(place: &Place, device: &str) -> u64 {
    let files = fs::read_dir(place.path(device).join(".longshore")).unwrap();
    files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_path_that_is_too_long_for_an_id_is_named() {
    let place = Place::with(&["one", "two"]);
    let folder = ["x".repeat(200).as_str(); 6].join("/");
    place.write(&format!("one/{folder}/deep.txt"), "deep");
    place.write("one/fine.txt", "fine");
    let ended = place.sync("one", &[]);
    assert_eq!(ended.code, Some(7));
    assert!(ended.json()["skipped"][0]["why"].as_str().unwrap().contains("1,024 bytes"));
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 1);
}

#[test]
fn a_name_that_is_not_utf8_is_named() {
    let place = Place::with(&["one", "two"]);
    place.write("one/fine.txt", "fine");
    if fs::write(place.path("one").join(platform::name_without_utf8()), "latin").is_err() {
        return; // This file system takes UTF-8 only.
    }
    let ended = place.sync("one", &[]);
    assert_eq!((ended.code, ended.json()["skipped"].as_array().unwrap().len()), (Some(7), 1));
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 1);
}

/// Changes an object of the store, and syncs the second device.
fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> (Place, Ended) {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "a");
    place.settle(&["one", "two"]);
    place.write("one/b.txt", "some bytes of a second commit");
    place.write("two/own.txt", "own");
    place.settle(&["one"]);
    let entry = place.entry(2);
    let mut bytes = fs::read(&entry).unwrap();
    change(&mut bytes);
    fs::write(entry, bytes).unwrap();
    let ended = place.sync("two", &[]);
    (place, ended)
}

fn nothing_lost(place: &Place) {
    assert_eq!(place.files("two").keys().collect::<Vec<_>>(), ["a.txt", "own.txt"]);
    assert_eq!(place.run("status", "two", &[]).ok().json()["status"]["pending"], 1);
}

#[test]
fn a_truncated_object_is_named() {
    let (place, ended) = damaged(|bytes| bytes.truncate(bytes.len() / 2));
    assert!(ended.fails(8).contains("log/"));
    nothing_lost(&place);
}

#[test]
fn an_altered_object_is_named() {
    let (place, ended) = damaged(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    assert!(ended.fails(8).contains("log/"));
    nothing_lost(&place);
}

#[test]
fn a_store_of_a_newer_format_is_refused() {
    let place = Place::with(&["one"]);
    let format = place.path("store/format/data");
    let mut bytes = fs::read(&format).unwrap();
    // The frame: eight bytes of magic, then the format's version.
    let version = bytes.iter().position(|byte| *byte == 1).unwrap();
    bytes[version] = 99;
    fs::write(format, bytes).unwrap();
    place.write("one/a.txt", "a");
    assert!(place.sync("one", &[]).fails(9).contains("newer"));
    place.init("two", &["--join"]).fails(9);
    assert_eq!(place.files("one").len(), 1);
}

#[test]
fn a_damaged_configuration_is_an_error() {
    let place = Place::with(&["one"]);
    place.write("one/.longshore/config.json", "{");
    place.sync("one", &[]).fails(8);
    place.run("detach", "one", &["--force"]).ok();
    place.init("one", &["--join"]).ok();
}

#[test]
fn state_in_a_place_of_its_own() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    place.init("one", &["--state", &state]).ok();
    place.write("one/a.txt", "a");
    place.settle(&["one"]);
    assert!(place.path("state/replica.db").exists() && !place.path("one/.longshore/replica.db").exists());
    place.init("two", &["--state", &state]).fails(2);
    // A copy of the folder does not use the original's state.
    place.copy("one", "copy");
    assert!(place.sync("copy", &[]).fails(1).contains("another folder"));
    place.run("detach", "one", &[]).ok();
    assert!(!place.path("state/replica.db").exists());
    assert_eq!(place.files("one").len(), 1);
}

#[test]
fn a_cloud_folder_asks_for_a_state_elsewhere() {
    let place = Place::new();
    assert!(place.init("Dropbox/one", &[]).fails(2).contains("--state"));
    let state = place.path("state").display().to_string();
    place.init("Dropbox/one", &["--state", &state]).ok();
}

#[test]
fn a_home_with_dropbox_is_no_dropbox() {
    let place = Place::new();
    place.write(".dropbox/info.json", "{}");
    place.init("one", &[]).ok();
    fs::create_dir(place.path(".stfolder")).unwrap();
    assert!(place.init("two", &[]).fails(2).contains("Syncthing"));
    fs::remove_dir(place.path(".stfolder")).unwrap();
}

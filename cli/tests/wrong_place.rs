//! A slip of the hand at `init` or `detach`: the arguments swapped, a store among one's own files, a copy detached while the original
//! lives on. Each is refused with what to type instead, and nothing of the user's, or of another folder's, is touched.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::{self, File};

use support::{Ended, Place, longshore};

fn init(place: &Place, arguments: &[&str]) -> Ended {
    longshore().arg("init").args(arguments).current_dir(place.path("")).output().unwrap().into()
}

fn with_state() -> Place {
    let place = Place::new();
    place.init("one", &["--state", &place.path("state").display().to_string()]).ok();
    place.write("one/a.txt", "a");
    place.settle(&["one"]);
    place
}

#[test]
fn no_folder_is_detached_under_a_running_sync() {
    let place = Place::with(&["one"]);
    let lock = File::options().create(true).truncate(false).write(true).open(place.path("one/.longshore/sync.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    for more in [&[][..], &["--force"]] {
        assert!(place.run("detach", "one", more).fails(6).contains("another process"));
    }
    assert!(place.path("one/.longshore/replica.db").exists());
    drop(lock);
    place.run("detach", "one", &["--force"]).ok();
}

#[test]
fn force_detaches_from_a_state_that_cannot_be_opened() {
    let place = with_state();
    place.write("state/replica.db", "no database");
    place.run("detach", "one", &[]).fails(8);
    place.run("detach", "one", &["--force"]).ok();
    let place = with_state();
    fs::remove_dir_all(place.path("state")).unwrap();
    place.run("detach", "one", &["--force"]).ok();
    assert!(place.path("one/a.txt").exists() && !place.path("one/.longshore").exists());
}

#[test]
fn a_detached_copy_leaves_the_state_to_the_original() {
    let place = with_state();
    place.copy("one", "copy");
    let ended = place.run("detach", "copy", &["--force"]).ok();
    assert!(ended.json()["state_kept"].as_str().unwrap().ends_with("state"));
    assert!(!place.path("copy/.longshore").exists());
    place.settle(&["one"]);
    assert_eq!(place.run("status", "one", &[]).ok().json()["status"]["pending"], 0);
}

#[test]
fn a_moved_folder_takes_its_state_along_and_a_copy_does_not() {
    let place = with_state();
    fs::rename(place.path("one"), place.path("moved")).unwrap();
    let said = place.sync("moved", &[]).fails(1);
    assert!(said.contains("init --moved") && said.contains("detach --force"), "{said}");
    let moved = |folder: &str| init(&place, &["--moved", folder, &place.url()]);
    assert!(moved("moved").ok().out.contains("goes on as"));
    place.write("moved/b.txt", "b");
    assert_eq!(place.sync("moved", &[]).ok().json()["report"]["pushed"], 1);
    place.copy("moved", "copy");
    assert!(moved("copy").fails(2).contains("is a copy of"));
    assert!(moved("moved").fails(2).contains("just sync"));
    place.settle(&["moved"]);
}

#[test]
fn no_store_is_made_among_files() {
    let place = Place::with(&["one"]);
    place.write("notes/mine.txt", "mine");
    place.write("other/a.txt", "a");
    let url = |name: &str| longshore::file_url(&place.path(name));
    assert!(init(&place, &["other", &url("notes")]).fails(2).contains("is not empty and is no store: `mine.txt`"));
    assert!(init(&place, &["other", &url("one/store")]).fails(2).contains("attached"));
    assert!(init(&place, &["other", &url("one")]).fails(2).contains("attached"));
    assert_eq!(fs::read_dir(place.path("notes")).unwrap().count(), 1);
    assert!(!place.path("one/store").exists() && !place.path("other/.longshore").exists());
    // What systems and interrupted writers leave is no reason.
    place.write("disk/lost+found/x", "");
    place.write("disk/.tmp-0123/data", "");
    init(&place, &["other", &url("disk")]).ok();
}

#[test]
fn swapped_arguments_are_put_in_order() {
    let place = Place::with(&["one"]);
    fs::create_dir(place.path("notes")).unwrap();
    let said = init(&place, &[&place.url(), "notes"]).fails(2);
    assert!(said.contains(&format!("run `longshore init notes {}`", place.url())), "{said}");
    let notes = longshore::file_url(&place.path("notes"));
    let said = init(&place, &["store", &notes]).fails(2);
    assert!(said.contains("holds a store") && said.contains(&place.url()), "{said}");
    assert_eq!(fs::read_dir(place.path("notes")).unwrap().count(), 0);
}

#[test]
fn no_folder_is_attached_in_another() {
    let place = Place::with(&["one"]);
    fs::create_dir_all(place.path("one/sub")).unwrap();
    assert!(init(&place, &["one/sub", &longshore::file_url(&place.path("second"))]).fails(2).contains("synced twice"));
    assert!(!place.path("second").exists());
    // The other way round, the scan names it.
    fs::create_dir(place.path("outer")).unwrap();
    place.write("outer/inner/a.txt", "a");
    place.init("outer/inner", &[]).ok();
    init(&place, &["outer", &longshore::file_url(&place.path("second"))]).ok();
    let ended = place.sync("outer", &[]).ok().json();
    assert_eq!(ended["skipped"][0]["name"], "inner/.longshore", "{ended}");
}

#[test]
fn what_is_no_address_is_explained() {
    let place = Place::new();
    fs::create_dir(place.path("k")).unwrap();
    let meant = longshore::file_url(&place.path("store"));
    let path = place.path("store").display().to_string();
    for wrong in [path.as_str(), &format!("file:{path}"), "store"] {
        let said = init(&place, &["k", wrong]).fails(2);
        assert!(said.contains(&format!("write {meant}")) || said.contains("write file:///"), "{wrong}: {said}");
    }
    let said = init(&place, &["k", "gs://bucket/x"]).fails(2);
    assert!(said.contains("gs://bucket/x: no stores of the scheme `gs`") && said.contains("file:///"), "{said}");
    assert!(!init(&place, &["k", "anna:secret@host:/x"]).fails(2).contains("secret"));
}

#[test]
fn a_refused_init_leaves_no_folder_behind() {
    let place = Place::new();
    fs::create_dir(place.path("k")).unwrap();
    let state = place.path("deep/state").display().to_string();
    // The state would lie in the store.
    init(&place, &["k", &longshore::file_url(&place.path("deep")), "--state", &state]).fails(2);
    assert!(!place.path("deep").exists());
    init(&place, &["k", &longshore::file_url(&place.path("no/such/store")), "--state", &state]).fails(6);
    assert!(!place.path("deep").exists() && !place.path("no").exists() && !place.path("k/.longshore").exists());
}

/// A folder with anything in it is no place for state: its files would be overwritten, and removed by a later detach.
#[test]
fn state_takes_no_place_that_holds_files() {
    let place = Place::new();
    place.write("st/folder", "precious");
    let state = place.path("st");
    let error = place.init("one", &["--state", state.to_str().unwrap()]).fails(2);
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(place.read("st/folder").as_deref(), Some("precious"));
}

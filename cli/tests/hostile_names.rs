//! Ids from the store are not to be trusted as paths, and files have names that are no ids. What cannot be here is reported,
//! left out, and never deleted elsewhere.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::sync::Arc;

use longshore::{Client, Document, MemoryReplica};
use support::Place;

/// Another app commits these documents to the store.
fn commit(place: &Place, documents: &[(&str, &str)]) -> MemoryReplica {
    let replica = MemoryReplica::new();
    let client = Client::builder(longshore::open(&place.url()).unwrap(), Arc::new(replica.clone())).build();
    run(async {
        for (id, body) in documents {
            replica.put(Document::new(*id, body.to_string()).unwrap()).await.unwrap();
        }
        client.sync().await.unwrap();
    });
    replica
}

fn run<T>(job: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(job)
}

/// How many documents are in the store, as another app sees it.
fn in_store(place: &Place) -> u64 {
    let replica = MemoryReplica::new();
    let client = Client::builder(longshore::open(&place.url()).unwrap(), Arc::new(replica.clone())).build();
    run(async {
        client.sync().await.unwrap();
        replica.len().await.unwrap()
    })
}

#[test]
fn no_id_leaves_the_folder_or_runs_as_a_hook() {
    let place = Place::with(&["one"]);
    let outside = place.path("escaped.txt");
    let absolute = outside.to_string_lossy().into_owned();
    let long = "x".repeat(300);
    let hostile = [
        "../escaped.txt",
        "a/../../escaped.txt",
        &absolute,
        "/etc/longshore-test",
        "a//b",
        "a/",
        "./a",
        "nul\0byte",
        ".git/hooks/pre-commit",
        "sub/.GIT/config",
        ".longshore/config.json",
        ".longshore-tmp-1-1",
        &long,
    ];
    let documents: Vec<(&str, &str)> = hostile.iter().map(|id| (*id, "evil")).chain([("fine.txt", "fine")]).collect();
    commit(&place, &documents);
    let ended = place.sync("one", &[]);
    assert_eq!(ended.code, Some(7), "{}", ended.err);
    assert_eq!(ended.json()["skipped"].as_array().unwrap().len(), hostile.len());
    assert_eq!(place.files("one").keys().collect::<Vec<_>>(), ["fine.txt"]);
    assert!(!outside.exists() && !place.path("one/.git").exists());
    // They are not files here, and not deleted anywhere either.
    place.write("one/fine.txt", "edited");
    assert_eq!(place.sync("one", &[]).code, Some(7));
    assert_eq!(in_store(&place), documents.len() as u64);
    assert_eq!(place.run("status", "one", &[]).ok().json()["not_on_disk"].as_array().unwrap().len(), hostile.len());
}

#[test]
fn a_strange_name_that_is_possible_is_a_file() {
    let place = Place::with(&["one", "two"]);
    for name in ["a b", "new\nline", "-rf", "ü", "日本", "quote'\"", "..dots", "%41"] {
        place.write(&format!("one/{name}"), name);
    }
    place.settle(&["one", "two"]);
    place.equal("one", "two");
}

#[test]
fn nothing_is_written_through_a_link() {
    let place = Place::with(&["one", "two"]);
    fs::create_dir(place.path("outside")).unwrap();
    place.write("one/in/a.txt", "a");
    place.settle(&["one"]);
    link(&place, "outside", "two/in");
    let ended = place.sync("two", &[]);
    assert_eq!(ended.code, Some(7), "{}", ended.err);
    assert!(place.files("outside").is_empty());
    place.settle(&["one"]);
    assert_eq!(place.files("one").len(), 1, "not deleted elsewhere");
    assert!(place.sync("two", &[]).err.is_empty());
}

fn link(place: &Place, to: &str, at: &str) {
    assert!(
        std::process::Command::new("ln").arg("-s").arg(place.path(to)).arg(place.path(at)).status().unwrap().success()
    );
}

#[test]
fn links_are_reported_and_not_followed() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "a");
    link(&place, "one/a.txt", "one/link.txt");
    let skipped = place.sync("one", &[]).ok().json()["skipped"].clone();
    assert_eq!(skipped[0]["name"], "link.txt");
    place.settle(&["two"]);
    assert_eq!(place.files("two").len(), 1);
    // A file that becomes a link is not deleted elsewhere.
    place.remove("one/a.txt");
    link(&place, "store", "one/a.txt");
    place.settle(&["one", "two"]);
    assert_eq!(place.read("two/a.txt").unwrap(), "a");
}

#[test]
fn a_file_and_a_folder_change_places() {
    let place = Place::with(&["one", "two"]);
    place.write("one/x", "file");
    place.write("one/y/inner", "inner");
    place.settle(&["one", "two"]);
    place.remove("one/x");
    place.write("one/x/inner", "now a folder");
    place.remove("one/y/inner");
    fs::remove_dir(place.path("one/y")).unwrap();
    place.write("one/y", "now a file");
    place.settle(&["one", "two"]);
    place.equal("one", "two");
    assert!(place.path("two/x").is_dir() && place.path("two/y").is_file());
}

#[test]
fn a_folder_in_the_way_is_reported_and_stays() {
    let place = Place::with(&["one", "two"]);
    place.write("one/x", "file");
    place.settle(&["one"]);
    place.write("two/x/mine.txt", "mine");
    assert_eq!(place.sync("two", &[]).code, Some(7));
    assert_eq!(place.read("two/x/mine.txt").unwrap(), "mine");
    assert_eq!(place.read("one/x").unwrap(), "file");
    // Once it is gone, the document arrives.
    place.remove("two/x/mine.txt");
    fs::remove_dir(place.path("two/x")).unwrap();
    place.settle(&["two"]);
    assert_eq!(place.read("two/x").unwrap(), "file");
}

/// One device has a file where the other has a folder: whoever is told must see which of both to rename.
#[test]
fn a_file_and_a_folder_of_one_name_are_told_apart() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a", "a file");
    place.write("two/a/b.txt", "in a folder");
    place.settle(&["one"]);
    let ended = place.sync("two", &[]);
    assert_eq!(ended.code, Some(7), "{}", ended.err);
    let why = ended.json()["skipped"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("a folder of that name is in the way: rename it, then sync again"), "{why}");
    let ended = place.sync("one", &[]);
    let why = ended.json()["skipped"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("`a` is a file") && why.contains("rename it, then sync again"), "{why}");
    assert_eq!((place.read("one/a"), place.read("two/a/b.txt")), (Some("a file".into()), Some("in a folder".into())));
}

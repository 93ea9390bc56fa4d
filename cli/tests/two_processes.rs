//! Two devices sync the same store at the same moment, fifty times: both end with everything, and nothing is committed twice.
//! Two syncs of the *same* folder do not mix: the second is told that the folder is busy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::File;
use std::process::{Child, Stdio};

use support::{Place, longshore};

#[test]
fn both_end_with_the_union() {
    let place = Place::with(&["one", "two"]);
    for round in 0..50 {
        place.write(&format!("one/{round}/from one.txt"), format!("one {round}"));
        place.write(&format!("two/{round}/from two.txt"), format!("two {round}"));
        let children = ["one", "two"].map(|device| start(&place, device));
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.files("one").len(), 100);
    let entries = longshore().args(["--json", "log", "--limit", "1000", "--folder"]).arg(place.path("one")).output();
    let log = support::Ended::from(entries.unwrap()).ok().json();
    assert_eq!(log["entries"].as_array().unwrap().len(), 100, "one commit for each file");
}

fn start(place: &Place, device: &str) -> Child {
    let mut command = longshore();
    command.args(["--json", "sync"]).arg(place.path(device)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_folder_is_synced_by_one_process_at_a_time() {
    let place = Place::with(&["one"]);
    let lock = File::options().write(true).create(true).truncate(false).open(place.path("one/.longshore/sync.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    assert!(place.sync("one", &[]).fails(6).contains("another process"));
    drop(lock);
    place.settle(&["one"]);
}

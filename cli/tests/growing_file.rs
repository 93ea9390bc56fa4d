//! A log that a program writes to all day: a sync must neither wait for it for ever, nor commit a mixture of two states of it, nor
//! leave the other files behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use support::Place;

/// Large enough that it grows many times while it is read.
const SIZE: usize = 64 << 20;

#[test]
fn a_file_that_grows_all_the_time_waits_and_the_rest_goes_on() {
    let place = Place::with(&["one", "two"]);
    place.write("one/fine.txt", "fine");
    place.write("one/growing.log", vec![b'x'; SIZE]);
    let (done, mut file) =
        (AtomicBool::new(false), File::options().append(true).open(place.path("one/growing.log")).unwrap());
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"x").unwrap();
            }
        });
        let ended = place.sync("one", &[]);
        done.store(true, Ordering::Relaxed);
        ended
    });
    assert_eq!(ended.code, Some(7), "{}", ended.err);
    let skipped = &ended.json()["skipped"];
    assert_eq!((skipped[0]["name"].as_str(), skipped.as_array().unwrap().len()), (Some("growing.log"), 1), "{skipped}");
    assert!(skipped[0]["why"].as_str().unwrap().contains("when it rests"), "{skipped}");
    place.settle(&["two"]);
    assert_eq!(place.files("two").keys().collect::<Vec<_>>(), ["fine.txt"]);
    place.settle(&["one", "two"]);
    place.equal("one", "two");
}

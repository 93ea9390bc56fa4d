//! A sync dies (SIGKILL) at any storage call, or between two files that it writes back. After the next sync nothing is lost,
//! nothing is there twice, and all folders are equal.
//!
//! The child reports the call it dies in, so that the test can prove that the kill came in the middle of a sync.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Place;

/// Kills a sync at each place in turn, from the first to the last that a sync has; gives how many died on the way.
fn die_at(place: &Place, device: &str, at: &str) -> bool {
    let ended = place.sync(device, &["--die-at", at]);
    match ended.code {
        None => {
            assert!(ended.out.starts_with("died: "), "{}", ended.out);
            true
        }
        code => {
            assert_eq!(code, Some(0), "{}", ended.err);
            false
        }
    }
}

/// Fifty rounds of a small device day: edits, a new file and a deletion on one side, killed in the push, recovered.
#[test]
fn in_the_middle_of_a_push() {
    let place = Place::with(&["one", "two"]);
    let mut died = 0;
    for round in 0_u64..50 {
        place.write("one/edited.txt", format!("edit {round}"));
        place.write(&format!("one/new/{round}.txt"), format!("new {round}"));
        if round > 0 {
            place.remove(&format!("one/new/{}.txt", round - 1));
        }
        let after = if round % 2 == 0 { "+" } else { "" };
        died += u64::from(die_at(&place, "one", &format!("{}{after}", 1 + round / 2 % 5)));
        place.settle(&["one", "two"]);
        place.equal("one", "two");
        assert_eq!(place.files("two").len(), 2, "round {round}");
        assert_eq!(place.read("two/edited.txt").unwrap(), format!("edit {round}"));
    }
    assert!(died >= 40, "only {died} of 50 syncs were killed on their way");
}

/// Fifty rounds of pulls into a folder that has edits of its own, killed at a storage call or between two files.
#[test]
fn in_the_middle_of_a_pull() {
    let place = Place::with(&["one", "two"]);
    let mut died = 0;
    for round in 0_u64..50 {
        for number in 0..6 {
            place.write(&format!("one/{number}.txt"), format!("file {number} of round {round}"));
        }
        place.write(&format!("two/own/{round}.txt"), format!("own {round}"));
        place.settle(&["one"]);
        let at = match round % 3 {
            0 => format!("file:{}", 1 + round / 3 % 6),
            1 => format!("{}", 1 + round / 3 % 6),
            _ => format!("{}+", 1 + round / 3 % 6),
        };
        died += u64::from(die_at(&place, "two", &at));
        place.settle(&["two", "one", "two"]);
        place.equal("one", "two");
        assert_eq!(place.files("one").len() as u64, 6 + round + 1, "round {round}: something is doubled or lost");
        assert_eq!(place.read("two/5.txt").unwrap(), format!("file 5 of round {round}"));
    }
    assert!(died >= 40, "only {died} of 50 syncs were killed on their way");
}

/// A kill while a conflict's files are written: the copy is there once, and both edits live.
#[test]
fn in_the_middle_of_a_conflict() {
    for at in ["file:1", "file:2"] {
        let place = Place::with(&["one", "two"]);
        place.write("one/a.txt", "base");
        place.settle(&["one", "two"]);
        place.write("one/a.txt", "theirs");
        place.write("two/a.txt", "mine, longer");
        place.settle(&["one"]);
        assert!(die_at(&place, "two", at), "{at}");
        place.settle(&["two", "one", "two"]);
        place.equal("one", "two");
        let contents: Vec<_> = place.files("one").into_values().collect();
        assert_eq!(contents.len(), 2, "{at}: {:?}", place.files("one").keys());
        assert!(contents.contains(&b"theirs".to_vec()) && contents.contains(&b"mine, longer".to_vec()), "{at}");
    }
}

/// What an interrupted write leaves is never synced, and goes at the next sync.
#[test]
fn temporary_files_are_cleaned_up() {
    let place = Place::with(&["one", "two"]);
    place.write("one/.longshore-tmp-1-2", "half a file");
    place.write("one/a.txt", "a");
    place.settle(&["one", "two"]);
    place.equal("one", "two");
    assert_eq!(place.files("one").len(), 1);
}

//! A sync dies (SIGKILL) at any storage call, or between two files that it writes back. After the next sync nothing is lost,
//! nothing is there twice, and all folders are equal.
//!
//! The child reports the call it dies in, so that the test can prove that the kill came in the middle of a sync. A hundred syncs
//! are to die at a storage call, at places that a seed decides; at least 80 must have. Kills between two files are extra.
//! Another seed: `LONGSHORE_SEED=7 cargo test -p longshore-cli --test killed`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Place;

/// Storage calls that a sync of the push test makes, and of the pull test.
const PUSH_CALLS: u64 = 5;
const PULL_CALLS: u64 = 7;

/// Where a sync died.
#[derive(Debug, PartialEq, Eq)]
enum Died {
    AtCall,
    BetweenFiles,
    Nowhere,
}

/// Syncs, to be killed at this place; without such a place the sync succeeds.
#[track_caller]
fn die_at(place: &Place, device: &str, at: &str) -> Died {
    let ended = place.sync(device, &["--die-at", at]);
    if ended.code.is_some() {
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        return Died::Nowhere;
    }
    assert!(ended.out.starts_with("died: "), "{}", ended.out);
    if ended.out.contains(" the storage call: ") { Died::AtCall } else { Died::BetweenFiles }
}

/// Chooses places by a seed, which is shown if the test fails.
struct Places(u64);

impl Places {
    fn new(test: u64) -> Self {
        let seed: u64 = std::env::var("LONGSHORE_SEED").map_or(1, |text| text.parse().unwrap());
        eprintln!("LONGSHORE_SEED={seed}");
        Self(seed.wrapping_mul(2).wrapping_add(test))
    }

    /// A number below `end`, by `SplitMix64`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Before or after one of a sync's calls; not before the first, when nothing is under way yet.
    fn call(&mut self, calls: u64) -> String {
        let place = 1 + self.below(2 * calls - 1);
        format!("{}{}", 1 + place / 2, if place % 2 == 1 { "+" } else { "" })
    }
}

/// Fifty rounds of a small device day: edits, a new file and a deletion on one side, killed in the push, recovered.
#[test]
fn in_the_middle_of_a_push() {
    let place = Place::with(&["one", "two"]);
    let (mut places, mut died) = (Places::new(0), 0);
    for round in 0_u64..50 {
        place.write("one/edited.txt", format!("edit {round}"));
        place.write(&format!("one/new/{round}.txt"), format!("new {round}"));
        if round > 0 {
            place.remove(&format!("one/new/{}.txt", round - 1));
        }
        died += u64::from(die_at(&place, "one", &places.call(PUSH_CALLS)) == Died::AtCall);
        place.settle(&["one", "two"]);
        place.equal("one", "two");
        assert_eq!(place.files("two").len(), 2, "round {round}");
        assert_eq!(place.read("two/edited.txt").unwrap(), format!("edit {round}"));
    }
    eprintln!("{died} of 50 syncs died at a storage call");
    assert!(died >= 40, "only {died} of 50 syncs died at a storage call");
}

/// Fifty rounds of pulls into a folder that has edits of its own, killed at a storage call, and six killed between two files.
#[test]
fn in_the_middle_of_a_pull() {
    let place = Place::with(&["one", "two"]);
    let (mut places, mut died) = (Places::new(1), 0);
    for round in 0_u64..56 {
        for number in 0..6 {
            place.write(&format!("one/{number}.txt"), format!("file {number} of round {round}"));
        }
        place.write(&format!("two/own/{round}.txt"), format!("own {round}"));
        place.settle(&["one"]);
        match round {
            0..50 => died += u64::from(die_at(&place, "two", &places.call(PULL_CALLS)) == Died::AtCall),
            _ => assert_eq!(die_at(&place, "two", &format!("file:{}", round - 49)), Died::BetweenFiles),
        }
        place.settle(&["two", "one", "two"]);
        place.equal("one", "two");
        assert_eq!(place.files("one").len() as u64, 6 + round + 1, "round {round}: something is doubled or lost");
        assert_eq!(place.read("two/5.txt").unwrap(), format!("file 5 of round {round}"));
    }
    eprintln!("{died} of 50 syncs died at a storage call");
    assert!(died >= 40, "only {died} of 50 syncs died at a storage call");
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
        assert_eq!(die_at(&place, "two", at), Died::BetweenFiles, "{at}");
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

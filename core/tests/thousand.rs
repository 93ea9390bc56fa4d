//! A thousand documents of about 490 bytes: the day on which other tools were measured (see the README). Every step is a process
//! of its own, so each opens the store first. Counted at the storage call, on a store that is initialised.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use longshore_core::{Document, SyncReport};
use support::{Device, Rng, World};

const DOCUMENTS: usize = 1000;

/// Text that compresses about as notes do: words from a list.
fn note(dice: &mut Rng) -> String {
    const WORDS: [&str; 16] = [
        "harbour",
        "crane",
        "rope",
        "tide",
        "anchor",
        "cargo",
        "pilot",
        "quay",
        "ballast",
        "hatch",
        "manifest",
        "mooring",
        "bollard",
        "lighter",
        "stevedore",
        "wharf",
    ];
    let mut text = String::from("{\"text\":\"");
    while text.len() < 486 {
        text += WORDS[dice.below(WORDS.len())];
        text.push(' ');
    }
    text + "\"}"
}

fn edit(device: &Device, dice: &mut Rng, count: usize) {
    let documents = (0..count).map(|n| Document::new(format!("notes/{n:04}"), note(dice)).expect("a short id"));
    device.put_many(documents.collect());
}

/// What a sync by a new process costs.
fn sync(device: &mut Device) -> SyncReport {
    device.restart();
    device.sync()
}

/// The requests of each step.
fn day(timed: bool) -> Vec<(&'static str, u64)> {
    let world = World::new(40, timed);
    let mut dice = Rng::new(41);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.sync();
    let mut steps = Vec::new();
    let mut step = |name: &'static str, report: SyncReport| steps.push((name, report.requests));
    edit(&a, &mut dice, DOCUMENTS);
    step("first push", sync(&mut a));
    step("first sync", sync(&mut b));
    edit(&a, &mut dice, 1);
    step("push 1", sync(&mut a));
    step("pull 1", sync(&mut b));
    edit(&a, &mut dice, 100);
    step("push 100", sync(&mut a));
    step("pull 100", sync(&mut b));
    step("nothing new", sync(&mut b));
    assert_eq!(a.documents(), b.documents());
    assert_eq!(b.documents().len(), DOCUMENTS);
    steps
}

/// The requests of each step as the README's table has them.
fn in_the_readme(line: &str) -> Vec<u64> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let cells = readme.lines().find_map(|row| row.strip_prefix(line)).expect("the row is there");
    cells.split('|').filter_map(|cell| cell.trim().parse().ok()).collect()
}

fn requests(day: &[(&'static str, u64)]) -> Vec<u64> {
    day.iter().map(|(_, requests)| *requests).collect()
}

#[test]
fn a_thousand_documents_where_replies_carry_the_time() {
    let expected = [
        ("first push", 4),
        ("first sync", 4),
        ("push 1", 4),
        ("pull 1", 5),
        ("push 100", 4),
        ("pull 100", 5),
        ("nothing new", 3),
    ];
    assert_eq!(day(true), expected);
    assert_eq!(requests(&expected), in_the_readme("| longshore, times in replies |"));
}

#[test]
fn a_thousand_documents_where_replies_carry_no_time() {
    let expected = [
        ("first push", 6),
        ("first sync", 4),
        ("push 1", 6),
        ("pull 1", 6),
        ("push 100", 6),
        ("pull 100", 6),
        ("nothing new", 4),
    ];
    assert_eq!(day(false), expected);
    assert_eq!(requests(&expected), in_the_readme("| longshore, no times |"));
}

//! Segments: with all rules on, nothing that a client may come upon is ever gone; without one, something is.

mod support;

use longshore_model::garbage::{Budget, Config, Rules};
use support::{breaks, full, holds};

/// No removal needs more states.
const LIMIT: usize = 3_000_000;

/// The rules removed together, where it is tried.
type Removal = (&'static [&'static str], Config);

/// Rules that can be removed alone without a counterexample within the bounds, and why.
const COVERED: &[(&str, &str)] = &[
    (
        "newest_snapshot_is_a_root",
        "the entry of its first step lies above it, so above the floor, and names the same segments",
    ),
    (
        "old_segments_are_chosen_again",
        "what the last snapshot entry names stays a root: the two rules about newer entries and about the head suffice",
    ),
];

fn bounds(who: [usize; 4], times: [u8; 5]) -> Config {
    let [writing, collectors, compactors, readers] = who;
    let [ticks, commits, collections, snapshots, reads] = times;
    let budget = Budget { ticks, writes: commits, collections, snapshots, reads };
    Config { budget, writers: writing, collectors, compactors, readers, ..Config::default() }
}

#[test]
fn writers_and_collectors() {
    holds("2 writers, 1 collector", &bounds([2, 1, 0, 0], [0, 3, 2, 0, 0]), 150_000);
    holds("1 writer, 2 collectors", &bounds([1, 2, 0, 0], [0, 2, 2, 0, 0]), 4_000);
}

#[test]
fn a_writer_beside_everything() {
    holds("writer, collector, compactor", &bounds([1, 1, 1, 0], [2, 1, 1, 2, 0]), 100_000);
    holds("writer, collector, compactor, reader", &bounds([1, 1, 1, 1], [2, 1, 1, 1, 1]), 50_000);
}

#[test]
fn compactors_and_readers() {
    holds("2 compactors, collector", &bounds([1, 1, 2, 0], [1, 1, 1, 2, 0]), 450_000);
    holds("collector, compactor, reader", &bounds([1, 1, 1, 1], [2, 1, 1, 2, 1]), 1_000_000);
    let old = bounds([0, 1, 2, 0], [2, 0, 1, 2, 0]);
    holds("2 compactors that may name old segments", &Config { incremental: true, ..old }, 900_000);
}

#[test]
fn larger_bounds() {
    if full() {
        holds("2 compactors, collector, time", &bounds([1, 1, 2, 0], [2, 1, 1, 2, 0]), 2_000_000);
    }
}

fn removals() -> Vec<Removal> {
    let plain = bounds([1, 1, 0, 0], [0, 1, 1, 0, 0]);
    let snapshots = bounds([1, 1, 1, 0], [2, 1, 1, 2, 0]);
    let read = bounds([1, 1, 1, 1], [2, 1, 1, 2, 1]);
    let two = bounds([1, 0, 2, 0], [2, 2, 0, 2, 0]);
    let old = Config { incremental: true, ..bounds([0, 1, 2, 0], [2, 0, 1, 2, 0]) };
    vec![
        (&["upload_again_after_collect"], plain),
        (&["new_name_after_collect"], plain),
        (&["collect_entry_first"], plain),
        (&["roots_read_after_the_entry"], plain),
        (&["base_below_the_collect"], plain),
        (&["entries_are_roots"], plain),
        (&["newest_snapshot_is_a_root"], snapshots),
        (&["superseded_snapshots_are_roots"], snapshots),
        (&["age_from_supersession"], snapshots),
        (&["snapshots_obey_collects"], snapshots),
        (&["old_segments_are_chosen_again"], old),
        (&["newest_entry_is_chosen_from"], old),
        (&["roots_reach_to_the_head"], old),
        (&["snapshot_entry_first"], snapshots),
        (&["publish_before_trim"], snapshots),
        (&["newest_is_highest"], two),
        (&["first_sync_starts_over"], read),
        (&["pull_takes_the_snapshot"], read),
    ]
}

#[test]
fn each_rule_is_needed() {
    let mut wrong = Vec::new();
    for (removed, config) in removals() {
        let found = breaks(removed, &Config { rules: Rules::without(removed), ..config }, LIMIT);
        let covered = COVERED.iter().any(|(name, _)| removed == [*name]);
        if found != Some("I8").filter(|_| !covered) {
            wrong.push(format!("without {removed:?}: {found:?} is broken"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_was_removed() {
    for name in Rules::NAMES {
        assert!(removals().iter().any(|(removed, _)| removed.contains(name)), "no test removes {name}");
    }
}

//! The rules of the log are taken away, one by one. What is left must go wrong, and how is told.

mod support;

use longshore_model::log::{Budget, Config, Rules, Scene};
use support::breaks;

/// No removal needs more states.
const LIMIT: usize = 4_000_000;

const NONE: Budget = Budget {
    ticks: 0,
    edits: 0,
    crashes: 0,
    lost: 0,
    late: 0,
    clones: 0,
    restores: 0,
    rollbacks: 0,
    replacements: 0,
    snapshots: 0,
    jumps: 0,
};

/// The rules removed together, where it is tried, and the invariant that is broken.
type Removal = (&'static [&'static str], Config, &'static str);

/// Rules that can be removed alone without a counterexample within the bounds, and why.
const COVERED: &[(&str, &str)] = &[
    (
        "snapshot_hash_at_open",
        "the snapshot's own entry lies above it, is not trimmed, and does not name the known hash: the pull refuses the store",
    ),
    (
        "floor_before_chain_error",
        "an entry that counts lies above the floor, and such an entry names the hash of the one before",
    ),
    (
        "open_attempt_first",
        "a sync that ends in doubt ends its session, and the next one settles the attempt before it makes another",
    ),
    (
        "doubtful_rows_become_conflicts",
        "the snapshot shows the row's document either equal to it, and it is dropped, or changed since, and that is a conflict",
    ),
];

fn one(budget: Budget) -> Config {
    Config { budget, ..Config::default() }
}

fn two(budget: Budget) -> Config {
    Config { clients: 2, ..one(budget) }
}

fn shared(config: Config) -> Config {
    Config { shared: true, ..config }
}

fn scene(scene: Scene) -> Config {
    Config { scene, compactors: 1, ..two(Budget { ticks: 2, snapshots: 1, ..NONE }) }
}

/// With a compactor and its snapshot.
fn compacts(config: Config) -> Config {
    Config { compactors: 1, budget: Budget { snapshots: 1, ..config.budget }, ..config }
}

/// And a retention, so that it trims.
fn trims(config: Config) -> Config {
    let budget = Budget { ticks: 2, snapshots: 1, ..config.budget };
    Config { compactors: 1, budget, ..config }
}

/// A store that was rolled back grows again.
fn regrown(config: Config) -> Config {
    Config { budget: Budget { edits: 1, ..config.budget }, ..config }
}

fn opening() -> Vec<Removal> {
    let rollback = two(Budget { edits: 2, rollbacks: 1, ..NONE });
    vec![
        (&["store_id"], two(Budget { edits: 1, replacements: 1, ..NONE }), "I10"),
        (&["checkpoint_hash"], rollback, "I10"),
        (&["missing_checkpoint_is_an_error"], rollback, "I10"),
        (&["floor_before_another_hash"], trims(two(Budget { edits: 2, ..NONE })), "I10"),
        (&["snapshot_hash_at_open"], regrown(scene(Scene::RolledBackReader)), "I10"),
        (&["kept_hashes_agree"], regrown(scene(Scene::RolledBackReader)), "I10"),
        (&["snapshot_lists_my_attempt"], Config { kept_every: 2, ..regrown(scene(Scene::RolledBackWriter)) }, "I10"),
    ]
}

fn floor() -> Vec<Removal> {
    let ahead = Config { ahead: true, ..trims(two(Budget { edits: 1, ..NONE })) };
    let superseded = shared(trims(two(Budget { edits: 2, lost: 1, ..NONE })));
    let jumps = |seen| Config { jumps_are_seen: seen, ..scene(Scene::Staged) };
    let jumping = |config: Config| Config { budget: Budget { jumps: 1, ..config.budget }, ..config };
    vec![
        (&["head_time"], trims(two(Budget { edits: 1, ..NONE })), "I2"),
        (&["floor_check_of_found_entry"], scene(Scene::Stranger), "I6"),
        (&["floor_read_after_the_reply"], ahead, "I2"),
        (&["bytes_before_the_floor_read"], scene(Scene::InFlight), "I6"),
        (&["each_reply_has_its_own_time"], ahead, "I2"),
        (&["floor_check_after_late_reply"], trims(two(Budget { edits: 2, ..NONE })), "I2"),
        (&["floor_check_after_late_read_back"], trims(two(Budget { edits: 2, lost: 1, ..NONE })), "I2"),
        (&["snapshot_decides_below_the_floor"], superseded, "I4"),
        (&["floor_before_chain_error"], scene(Scene::InFlight), "I10"),
        (&["age_from_reading"], scene(Scene::Staged), "I2"),
        (&["clocks_agree"], jumping(jumps(false)), "I2"),
        (&["head_time_needs_agreeing_clocks"], jumping(jumps(true)), "I2"),
        (&["snapshot_read_back"], trims(one(Budget { edits: 1, lost: 1, ..NONE })), "I8"),
    ]
}

fn committing() -> Vec<Removal> {
    let doubt = shared(one(Budget { edits: 2, lost: 1, late: 1, crashes: 1, ..NONE }));
    let race = two(Budget { edits: 2, lost: 1, late: 1, ..NONE });
    let copy = one(Budget { edits: 2, clones: 1, lost: 1, ..NONE });
    let restored = one(Budget { edits: 2, restores: 1, lost: 1, ..NONE });
    vec![
        (&["journal_before_send"], doubt, "I4"),
        (&["read_back_after_exists"], race, "I2"),
        (&["exists_may_be_mine"], doubt, "I4"),
        (&["same_bytes"], doubt, "I4"),
        (&["same_number"], race, "I6"),
        (&["open_attempt_first"], two(Budget { edits: 2, lost: 1, late: 1, crashes: 1, ..NONE }), "I3"),
        (&["given_up_only_if_not_written"], shared(one(Budget { edits: 3, lost: 1, ..NONE })), "I4"),
        (&["rows_of_the_attempt"], one(Budget { edits: 2, ..NONE }), "I4"),
        (&["one_transaction"], one(Budget { edits: 1, crashes: 1, ..NONE }), "I3"),
        (&["hash_identity"], copy, "I2"),
        (&["new_id_for_a_clone"], trims(one(Budget { edits: 2, clones: 1, ..NONE })), "I10"),
        (&["equal_rows_are_dropped"], copy, "I3"),
        (&["earlier_rows_are_dropped_too"], compacts(shared(copy)), "I4"),
        (&["snapshot_lists_attempts"], shared(trims(two(Budget { edits: 2, lost: 1, ..NONE }))), "I4"),
        (&["snapshot_lists_hashes"], scene(Scene::Copies), "I2"),
        (&["doubtful_rows_become_conflicts"], shared(trims(restored)), "I3"),
        (&["conflicts_are_told"], shared(two(Budget { edits: 2, ..NONE })), "I4"),
        (&["conflict_blocks_push"], shared(two(Budget { edits: 2, ..NONE })), "I4"),
    ]
}

#[test]
fn each_rule_of_opening_is_needed() {
    judge(opening());
}

#[test]
fn each_rule_of_the_floor_is_needed() {
    judge(floor());
}

#[test]
fn each_rule_of_committing_is_needed() {
    judge(committing());
}

#[test]
fn every_rule_was_removed() {
    let all: Vec<Removal> = opening().into_iter().chain(floor()).chain(committing()).collect();
    for name in Rules::NAMES {
        assert!(all.iter().any(|(removed, ..)| removed.contains(name)), "no test removes {name}");
    }
}

fn judge(removals: Vec<Removal>) {
    let mut wrong = Vec::new();
    for (removed, config, expected) in removals {
        let found = breaks(removed, &Config { rules: Rules::without(removed), ..config }, LIMIT);
        let covered = COVERED.iter().any(|(name, _)| removed == [*name]);
        let expected = Some(expected).filter(|_| !covered);
        if found != expected {
            wrong.push(format!("without {removed:?}: {found:?} is broken, {expected:?} was expected"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

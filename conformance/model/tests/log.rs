//! The log with all rules on: within the bounds, no interleaving loses a change, doubles one, or lets two replicas differ.

mod support;

use longshore_model::log::{Budget, Config, Scene};
use support::{full, holds};

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

fn one(budget: Budget) -> Config {
    Config { budget, ..Config::default() }
}

fn two(budget: Budget) -> Config {
    Config { clients: 2, ..one(budget) }
}

fn three(budget: Budget) -> Config {
    Config { clients: 3, ..one(budget) }
}

/// With a compactor, its snapshot and a retention.
fn trims(config: Config) -> Config {
    Config { compactors: 1, budget: Budget { ticks: 2, snapshots: 1, ..config.budget }, ..config }
}

/// With all changes of one document.
fn shared(config: Config) -> Config {
    Config { shared: true, ..config }
}

fn scene(scene: Scene) -> Config {
    Config { scene, ..trims(two(NONE)) }
}

#[test]
fn replies_are_lost_and_processes_die() {
    let faults = Budget { edits: 2, lost: 2, late: 1, crashes: 1, ..NONE };
    holds("2 replicas: 2 unknown, late, crash", &two(faults), 30_000);
    holds("3 replicas: unknown, late", &three(Budget { edits: 2, lost: 1, late: 1, ..NONE }), 150_000);
}

#[test]
fn the_log_is_trimmed() {
    let faults = Budget { edits: 2, lost: 1, late: 1, crashes: 1, ..NONE };
    holds("1 replica, trimming: unknown, late, crash", &trims(one(faults)), 50_000);
    holds("2 replicas, trimming: 2 changes", &trims(two(Budget { edits: 2, ..NONE })), 500_000);
    holds("2 replicas, trimming: unknown, late", &trims(two(Budget { edits: 1, lost: 1, late: 1, ..NONE })), 200_000);
    let two_of_them = trims(one(Budget { edits: 1, lost: 1, late: 1, ..NONE }));
    let budget = Budget { snapshots: 2, ..two_of_them.budget };
    holds("2 compactors: unknown, late", &Config { compactors: 2, budget, ..two_of_them }, 10_000);
}

#[test]
fn requests_of_one_pull_overlap() {
    let ahead = Config { ahead: true, ..trims(two(Budget { edits: 1, ..NONE })) };
    holds("2 replicas, trimming, reading ahead", &ahead, 500_000);
}

#[test]
fn old_attempts_land_where_the_log_was_trimmed() {
    holds("own attempt in flight", &scene(Scene::InFlight), 500_000);
    holds("a stranger's attempt in flight", &scene(Scene::Stranger), 200_000);
    holds("about to create, trimmed in any order", &Config { any_order: true, ..scene(Scene::Staged) }, 200_000);
}

#[test]
fn replicas_are_copied_and_restored() {
    holds(
        "clone: unknown, late, crash",
        &one(Budget { edits: 2, clones: 1, lost: 1, late: 1, crashes: 1, ..NONE }),
        25_000,
    );
    holds("backup: unknown, late", &one(Budget { edits: 3, restores: 1, lost: 1, late: 1, ..NONE }), 9_000);
    holds("backup, trimming", &trims(one(Budget { edits: 2, restores: 1, ..NONE })), 80_000);
    holds("clone, trimming", &trims(one(Budget { edits: 2, clones: 1, ..NONE })), 800_000);
    holds("two copies, one with an attempt", &scene(Scene::Copies), 80_000);
}

#[test]
fn changes_of_one_document_conflict() {
    let faults = Budget { edits: 3, lost: 1, late: 1, crashes: 1, ..NONE };
    holds("conflicts: unknown, late, crash", &shared(two(faults)), 100_000);
    holds("conflicts, trimming", &shared(trims(two(Budget { edits: 2, ..NONE }))), 500_000);
    holds("conflicts, clone", &shared(one(Budget { edits: 3, clones: 1, lost: 1, ..NONE })), 25_000);
    holds(
        "conflicts, backup, trimming",
        &shared(trims(one(Budget { edits: 2, restores: 1, lost: 1, ..NONE }))),
        200_000,
    );
}

#[test]
fn conflicts_between_copies() {
    holds("conflicts, clone, trimming", &shared(trims(one(Budget { edits: 2, clones: 1, ..NONE }))), 1_000_000);
}

#[test]
fn stores_are_replaced() {
    let replaced = Budget { edits: 2, rollbacks: 1, replacements: 1, lost: 1, ..NONE };
    holds("rolled back, replaced: unknown", &two(replaced), 100_000);
    holds("rolled back, trimming", &trims(two(Budget { edits: 1, rollbacks: 1, ..NONE })), 200_000);
    for kept_every in [1, 2] {
        let regrown = |config: Config| Config { kept_every, budget: Budget { edits: 1, ..config.budget }, ..config };
        let reader = regrown(scene(Scene::RolledBackReader));
        holds(&format!("rolled back under a reader, every {kept_every}. hash kept"), &reader, 1_000);
        let writer = regrown(scene(Scene::RolledBackWriter));
        holds(&format!("rolled back under a writer, every {kept_every}. hash kept"), &writer, 1_000);
    }
}

#[test]
fn the_servers_clock_jumps() {
    let jumps = scene(Scene::Staged);
    let jumps = Config { budget: Budget { jumps: 1, ..jumps.budget }, ..jumps };
    holds("a clock that jumps under the trimmer", &jumps, 500_000);
    let seen = Config { jumps_are_seen: true, ..jumps };
    holds("a clock that jumps under everybody", &seen, 500_000);
}

#[test]
fn larger_bounds() {
    if full() {
        let faults = Budget { edits: 2, lost: 1, late: 1, ..NONE };
        holds("2 replicas, trimming: 2 changes, unknown, late", &trims(two(faults)), 4_000_000);
    }
}

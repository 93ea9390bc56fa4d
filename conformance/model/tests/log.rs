//! probe
mod support;
use longshore_model::check;
use longshore_model::log::*;
#[test]
fn probe() {
    for (name, config) in [
        ("rollback trim", Config { clients: 2, compactors: 1, budget: Budget { edits: 2, rollbacks: 1, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("rollback trim shared", Config { clients: 2, compactors: 1, shared: true, budget: Budget { edits: 1, rollbacks: 1, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("rollback replace", Config { clients: 2, budget: Budget { edits: 2, rollbacks: 1,replacements: 1, lost: 1, ..Budget::default() }, ..Config::default() }),
        ("shared trim", Config { clients: 2, compactors: 1, shared: true, budget: Budget { edits: 2, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("shared trim unk", Config { clients: 1, compactors: 1, shared: true, budget: Budget { edits: 2, ticks: 2, snapshots: 1, lost: 1, late: 1, crashes: 1, ..Budget::default() }, ..Config::default() }),
        ("shared clone", Config { clients: 1, shared: true, budget: Budget { edits: 3, clones: 1, lost: 1, ..Budget::default() }, ..Config::default() }),
        ("shared clone trim", Config { clients: 1, compactors: 1, shared: true, budget: Budget { edits: 2, clones: 1, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("shared restore trim", Config { clients: 1, compactors: 1, shared: true, budget: Budget { edits: 2, restores: 1, ticks: 2, snapshots: 1, lost: 1, ..Budget::default() }, ..Config::default() }),
        ("ahead", Config { clients: 2, compactors: 1, ahead: true, budget: Budget { edits: 1, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("zombie", Config { clients: 2, compactors: 1, scene: Scene::InFlight, budget: Budget { ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("stranger", Config { clients: 2, compactors: 1, scene: Scene::Stranger, budget: Budget { ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("staged", Config { clients: 2, compactors: 1, scene: Scene::Staged, any_order: true, budget: Budget { ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("copies", Config { clients: 2, compactors: 1, scene: Scene::Copies, budget: Budget { ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("2 compactors", Config { clients: 1, compactors: 2, budget: Budget { edits: 2, ticks: 2, snapshots: 2, lost: 1, late: 1, ..Budget::default() }, ..Config::default() }),
        ("3 clients", Config { clients: 3, budget: Budget { edits: 2, lost: 1, late: 1, ..Budget::default() }, ..Config::default() }),
        ("jumps", Config { clients: 2, compactors: 1, scene: Scene::Staged, budget: Budget { jumps: 1, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
        ("jumps seen", Config { clients: 2, compactors: 1, jumps_are_seen: true, scene: Scene::Staged, budget: Budget { jumps: 1, ticks: 2, snapshots: 1, ..Budget::default() }, ..Config::default() }),
    ] {
        let t1 = std::time::Instant::now();
        let o = check(&config, 3_000_000);
        println!("{name}: {} states depth {} exhausted {} {:?}", o.states, o.depth, o.exhausted, t1.elapsed());
        if let Some(c) = o.counterexample { println!("{c}"); }
    }
}

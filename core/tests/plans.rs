//! A user looks at what a sync would do, and agrees. Then exactly that happens, or nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use longshore_core::{Effect, ErrorKind, Plan, Planned};
use support::{Device, Fault, World, verdict};

fn plan(world: &World, device: &Device) -> Plan {
    world.sim.run(device.new_client(false).plan(), || false).unwrap().unwrap()
}

fn effects(planned: &[Planned]) -> Vec<(&str, Effect)> {
    planned.iter().map(|planned| (planned.id.as_str(), planned.effect)).collect()
}

fn diverged() -> (World, Device, Device) {
    let world = World::new(30, true);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    for id in ["edit", "delete", "both", "same", "mine"] {
        a.put(id, &format!("base of {id}"));
    }
    a.sync();
    b.sync();
    a.put("edit", "edited");
    a.delete("delete");
    a.put("new", "created");
    a.put("both", "by a");
    a.put("same", "equal");
    a.sync();
    b.put("both", "by b");
    b.put("same", "equal");
    b.put("mine", "edited here");
    b.put("fresh", "created here");
    b.restart();
    (world, a, b)
}

#[test]
fn a_plan_tells_every_effect_and_changes_nothing() {
    let (world, _, b) = diverged();
    let (documents, objects) = (b.documents(), world.storage.objects());
    let plan = plan(&world, &b);
    assert_eq!(effects(&plan.pull), [("delete", Effect::Delete), ("edit", Effect::Update), ("new", Effect::Create)]);
    assert_eq!(effects(&plan.push), [("mine", Effect::Update), ("fresh", Effect::Create)]);
    assert_eq!(plan.conflicts.iter().map(longshore_core::DocumentId::as_str).collect::<Vec<_>>(), ["both"]);
    assert_eq!((b.documents(), world.storage.objects()), (documents, objects));
}

#[test]
fn what_was_agreed_happens() {
    let (world, mut a, mut b) = diverged();
    let plan = plan(&world, &b);
    let report = world.sim.run(b.new_client(true).sync_planned(&plan), || false).unwrap().unwrap();
    assert_eq!(report.pulled, plan.pull.len() as u64);
    assert_eq!(report.pushed, plan.push.len() as u64);
    // The merged answer to the conflict is a change of its own, which nobody agreed to yet.
    assert_eq!(b.sync().pushed, plan.conflicts.len() as u64);
    a.sync();
    verdict::sound(&world, &[&a, &b]);
}

#[test]
fn an_outdated_plan_changes_nothing() {
    let moves: [fn(&mut Device, &mut Device); 2] = [
        |a, _| {
            a.put("later", "committed");
            a.sync();
        },
        |_, b| b.put("later", "written here"),
    ];
    for outdate in moves {
        let (world, mut a, mut b) = diverged();
        let plan = plan(&world, &b);
        outdate(&mut a, &mut b);
        let (documents, objects) = (b.documents(), world.storage.objects());
        let error = world.sim.run(b.new_client(true).sync_planned(&plan), || false).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_eq!((b.documents(), world.storage.objects()), (documents, objects));
    }
}

/// A plan to join, or one for an outbox that has moved, is no leave to initialise what was not there.
#[test]
fn an_outdated_plan_initialises_nothing() {
    let (world, _, _) = diverged();
    let newcomer = world.device("c");
    let to_join = plan(&world, &newcomer);
    world.storage.set_objects(std::collections::BTreeMap::new());
    let for_another_outbox = plan(&world, &newcomer);
    for (plan, writes) in [(to_join, false), (for_another_outbox, true)] {
        if writes {
            newcomer.put("later", "written here");
        }
        let error = world.sim.run(newcomer.new_client(true).sync_planned(&plan), || false).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(world.storage.objects().is_empty());
    }
}

#[test]
fn a_plan_for_a_new_store_initialises_nothing() {
    let world = World::new(31, true);
    let a = world.device("a");
    a.put("doc", "1");
    let plan = plan(&world, &a);
    assert!(plan.initialize && plan.push.len() == 1);
    assert!(world.storage.objects().is_empty());
    world.sim.run(a.new_client(true).sync_planned(&plan), || false).unwrap().unwrap();
    verdict::sound(&world, &[&a]);
}

/// The app goes on writing while the agreed sync runs: that was not agreed to.
#[test]
fn what_is_written_during_an_agreed_sync_waits_for_the_next() {
    let (world, _, b) = diverged();
    let plan = plan(&world, &b);
    let (client, start) = (b.new_client(true), b.storage.calls());
    let mut wrote = false;
    let sync = world.sim.run(client.sync_planned(&plan), || {
        if !wrote && b.storage.calls() > start + 4 {
            wrote = true;
            b.put("meanwhile", "not planned");
        }
        false
    });
    let report = sync.unwrap().unwrap();
    assert!(wrote);
    assert_eq!(report.pushed, plan.push.len() as u64);
    assert!(!verdict::log(&world).iter().any(|change| change.id.as_str() == "meanwhile"));
}

/// The plan and the sync that follows it say the same.
fn agree(world: &World, device: &Device, plan: &Plan) {
    let report = world.sim.run(device.new_client(false).sync_planned(plan), || false).unwrap().unwrap();
    assert_eq!((report.pulled, report.unresolved), (plan.pull.len() as u64, plan.conflicts.len() as u64));
    assert_eq!(report.pushed, plan.push.len() as u64);
}

/// The device died when its push had just landed: that is committed, and what the app wrote since is not.
#[test]
fn what_already_landed_is_not_planned_again() {
    let world = World::new(32, true);
    let mut a = world.device("a");
    a.put("first", "0");
    a.sync();
    a.put("done", "1");
    a.put("edited", "1");
    a.arm(a.storage.calls() + 1, Fault::DieAfter);
    assert!(a.try_sync().is_none());
    assert_eq!(verdict::log(&world).len(), 3, "it landed");
    a.restart();
    let nothing = plan(&world, &a);
    assert!(nothing.is_empty(), "{nothing:?}");
    a.put("edited", "2");
    a.put("fresh", "2");
    let some = plan(&world, &a);
    assert_eq!(effects(&some.push), [("edited", Effect::Update), ("fresh", Effect::Create)]);
    assert!(some.pull.is_empty() && some.conflicts.is_empty(), "{some:?}");
    a.sync();
    verdict::sound(&world, &[&a]);
    assert_eq!(verdict::log(&world).len(), 5, "what was planned was pushed");
}

/// Another device edits what just landed, too: it meets the rows that are left, not those that are committed.
#[test]
fn what_others_wrote_over_a_landed_push_is_pulled() {
    let world = World::new(33, true);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.put("doc", "0");
    a.sync();
    a.put("doc", "1");
    a.arm(a.storage.calls() + 1, Fault::DieAfter);
    assert!(a.try_sync().is_none());
    b.sync();
    b.put("doc", "2");
    b.sync();
    a.restart();
    let plan = plan(&world, &a);
    assert_eq!(effects(&plan.pull), [("doc", Effect::Update)]);
    assert!(plan.push.is_empty() && plan.conflicts.is_empty(), "{plan:?}");
    assert_eq!(a.sync().pulled, 1);
    verdict::sound(&world, &[&a, &b]);
}

/// The same edit made twice, and another one behind it: nothing is left to push.
#[test]
fn a_settled_row_is_not_planned_though_its_document_changes_again() {
    let world = World::new(34, true);
    let (mut a, b) = (world.device("a"), world.device("b"));
    for body in ["same", "next"] {
        a.put("doc", body);
        a.sync();
    }
    b.put("doc", "same");
    let plan = plan(&world, &b);
    assert_eq!(effects(&plan.pull), [("doc", Effect::Update)]);
    assert!(plan.push.is_empty() && plan.conflicts.is_empty(), "{plan:?}");
    agree(&world, &b, &plan);
}

/// A recorded conflict goes when somebody commits what was pending here; the edit behind it is pushed.
#[test]
fn a_recorded_conflict_that_will_be_settled_is_none() {
    let world = World::new(35, true);
    let (mut a, b) = (world.device("a"), world.device("b"));
    b.put("doc", "mine");
    a.put("doc", "theirs");
    a.sync();
    let report = world.sim.run(b.new_client(false).sync(), || false).unwrap().unwrap();
    assert_eq!(report.unresolved, 1);
    b.put("doc", "mine again");
    b.put("other", "1");
    a.put("doc", "mine");
    a.sync();
    let plan = plan(&world, &b);
    assert_eq!(effects(&plan.push), [("doc", Effect::Update), ("other", Effect::Create)]);
    assert!(plan.pull.is_empty() && plan.conflicts.is_empty(), "{plan:?}");
    agree(&world, &b, &plan);
}

/// An entry is lost, as in a bad copy of the store. Its number must not be taken for the head: a sync that does what such a plan says
/// would commit below entries that others have.
#[test]
fn a_hole_in_the_log_is_no_head() {
    for (known, lost) in [(0, 1), (1, 3)] {
        let world = World::new(31, true);
        let (mut a, mut n) = (world.device("a"), world.device("n"));
        for entry in 1..=5 {
            a.put("doc", &format!("edit {entry}"));
            a.sync();
            if entry == known {
                n.sync();
            }
        }
        let mut objects = world.storage.objects();
        objects
            .retain(|key, _| !key.as_str().ends_with(&format!("/{lost:016}/data")) || !key.as_str().contains("/log/"));
        world.storage.set_objects(objects);
        n.put("mine", "z");
        n.restart();
        let error = world.sim.run(n.new_client(false).plan(), || false).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&*format!("entry {lost}"))), "{error}");
    }
}

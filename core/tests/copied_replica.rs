//! A phone restored from a backup, a laptop's folder copied to a new laptop: two devices under one name, which elsewhere overwrite
//! each other for ever. Here the copy notices, takes a new name, and nothing is lost or doubled.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use longshore_core::LockPolicy;
use support::{Device, Fault, World, verdict};

fn copy_of(world: &World, device: &Device) -> Device {
    world.device_on("copy", device.replica.fork())
}

#[test]
fn a_copied_replica_takes_a_new_name() {
    let world = World::new(20, true);
    let mut original = world.device("a");
    original.put("doc", "1");
    original.sync();
    let mut copy = copy_of(&world, &original);
    original.put("one", "original's");
    copy.put("two", "copy's");
    original.sync();
    assert!(copy.sync().cloned, "it met its own name with an entry it never wrote");
    original.sync();
    verdict::sound(&world, &[&original, &copy]);
    let writers = verdict::writers(&world);
    assert_eq!(writers[0], writers[1], "the original keeps its name");
    assert_ne!(writers[1], writers[2], "the copy has another");
}

/// Both have the same change in the outbox; one of them is faster.
#[test]
fn a_pending_change_that_was_copied_is_committed_once() {
    let world = World::new(21, true);
    let mut original = world.device("a");
    original.put("doc", "1");
    original.sync();
    original.put("doc", "2");
    let mut copy = copy_of(&world, &original);
    assert_eq!(original.sync().pushed, 1);
    assert_eq!(copy.sync().pushed, 0, "an equal change is not pushed again");
    verdict::sound(&world, &[&original, &copy]);
}

/// Even an open attempt is copied: both send the same bytes to the same number.
#[test]
fn an_open_attempt_that_was_copied_is_committed_once() {
    for fault in [Fault::DieBefore, Fault::DieAfter, Fault::Late] {
        let world = World::new(22, true);
        let mut original = world.device("a");
        original.put("doc", "1");
        original.sync();
        original.put("doc", "2");
        // After the poll comes the create.
        original.arm(original.storage.calls() + 1, fault);
        drop(original.try_sync());
        original.restart();
        let mut copy = copy_of(&world, &original);
        copy.sync();
        original.sync();
        original.storage.land();
        copy.sync();
        original.sync();
        verdict::sound(&world, &[&original, &copy]);
    }
}

#[test]
fn a_replica_restored_from_an_old_backup_catches_up() {
    for policy in [LockPolicy::Contended, LockPolicy::Always] {
        let world = World::new(23, true);
        let mut device = world.device("a");
        device.policy = policy;
        device.put("doc", "1");
        device.put("pending at the backup", "p");
        let backup = device.replica.fork();
        device.sync();
        device.put("doc", "2");
        device.delete("pending at the backup");
        device.sync();
        let mut restored = world.device_on("a", backup);
        restored.policy = policy;
        let report = restored.sync();
        assert_eq!((report.pushed, report.conflicts), (0, 0), "what it had pending was committed long ago");
        assert!(restored.get("pending at the backup").is_none(), "the later deletion counts");
        restored.put("doc", "3");
        restored.sync();
        verdict::in_step(&world, &[&restored]);
        verdict::committed_once(&world);
    }
}

//! The power fails between any two file operations, and the disk comes back with all, none or some of what was not synced.
//! An acknowledged write is there whole, an unacknowledged one whole or not at all, and the next writer can go on (I1, I2).

use super::model::{Fault, How, ModelDisk};
use super::scenario::{DAY, Promises, Step, assert_usable, breach, fates, read, run, run_and_die};
use crate::store::Store;

fn day() -> ModelDisk {
    let disk = ModelDisk::new();
    run(&Store::new(disk.clone()), DAY, &mut Promises::default()).unwrap();
    disk
}

fn dies_after(steps: usize) -> ModelDisk {
    ModelDisk::new().with_fault(Fault { after: steps, how: How::Die })
}

#[test]
fn cut_at_every_step() {
    for cut in 0..=day().steps() {
        let disk = dies_after(cut);
        let promises = run_and_die(&Store::new(disk.clone()), DAY);
        for fate in fates() {
            let after = disk.after_power_loss(fate);
            assert_eq!(breach(&after, &promises), None, "cut after step {cut}, {fate:?}");
            assert_usable(&after);
        }
    }
}

#[test]
fn a_killed_process_alone_loses_nothing_it_did() {
    for cut in 0..=day().steps() {
        let disk = dies_after(cut);
        let promises = run_and_die(&Store::new(disk.clone()), DAY);
        let after = disk.after_death();
        assert_eq!(breach(&after, &promises), None, "killed after step {cut}");
        assert_usable(&after);
    }
}

/// Folders that a first writer made and had no time to sync are not taken for lasting by the second.
#[test]
fn what_another_left_unsynced_does_not_undo_an_acknowledged_write() {
    let first = [Step::Create("log/0/1/data"), Step::Put("segments/0/a")];
    let second = [Step::Create("log/0/2/data"), Step::Put("segments/0/b")];
    for cut in 0..60 {
        let disk = dies_after(cut);
        run_and_die(&Store::new(disk.clone()), &first);
        let disk = disk.after_death();
        let mut promises = Promises::default();
        run(&Store::new(disk.clone()), &second, &mut promises).unwrap();
        for fate in fates() {
            assert_eq!(breach(&disk.after_power_loss(fate), &promises), None, "cut after step {cut}, {fate:?}");
        }
    }
}

/// The model would notice: with any one sync of a first `create`, `put` or `delete` left out, some cut breaks a promise.
#[test]
fn no_sync_can_be_left_out() {
    let days: [&[Step]; 4] = [
        &[Step::Create("log/0/1/data")],
        &[Step::Put("segments/0/a")],
        &[Step::Create("log/0/1/data"), Step::Delete("log/0/1/data")],
        &[Step::Put("segments/0/a"), Step::Delete("segments/0/a")],
    ];
    for day in days {
        let whole = ModelDisk::new();
        run(&Store::new(whole.clone()), day, &mut Promises::default()).unwrap();
        let first = if day.len() == 1 { 0 } else { whole.syncs() - 1 };
        for left_out in first..whole.syncs() {
            assert!(breaks_without(day, left_out), "sync {left_out} of {day:?} does nothing");
        }
    }
}

fn breaks_without(day: &[Step], left_out: usize) -> bool {
    let disk = ModelDisk::new().with_ignored_sync(left_out);
    let mut promises = Promises::default();
    run(&Store::new(disk.clone()), day, &mut promises).unwrap();
    fates().any(|fate| breach(&disk.after_power_loss(fate), &promises).is_some())
}

/// Where a folder cannot be renamed away, a tombstone keeps it from ever being empty.
#[test]
fn deletion_without_renames_is_cut_at_every_step() {
    let day = [Step::Create("log/0/1/data"), Step::Delete("log/0/1/data"), Step::Delete("log/0/1/data")];
    for cut in 0..60 {
        let disk = dies_after(cut).without_moves();
        let promises = run_and_die(&Store::new(disk.clone()), &day);
        for fate in fates() {
            let after = disk.after_power_loss(fate);
            assert_eq!(breach(&after, &promises), None, "cut after step {cut}, {fate:?}");
        }
    }
    let disk = ModelDisk::new().without_moves();
    let store = Store::new(disk.clone());
    run(&store, &day, &mut Promises::default()).unwrap();
    assert_eq!(read(&store, "log/0/1/data").unwrap(), None);
    assert_eq!(disk.tree().into_keys().collect::<Vec<_>>(), ["/log/0/1/.deleted"]);
}

//! A file operation fails, or is done and says that it failed: a full disk, a device gone bad, a share that times out.
//! The error names its kind, its outcome is honest, nothing torn is visible, and the next try works.

use std::io;
use std::time::Duration;

use longshore_core::{ErrorKind, Outcome};

use super::model::{Fault, How, ModelDisk};
use super::scenario::{DAY, Promises, Step, assert_usable, breach, bytes_of, fates, key, one, read, run};
use crate::place::{Place, is_temporary};
use crate::store::Store;

/// How many file operations a whole day has.
fn day_len() -> usize {
    let disk = ModelDisk::new();
    run(&Store::new(disk.clone()), DAY, &mut Promises::default()).unwrap();
    disk.steps()
}

fn assert_honest(fault: Fault, expected: ErrorKind) {
    let disk = ModelDisk::new().with_fault(fault);
    let store = Store::new(disk.clone());
    let mut promises = Promises::default();
    for step in DAY {
        if let Err(error) = one(&store, *step, &mut promises) {
            assert_eq!(error.kind(), expected, "{fault:?}: {error:?}");
            break;
        }
    }
    assert_eq!(breach(&disk.after_death(), &promises), None, "{fault:?}");
    for fate in fates() {
        // A promise that nothing was written must hold through a power cut too.
        assert_eq!(breach(&disk.after_power_loss(fate), &promises), None, "{fault:?}, {fate:?}");
    }
    assert_usable(&disk);
}

#[test]
fn a_full_disk_at_any_step() {
    for after in 0..day_len() {
        assert_honest(Fault { after, how: How::Fail(io::ErrorKind::StorageFull) }, ErrorKind::Full);
        assert_honest(Fault { after, how: How::FailOn(io::ErrorKind::StorageFull) }, ErrorKind::Full);
    }
}

#[test]
fn a_file_system_that_turns_read_only_at_any_step() {
    for after in 0..day_len() {
        assert_honest(Fault { after, how: How::FailOn(io::ErrorKind::ReadOnlyFilesystem) }, ErrorKind::Denied);
    }
}

#[test]
fn a_reply_that_is_lost_at_any_step() {
    for after in 0..day_len() {
        assert_honest(Fault { after, how: How::FailAfter(io::ErrorKind::TimedOut) }, ErrorKind::Unavailable);
    }
}

/// On a share a rename may be given up by the client and still be done by the server, in the middle of the clean-up.
#[test]
fn a_rename_that_lands_late() {
    for after in 0..day_len() {
        for late_by in 0..8 {
            assert_honest(Fault { after, how: How::Late(late_by) }, ErrorKind::Unavailable);
        }
    }
}

#[test]
fn a_file_system_that_syncs_no_folder_is_refused_before_anything_shows() {
    let disk = ModelDisk::new().without_folder_syncs();
    let store = Store::new(disk.clone());
    for step in [Step::Create("format/data"), Step::Create("log/0/1/data"), Step::Put("segments/0/a")] {
        let error = one(&store, step, &mut Promises::default()).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotApplied));
    }
    assert_eq!(breach(&disk, &Promises::default()), None);
}

#[test]
fn a_failed_create_before_its_rename_leaves_nothing_at_all() {
    let disk = ModelDisk::new();
    let store = Store::new(disk.clone());
    run(&store, &[Step::Create("log/0/1/data")], &mut Promises::default()).unwrap();
    // Up to the rename: a look at the entry and at its shard, then folder, file, write, sync, time, sync.
    for after in 0..8 {
        let disk = disk.after_death();
        let after = disk.steps() + after;
        let disk = disk.with_fault(Fault { after, how: How::Fail(io::ErrorKind::StorageFull) });
        let store = Store::new(disk.clone());
        let error = store.create(&key("log/0/2/data"), b"two").unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Full, Outcome::NotApplied));
        assert_eq!(disk.tree().into_keys().collect::<Vec<_>>(), ["/log/0/1/data"]);
    }
}

/// Onto an empty folder a rename succeeds without a word, so the operations must see one coming.
#[test]
fn an_empty_entry_folder_is_refused_not_published_over() {
    use crate::disk::Disk as _;
    let disk = ModelDisk::new();
    disk.make_folder(&Place::default().join("format")).unwrap();
    let store = Store::new(disk.clone());
    let error = store.create(&key("format/data"), b"mine").unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::NotApplied));
    assert_eq!(read(&store, "format/data").unwrap_err().kind(), ErrorKind::Corrupt);
    store.delete(&key("format/data")).unwrap();
    assert_eq!(read(&store, "format/data").unwrap(), None);
}

/// Leftovers are judged by the file system's clock, and a young one is somebody's work in progress.
#[test]
fn leftovers_are_swept_by_age_once_per_folder() {
    let disk = ModelDisk::new();
    let writer = Store::new(disk.clone());
    drop(writer.append(writer.begin(&key("segments/0/a")).unwrap(), b"half").unwrap());
    let temporaries = || disk.tree().into_keys().filter(|path| path.split('/').any(is_temporary)).count();
    run(&Store::new(disk.clone()), &[Step::Put("segments/0/b")], &mut Promises::default()).unwrap();
    assert_eq!(temporaries(), 1);
    disk.pass(Duration::from_secs(24 * 60 * 60));
    run(&Store::new(disk.clone()), &[Step::Put("segments/0/b")], &mut Promises::default()).unwrap();
    assert_eq!(temporaries(), 0);
}

/// After a rename whose outcome nobody knows the temporary stays, and is swept like a killed writer's.
#[test]
fn a_leftover_folder_is_swept_too() {
    let plain = ModelDisk::new();
    run(&Store::new(plain.clone()), &[Step::Create("log/0/1/data")], &mut Promises::default()).unwrap();
    let temporaries =
        |disk: &ModelDisk| disk.tree().into_keys().filter(|path| path.split('/').any(is_temporary)).count();
    let left = (0..plain.steps()).find_map(|after| {
        let disk = ModelDisk::new().with_fault(Fault { after, how: How::Die });
        run(&Store::new(disk.clone()), &[Step::Create("log/0/1/data")], &mut Promises::default()).unwrap_err();
        (temporaries(&disk) > 0).then(|| disk.after_death())
    });
    let disk = left.unwrap();
    disk.pass(Duration::from_secs(25 * 60 * 60));
    run(&Store::new(disk.clone()), &[Step::Create("log/0/2/data")], &mut Promises::default()).unwrap();
    assert_eq!(disk.tree().into_keys().collect::<Vec<_>>(), ["/log/0/2/data"]);
}

/// A writer's rename lands at any moment of the sweep that takes its folder for a leftover: the entry is there whole or not.
#[test]
fn a_rename_that_lands_during_the_sweep() {
    let slow = [Step::Create("log/0/1/data")];
    let plain = ModelDisk::new();
    run(&Store::new(plain.clone()), &slow, &mut Promises::default()).unwrap();
    for after in 0..plain.steps() {
        for late_by in 0..40 {
            let disk = ModelDisk::new().with_fault(Fault { after, how: How::Late(late_by) });
            let mut promises = Promises::default();
            let _ = run(&Store::new(disk.clone()), &slow, &mut promises);
            disk.pass(Duration::from_secs(25 * 60 * 60));
            run(&Store::new(disk.clone()), &[Step::Create("log/0/2/data")], &mut promises).unwrap();
            assert_eq!(breach(&disk.after_death(), &promises), None, "step {after}, late by {late_by}");
        }
    }
}

/// A writer who slept for a day must not publish what the sweep took apart.
#[test]
fn a_slow_writer_fails_once_it_was_swept() {
    let disk = ModelDisk::new();
    let slow = Store::new(disk.clone());
    let upload = slow.append(slow.begin(&key("segments/0/a")).unwrap(), b"half").unwrap();
    disk.pass(Duration::from_secs(25 * 60 * 60));
    run(&Store::new(disk.clone()), &[Step::Put("segments/0/b")], &mut Promises::default()).unwrap();
    assert!(slow.finish(upload).is_err());
    assert_eq!(read(&slow, "segments/0/a").unwrap(), None);
}

#[test]
fn the_reply_to_a_write_carries_the_file_system_s_time() {
    let disk = ModelDisk::new();
    let store = Store::new(disk.clone());
    let earlier = store.create(&key("format/data"), &bytes_of("format/data")).unwrap().time.unwrap();
    disk.pass(Duration::from_secs(60));
    let upload = store.begin(&key("segments/0/a")).unwrap();
    let later = store.finish(store.append(upload, b"body").unwrap()).unwrap().time.unwrap();
    assert_eq!(later.since(earlier).as_secs(), 60);
}

//! A mount point without its mount, a bucket someone emptied, a backup put back over newer data, another app's store under the
//! same address: the worst reports against sync tools are of these, read as "delete everything" or as "a new store". Here each is
//! a typed error at open, before anything is applied or written. (I10, I11)
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use longshore_core::{ErrorKind, LockPolicy, ObjectKey};
use support::{Device, World, snapshot, verdict};

type Objects = BTreeMap<ObjectKey, Bytes>;

/// Two devices in step at entry 2, and the store as it was at entry 1.
fn in_step() -> (World, Device, Device, Objects) {
    let world = World::new(3, true);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.put("one", "first");
    a.sync();
    let earlier = world.storage.objects();
    a.put("two", "second");
    a.sync();
    b.sync();
    a.restart();
    b.restart();
    (world, a, b, earlier)
}

/// The device refuses to sync with this error, and neither it nor the store changes.
fn refuses(world: &World, device: &mut Device, kind: ErrorKind) {
    device.put("pending", "waits");
    let (documents, objects) = (device.documents(), world.storage.objects());
    for _ in 0..2 {
        let error = device.sync_error();
        assert_eq!(error.kind(), kind, "{error}");
        device.restart();
    }
    assert_eq!(device.documents(), documents);
    assert_eq!(world.storage.objects(), objects);
}

#[test]
fn an_emptied_store() {
    let (world, mut a, _, _) = in_step();
    world.storage.set_objects(Objects::new());
    refuses(&world, &mut a, ErrorKind::Replaced);
}

#[test]
fn another_store() {
    let (world, mut a, _, _) = in_step();
    let other = World::new(99, true);
    let mut stranger = other.device("x");
    stranger.put("theirs", "not ours");
    stranger.sync();
    world.storage.set_objects(other.storage.objects());
    refuses(&world, &mut a, ErrorKind::Replaced);
}

#[test]
fn an_older_copy() {
    let (world, mut a, mut b, earlier) = in_step();
    world.storage.set_objects(earlier);
    refuses(&world, &mut a, ErrorKind::Replaced);
    refuses(&world, &mut b, ErrorKind::Replaced);
}

#[test]
fn an_older_copy_that_was_written_to() {
    let (world, mut a, _, earlier) = in_step();
    world.storage.set_objects(earlier);
    let mut newcomer = world.device("c");
    newcomer.put("two", "another second");
    newcomer.sync();
    refuses(&world, &mut a, ErrorKind::Replaced);
}

#[test]
fn the_newer_store_comes_back() {
    let (world, mut a, mut b, earlier) = in_step();
    let newest = world.storage.objects();
    world.storage.set_objects(earlier);
    assert_eq!(a.sync_error().kind(), ErrorKind::Replaced);
    world.storage.set_objects(newest);
    a.put("three", "third");
    a.sync();
    b.sync();
    verdict::sound(&world, &[&a, &b]);
}

#[test]
fn an_identity_that_is_missing_beside_a_log() {
    let (world, mut a, _, _) = in_step();
    let mut objects = world.storage.objects();
    objects.retain(|key, _| key.as_str() != "format/data");
    world.storage.set_objects(objects.clone());
    refuses(&world, &mut a, ErrorKind::Replaced);
    let mut newcomer = world.device("c");
    assert_eq!(newcomer.sync_error().kind(), ErrorKind::Corrupt);
    assert_eq!(world.storage.objects(), objects);
}

#[test]
fn an_entry_that_is_missing_below_a_present_one() {
    let (world, _, _, _) = in_step();
    let mut objects = world.storage.objects();
    objects.retain(|key, _| !key.as_str().ends_with("0000000000000001/data"));
    world.storage.set_objects(objects);
    let mut newcomer = world.device("c");
    let error = newcomer.sync_error();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(newcomer.documents().is_empty());
}

/// The same for one that works under the lease, and for one that joined while the log was still empty: an empty log would be
/// written to.
#[test]
fn a_first_entry_that_is_missing_is_no_empty_log() {
    for joined_before in [false, true] {
        let world = World::new(6, true);
        let (mut a, mut newcomer) = (world.device("a"), world.device("c"));
        a.sync();
        newcomer.policy = LockPolicy::Always;
        if joined_before {
            newcomer.sync();
        }
        for n in 0..2 {
            a.put("doc", &format!("version {n}"));
            a.sync();
        }
        let mut objects = world.storage.objects();
        objects.retain(|key, _| !key.as_str().ends_with("log/0000000000000000/0000000000000001/data"));
        world.storage.set_objects(objects);
        newcomer.put("mine", "waits");
        let error = newcomer.sync_error();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let entries = world.storage.objects().keys().filter(|key| key.as_str().contains("/log/")).count();
        assert_eq!(entries, 1, "nothing was written into the gap");
    }
}

/// Entries up to a snapshot may be gone. "Nothing there" must not pass for "nothing new".
#[test]
fn a_log_that_was_trimmed_beneath_a_replica() {
    let (world, mut a, mut b, _) = in_step();
    a.put("three", "third");
    a.sync();
    let mut objects = world.storage.objects();
    objects.retain(|key, _| !key.as_str().starts_with("domains/main/log"));
    let snapshot = ObjectKey::new("domains/main/snapshot/0000000000000003/data").unwrap();
    objects.insert(snapshot, Bytes::from("no snapshot"));
    world.storage.set_objects(objects);
    refuses(&world, &mut b, ErrorKind::Corrupt);
    let mut newcomer = world.device("c");
    assert_eq!(newcomer.sync_error().kind(), ErrorKind::Corrupt);
}

/// Of the log only what has these numbers, and a snapshot at entry 2.
fn trimmed(objects: &Objects, left: &[u64]) -> Objects {
    let mut objects = objects.clone();
    let stays = |key: &str| left.iter().any(|number| key.ends_with(&format!("/{number:016}/data")));
    objects.retain(|key, _| !key.as_str().contains("/log/") || stays(key.as_str()));
    let snapshot = ObjectKey::new("domains/main/snapshot/0000000000000002/data").unwrap();
    objects.insert(snapshot, Bytes::from("no snapshot"));
    objects
}

/// The entry that a replica is at is gone, and a snapshot stands right there: whether both are of one history is in the
/// snapshot. Nothing is written on the strength of a snapshot that cannot be read, or that is of another history.
#[test]
fn a_snapshot_at_the_checkpoint_proves_nothing_unread() {
    let (world, mut a, mut b, earlier) = in_step();
    let objects = world.storage.objects();
    world.storage.set_objects(trimmed(&objects, &[]));
    refuses(&world, &mut a, ErrorKind::Corrupt);

    world.storage.set_objects(objects);
    snapshot::publish(&world, 1);
    let ours = world.storage.objects();
    world.storage.set_objects(earlier);
    let mut newcomer = world.device("c");
    newcomer.put("two", "another second");
    newcomer.sync();
    snapshot::publish(&world, 1);
    for (objects, same) in [(world.storage.objects(), false), (ours, true)] {
        let mut objects = objects;
        objects.retain(|key, _| !key.as_str().contains("/log/"));
        world.storage.set_objects(objects);
        if same {
            b.put("three", "third");
            assert_eq!(b.sync().pushed, 1);
        } else {
            refuses(&world, &mut a, ErrorKind::Replaced);
        }
    }
}

/// The same with an entry behind it, which names the hash of the one that is gone, or another.
#[test]
fn the_next_entry_proves_a_history_that_was_trimmed() {
    let (world, mut a, mut b, _) = in_step();
    b.put("three", "third");
    b.sync();
    world.storage.set_objects(trimmed(&world.storage.objects(), &[3]));
    assert_eq!(a.sync().pulled, 1);

    let (world, mut a, _, earlier) = in_step();
    world.storage.set_objects(earlier);
    let mut newcomer = world.device("c");
    for body in ["another second", "another third"] {
        newcomer.put("two", body);
        newcomer.sync();
    }
    world.storage.set_objects(trimmed(&world.storage.objects(), &[3]));
    refuses(&world, &mut a, ErrorKind::Replaced);
}

/// The same while the client stays open, and polls without looking at its checkpoint: the poll finds nothing, and only the floor
/// tells that this proves nothing.
#[test]
fn a_log_that_was_trimmed_beneath_an_open_client() {
    for timed in [false, true] {
        let world = World::new(5, timed);
        let (mut a, mut b) = (world.device("a"), world.device("b"));
        a.put("one", "first");
        a.sync();
        b.sync();
        a.put("two", "second");
        a.sync();
        let mut objects = world.storage.objects();
        objects.retain(|key, _| !key.as_str().starts_with("domains/main/log"));
        let snapshot = ObjectKey::new("domains/main/snapshot/0000000000000002/data").unwrap();
        objects.insert(snapshot, Bytes::from("no snapshot"));
        world.storage.set_objects(objects);
        // Half the retention of 30 days, and more: a reply's own time proves nothing any longer.
        world.sim.advance(std::time::Duration::from_secs(16 * 24 * 3600));
        assert_eq!(b.sync_error().kind(), ErrorKind::Corrupt, "timed: {timed}");
        b.put("late", "by one who was away");
        assert_eq!(b.sync_error().kind(), ErrorKind::Corrupt, "timed: {timed}");
    }
}

/// Somebody put back a copy, others wrote to it, and the newer entries came back on top: the numbers fit, the hashes do not.
#[test]
fn entries_of_two_histories() {
    let (world, mut a, _, earlier) = in_step();
    let mut reader = world.device("r");
    a.put("three", "third");
    a.sync();
    let newest = world.storage.objects();
    world.storage.set_objects(earlier);
    reader.sync();
    let mut other = world.device("o");
    other.put("two", "another second");
    other.sync();
    let mut mixed = world.storage.objects();
    mixed.extend(newest.into_iter().filter(|(key, _)| key.as_str().ends_with("0000000000000003/data")));
    world.storage.set_objects(mixed);
    refuses(&world, &mut reader, ErrorKind::Replaced);
}

/// Every object is damaged in several ways. A replica that reads it gets an error that names it, or does not read it at all;
/// it never holds a document that nobody wrote.
#[test]
fn bytes_that_were_changed_cut_or_swapped() {
    let world = World::new(4, true);
    let mut a = world.device("a");
    (0..20).for_each(|n| a.put(&format!("small/{n}"), &format!("body {n}")));
    a.sync();
    let mut dice = support::Rng::new(1);
    (0..3).for_each(|n| {
        a.put(&format!("large/{n}"), &dice.text(40_000));
    });
    a.sync();
    let sound = world.storage.objects();
    assert!(sound.keys().any(|key| key.as_str().contains("/segments/")), "the large ones made a segment");
    let good = a.documents();
    let keys: Vec<ObjectKey> = sound.keys().cloned().collect();
    for (at, key) in keys.iter().enumerate() {
        let whole = &sound[key];
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        let swapped = sound[&keys[(at + 1) % keys.len()]].clone();
        let damaged = [Bytes::from(flipped), whole.slice(..whole.len() - 1), whole.slice(..10), Bytes::new(), swapped];
        for bad in damaged {
            let mut objects = sound.clone();
            objects.insert(key.clone(), bad);
            world.storage.set_objects(objects);
            let mut newcomer = world.device("c");
            let error = newcomer.sync_error();
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Replaced), "{key}: {error}");
            assert!(error.key().is_some(), "{key}: {error} names nothing");
            newcomer.documents().iter().for_each(|(id, body)| assert_eq!(good.get(id), Some(body)));
        }
    }
}

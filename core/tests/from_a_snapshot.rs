//! A device comes back after a year, and the log that it knew is gone: only a snapshot tells what happened since. It must come out
//! with the same documents as everybody else, with its own edits in the outbox or told of as conflicts, and nothing committed twice;
//! wherever the way there was interrupted. (I2, I3, I4, I5, I8, I10)
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use longshore_core::format::{Frame, Kind};
use longshore_core::{
    Applied, Base, Batch, Change, Document, DocumentId, Error, ErrorKind, Hash, MemoryReplica, ObjectKey, Outcome,
    Replica, Result, Sequence, Server as _, Synced, Version,
};
use support::{BendReplica, Device, Fault, ForwardReplica, World, snapshot, verdict};

/// Two devices in step over a few documents.
fn in_step(seed: u64) -> (World, Device, Device) {
    let world = World::new(seed, true);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    for id in ["edited", "deleted", "rest", "both", "same", "gone", "kept"] {
        a.put(id, &format!("{id}-0"));
    }
    a.sync();
    b.sync();
    (world, a, b)
}

/// `b` is away; `a` goes on, and everything is compacted.
fn away(segments: usize) -> (World, Device, Device) {
    let (world, mut a, mut b) = in_step(70);
    b.restart();
    a.put("edited", "edited-1");
    a.sync();
    a.delete("deleted");
    a.put("both", "both-a");
    a.put("same", "same-1");
    a.put("new", "new-0");
    a.sync();
    a.delete("gone");
    a.put("edited", "edited-2");
    a.sync();
    snapshot::compact(&world, segments);
    (world, a, b)
}

fn settle(world: &World, devices: &mut [&mut Device]) {
    for _ in 0..3 {
        for device in &mut *devices {
            device.sync();
        }
    }
    let devices: Vec<&Device> = devices.iter().map(|device| &**device).collect();
    verdict::sound(world, &devices);
}

#[test]
fn a_new_device_begins_with_the_snapshot() {
    for segments in [1, 3] {
        let (world, mut a, _) = away(segments);
        let mut c = world.device("c");
        assert_eq!(c.sync().pulled, 6);
        assert!(c.storage.trace().iter().any(|call| call.contains("/snapshot/")));
        c.put("mine", "mine-0");
        c.put("edited", "edited-3");
        settle(&world, &mut [&mut a, &mut c]);
    }
}

/// Also where the log is still there: what was compacted is not read again, entry by entry.
#[test]
fn a_new_device_does_not_read_what_the_snapshot_covers() {
    let (world, mut a, _) = in_step(71);
    for n in 0..50 {
        a.put("churn", &format!("churn-{n}"));
        a.sync();
    }
    snapshot::publish(&world, 1);
    a.put("tail", "tail-0");
    a.sync();
    let mut c = world.device("c");
    c.sync();
    let entries = c.storage.trace().iter().filter(|call| call.contains("get domains/main/log")).count();
    assert!(entries <= 8, "{:?}", c.storage.trace());
    settle(&world, &mut [&mut a, &mut c]);
}

#[test]
fn a_device_that_was_away_takes_changes_and_deletions() {
    for segments in [1, 3] {
        let (world, mut a, mut b) = away(segments);
        assert_eq!(b.sync().pulled, 6, "edited, both, same and new; deleted and gone");
        assert_eq!(b.documents(), a.documents());
        settle(&world, &mut [&mut a, &mut b]);
    }
}

/// Its own edits: of what did not change they are pushed, of what did they are conflicts, and equal ones are settled.
#[test]
fn edits_made_while_away_are_kept_told_or_settled() {
    let (world, mut a, mut b) = away(1);
    b.put("rest", "rest-b");
    b.put("both", "both-b");
    b.put("same", "same-1");
    b.put("created", "created-b");
    b.put("gone", "gone-b");
    b.delete("deleted");
    b.delete("kept");
    let report = b.sync();
    assert_eq!(report.conflicts, 2, "both, and gone");
    assert_eq!(report.pushed, 5, "rest, created, kept, and the answers for both and gone");
    a.sync();
    assert_eq!(a.get("both").unwrap(), "both-a+both-b");
    assert_eq!(a.get("gone").unwrap(), "gone-b", "an edit survives a deletion");
    assert_eq!((a.get("kept"), a.get("deleted")), (None, None));
    settle(&world, &mut [&mut a, &mut b]);
}

/// A conflict that waits for its answer while the log is compacted: the other side is still that version, a newer one, or gone.
#[test]
fn a_recorded_conflict_meets_the_snapshot() {
    for (second, expected) in [(None, Some("both-b")), (Some(Some("later")), Some("later")), (Some(None), None)] {
        let (world, mut a, mut b) = in_step(72);
        a.put("both", "both-a");
        b.put("both", "both-b");
        b.sync();
        a.put("other", "other-a");
        let client = a.new_client(false);
        world.sim.run(client.sync(), || false).unwrap().unwrap();
        match second {
            Some(Some(body)) => b.put("both", body),
            Some(None) => b.delete("both"),
            None => b.put("rest", "rest-b"),
        }
        b.sync();
        snapshot::compact(&world, 1);
        let client = a.new_client(false);
        world.sim.run(client.sync(), || false).unwrap().unwrap();
        let id = "both".try_into().unwrap();
        let conflict = world.sim.run(a.replica.conflict(&id), || false).unwrap().unwrap().unwrap();
        let remote = match conflict.remote {
            Version::Present(document) => Some(document.body),
            Version::Deleted => None,
        };
        assert_eq!(remote.as_deref(), expected.map(str::as_bytes));
        a.restart();
        settle(&world, &mut [&mut a, &mut b]);
    }
}

/// The reply to its last push was lost, and while it was away the log was compacted: the snapshot says whether it was committed.
#[test]
fn an_attempt_in_flight_is_decided_by_the_snapshot() {
    for (fault, landed) in [(Fault::DieAfter, true), (Fault::DieBefore, false)] {
        for edit_after in [false, true] {
            let (world, mut a, mut b) = in_step(73);
            b.put("rest", "rest-b");
            b.put("new", "new-b");
            b.restart();
            // The look at the store, the poll, and the create.
            let calls = b.storage.calls();
            b.arm(calls + 3, fault);
            assert!(b.try_sync().is_none(), "{:?}", b.storage.trace());
            b.restart();
            if edit_after {
                b.put("new", "new-b2");
            }
            a.sync();
            a.put("kept", "kept-a");
            a.sync();
            snapshot::compact(&world, 1);
            let report = b.sync();
            assert!(!report.cloned);
            assert_eq!(report.pushed, if landed { 2 + u64::from(edit_after) } else { 2 }, "{fault:?} {edit_after}");
            settle(&world, &mut [&mut a, &mut b]);
        }
    }
}

/// A late create of that attempt lands where the entry was trimmed: nobody takes it for a commit, nor for another store.
#[test]
fn a_create_that_lands_where_the_log_was_trimmed() {
    let (world, mut a, mut b) = in_step(74);
    b.put("rest", "rest-b");
    b.restart();
    let calls = b.storage.calls();
    b.arm(calls + 3, Fault::DieBefore);
    assert!(b.try_sync().is_none());
    let attempt = world.sim.run(b.replica.load(), || false).unwrap().unwrap().attempt.unwrap();
    b.restart();
    a.put("kept", "kept-a");
    a.sync();
    a.put("kept", "kept-b");
    a.sync();
    a.restart();
    snapshot::compact(&world, 1);
    let key = format!("domains/main/log/{:016}/{}/data", 0, attempt.sequence);
    let mut objects = world.storage.objects();
    assert!(objects.insert(ObjectKey::new(&key).unwrap(), attempt.bytes).is_none());
    world.storage.set_objects(objects.clone());
    // It lies at b's next number, and names the hash of b's checkpoint.
    b.sync();
    assert_eq!(b.get("kept").unwrap(), "kept-b");
    let mut objects = world.storage.objects();
    objects.remove(&ObjectKey::new(&key).unwrap());
    world.storage.set_objects(objects);
    settle(&world, &mut [&mut a, &mut b]);
}

/// The entry at the checkpoint was trimmed, and something else lies there: the snapshot's hash says that the history is the same.
#[test]
fn another_entry_at_a_trimmed_checkpoint_is_no_fork() {
    for behind in [false, true] {
        let (world, mut a, mut b) = in_step(75);
        a.put("rest", "rest-a");
        a.sync();
        b.sync();
        b.restart();
        if behind {
            a.put("rest", "rest-b");
            a.sync();
        }
        let last = snapshot::compact(&world, 1);
        let key = |number: u64| ObjectKey::new(format!("domains/main/log/{:016}/{number:016}/data", 0)).unwrap();
        let other = world.archive.lock().unwrap()[&key(1)].clone();
        let (client, hash) = ("ab".repeat(16), Hash::of(&other));
        let late = serde_json::json!({
            "key": key(2).as_str(), "client": client, "attempt": 1, "previous": hash, "kind": "changes",
            "changes": [{ "id": "late", "action": "put" }],
        });
        let late = Frame::encode(Kind::Entry, &late, &[]).unwrap();
        let mut objects = world.storage.objects();
        objects.insert(key(2), late);
        world.storage.set_objects(objects);
        assert_eq!(last.get(), if behind { 3 } else { 2 });
        b.sync();
        assert_eq!((b.get("late"), b.get("rest")), (None, a.get("rest")));
        b.put("mine", "mine-b");
        b.sync();
        let mut objects = world.storage.objects();
        objects.remove(&key(2));
        world.storage.set_objects(objects);
        settle(&world, &mut [&mut a, &mut b]);
    }
}

/// A store of another history has a snapshot, too: nothing is applied, whatever numbers it has.
#[test]
fn a_fork_is_told_by_its_snapshot() {
    for writes in [false, true] {
        let (world, mut a, mut b) = in_step(76);
        let earlier = world.storage.objects();
        if writes {
            b.put("rest", "rest-b");
            b.sync();
        } else {
            a.put("rest", "rest-a");
            a.sync();
            b.sync();
        }
        b.restart();
        world.storage.set_objects(earlier);
        let mut c = world.device("c");
        for n in 0..3 {
            c.put("rest", &format!("rest-c{n}"));
            c.sync();
        }
        for n in [0, 1] {
            snapshot::compact(&world, 1);
            let (documents, objects) = (b.documents(), world.storage.objects());
            let result = b.try_sync().unwrap();
            if writes {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Replaced, "{n}");
                assert_eq!((b.documents(), world.storage.objects()), (documents, objects));
            }
            b.restart();
            c.put("more", &format!("more-c{n}"));
            c.sync();
        }
    }
}

/// A replica was copied, the copy pushed under the same name, and the log that showed it is gone: what was in flight here may have been
/// committed or not. The app is told.
#[test]
fn a_copy_that_went_on_is_noticed_in_the_snapshot() {
    let (world, mut a, mut b) = in_step(77);
    b.put("rest", "rest-b");
    b.restart();
    let calls = b.storage.calls();
    b.arm(calls + 3, Fault::DieBefore);
    assert!(b.try_sync().is_none());
    b.restart();
    let mut copy = world.device_on("copy", b.replica.fork());
    copy.sync();
    copy.put("kept", "kept-copy");
    copy.sync();
    a.sync();
    snapshot::compact(&world, 1);
    let report = b.sync();
    assert!(report.cloned);
    // Its row equals what the copy committed in its place.
    assert_eq!((report.pushed, report.conflicts), (0, 0));
    settle(&world, &mut [&mut a, &mut b, &mut copy]);
}

/// The same where the copy was made before that attempt: the number says nothing then, and all of its documents are told, also those that
/// nobody else has, and a deletion that others made as well.
#[test]
fn documents_of_an_attempt_in_doubt_are_told() {
    let (world, mut a, mut b) = in_step(81);
    let mut copy = world.device_on("copy", b.replica.fork());
    b.put("rest", "rest-b");
    b.put("mine", "mine-b");
    b.delete("gone");
    b.delete("edited");
    b.restart();
    let calls = b.storage.calls();
    b.arm(calls + 3, Fault::DieBefore);
    assert!(b.try_sync().is_none());
    b.restart();
    copy.put("kept", "kept-copy");
    copy.sync();
    a.sync();
    a.delete("gone");
    a.sync();
    snapshot::compact(&world, 1);
    let client = b.new_client(false);
    let report = world.sim.run(client.sync(), || false).unwrap().unwrap();
    assert!(report.cloned);
    assert_eq!(
        (report.pushed, report.conflicts, report.unresolved),
        (0, 3, 3),
        "rest, mine and edited; gone is settled"
    );
    drop(client);
    b.restart();
    settle(&world, &mut [&mut a, &mut b, &mut copy]);
}

/// A segment is gone: that of a superseded snapshot, or of an entry that a snapshot covers. There is something newer.
#[test]
fn a_segment_that_is_gone_means_a_newer_snapshot() {
    let world = World::new(78, true);
    let mut a = world.device("a");
    let mut dice = support::Rng::new(3);
    let large = dice.text(80_000);
    a.put("large", &large);
    a.sync();
    a.put("rest", "rest-a");
    a.sync();
    let mut b = world.device("b");
    snapshot::publish(&world, 1);
    let segment = world.storage.objects().keys().find(|key| key.as_str().contains("/segments/")).cloned().unwrap();
    world.archive.lock().unwrap().extend(world.storage.objects());
    // A replica that is at the beginning, and reads entry 1 before it looks for anything else.
    let mut objects = world.storage.objects();
    let named = |key: &ObjectKey| key.as_str().contains("/segments/");
    let all: Vec<ObjectKey> = objects.keys().filter(|key| named(key)).cloned().collect();
    assert_eq!(all.len(), 2);
    objects.remove(&segment);
    world.storage.set_objects(objects);
    let readable = b.try_sync().unwrap();
    let error = readable.as_ref().err();
    assert!(error.is_none_or(|error| error.kind() == ErrorKind::Corrupt && error.key() == Some(segment.as_str())));
    assert!(error.is_none() || b.documents().is_empty(), "nothing of half a snapshot");
    b.restart();
    snapshot::publish(&world, 1);
    b.sync();
    assert_eq!(b.documents(), a.documents());
}

/// Damage to any object that a first sync reads: an error that names it, and no document.
#[test]
fn nothing_is_applied_of_a_damaged_snapshot() {
    let (world, _, _) = away(3);
    let sound = world.storage.objects();
    let of_it = |key: &&ObjectKey| key.as_str().contains("/snapshot/") || key.as_str().contains("/segments/");
    let keys: Vec<ObjectKey> = sound.keys().filter(of_it).cloned().collect();
    assert_eq!(keys.len(), 4);
    for key in &keys {
        let whole = &sound[key];
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        for bad in [Some(Bytes::from(flipped)), Some(whole.slice(..whole.len() - 1)), Some(Bytes::new()), None] {
            // Nothing says that there was a snapshot which is gone altogether, and is not listed.
            if bad.is_none() && key.as_str().contains("/snapshot/") {
                continue;
            }
            let mut objects = sound.clone();
            objects.remove(key);
            objects.extend(bad.map(|bad| (key.clone(), bad)));
            world.storage.set_objects(objects);
            let mut c = world.device("c");
            let error = c.sync_error();
            assert!(matches!(error.kind(), ErrorKind::Corrupt), "{key}: {error}");
            assert!(error.key().is_some(), "{error}");
            assert!(c.documents().is_empty());
        }
    }
}

/// What a snapshot says of its documents is compared with what they are.
#[test]
fn a_snapshot_whose_documents_are_others_is_refused() {
    for wrong in 0..4 {
        let (world, mut a, _) = in_step(79);
        a.put("rest", "rest-a");
        a.sync();
        let (mut it, mut documents) = snapshot::of(&world, 2);
        match wrong {
            0 => it.documents -= 1,
            1 => it.bytes += 1,
            2 => it.digest = Hash::of(b"another"),
            _ => documents[0].base = None,
        }
        let documents = stream::iter(documents.into_iter().map(Ok)).boxed();
        let server = snapshot::server(&world);
        it.segments = world.sim.run(server.snapshot_put(2, documents), || false).unwrap().unwrap();
        snapshot::publish_as(&world, &it);
        let mut c = world.device("c");
        let error = c.sync_error();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("snapshot 2")), "{wrong}: {error}");
        assert!(c.documents().is_empty());
    }
}

/// What is asked of the server itself is found in the snapshot, or behind it.
#[test]
fn the_server_finds_documents_in_a_snapshot() {
    let (world, mut a, _) = away(3);
    a.put("tail", "tail-a");
    a.delete("rest");
    a.sync();
    let server = snapshot::server(&world);
    let get = |id: &str| {
        let id = id.try_into().unwrap();
        let found = world.sim.run(server.get(&id), || false).unwrap();
        found.map(|document| document.map(|document| String::from_utf8(document.body.to_vec()).unwrap()))
    };
    for id in ["edited", "deleted", "rest", "both", "same", "gone", "kept", "new", "tail", "never"] {
        assert_eq!(get(id).unwrap(), a.get(id), "{id}");
    }
    let mut objects = world.storage.objects();
    let segment = objects.keys().find(|key| key.as_str().contains("/segments/")).cloned().unwrap();
    objects.remove(&segment);
    world.storage.set_objects(objects);
    let error = get("never").unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(segment.as_str())));
}

/// Segments behind the others change what those say: of each document the last counts.
#[test]
fn later_segments_count() {
    let (world, mut a, mut b) = away(1);
    let (mut it, documents) = snapshot::of(&world, 4);
    let old = |id: &str| {
        let base = Base { sequence: Sequence::FIRST, revision: None };
        Change::put(Document::new(id, format!("{id}-0")).unwrap()).with_base(Some(base))
    };
    let lists = [
        ["edited", "deleted", "both", "rest", "gone"].map(old).to_vec(),
        vec![Change::delete("deleted".try_into().unwrap()), old("gone")],
        documents,
        vec![Change::delete("gone".try_into().unwrap())],
    ];
    let mut objects = world.storage.objects();
    objects.retain(|key, _| !key.as_str().contains("/snapshot/") && !key.as_str().ends_with("0005/data"));
    world.storage.set_objects(objects);
    world.archive.lock().unwrap().retain(|key, _| !key.as_str().ends_with("0005/data"));
    let server = snapshot::server(&world);
    for list in lists {
        let list = stream::iter(list.into_iter().map(Ok)).boxed();
        it.segments.extend(world.sim.run(server.snapshot_put(4, list), || false).unwrap().unwrap());
    }
    snapshot::publish_as(&world, &it);
    assert_eq!(b.sync().pulled, 6);
    let mut c = world.device("c");
    assert_eq!(c.sync().pulled, 6);
    settle(&world, &mut [&mut a, &mut b, &mut c]);
}

/// More than is applied in one transaction.
fn bulk(device: &Device) {
    let document = |n: u8| Document::new(format!("bulk/{n:02}"), vec![n; 1 << 20]).unwrap();
    device.put_many((0..12).map(document).collect());
}

/// Away while much was committed, with edits of its own of which one was in flight when it died.
fn away_with_bulk(large: bool) -> (World, Device, Device) {
    let (world, mut a, mut b) = in_step(80);
    b.put("rest", "rest-b");
    b.restart();
    let calls = b.storage.calls();
    b.arm(calls + 3, Fault::DieAfter);
    assert!(b.try_sync().is_none());
    b.restart();
    for id in ["both", "gone", "kept"] {
        b.put(id, &format!("{id}-b"));
    }
    b.delete("deleted");
    a.sync();
    if large {
        bulk(&a);
    }
    a.put("both", "both-a");
    a.delete("gone");
    a.delete("deleted");
    a.put("edited", "edited-a");
    a.sync();
    snapshot::compact(&world, 4);
    a.put("tail", "tail-a");
    a.sync();
    (world, a, b)
}

/// Every call of it is interrupted once in every way, and so is every await.
fn interrupt_every_call(large: bool) {
    let (world, mut a, mut b) = away_with_bulk(large);
    let before = b.storage.calls();
    b.sync();
    let calls = before..b.storage.calls();
    settle(&world, &mut [&mut a, &mut b]);
    assert!(calls.clone().count() >= 12, "{calls:?}");
    for call in calls {
        for fault in Fault::INTERRUPTIONS {
            let (world, mut a, mut b) = away_with_bulk(large);
            b.arm(call, fault);
            drop(b.try_sync());
            b.restart();
            settle(&world, &mut [&mut a, &mut b]);
        }
    }
}

#[test]
fn every_call_of_coming_back() {
    interrupt_every_call(false);
}

#[test]
fn every_call_of_coming_back_to_much() {
    interrupt_every_call(true);
}

#[test]
fn every_await_of_coming_back() {
    let mut polls = 1;
    loop {
        let (world, mut a, mut b) = away_with_bulk(false);
        let ended = b.sync_dropped_after(polls);
        b.restart();
        settle(&world, &mut [&mut a, &mut b]);
        if ended {
            break;
        }
        polls += 1;
    }
    assert!(polls > 12);
}

/// Much is applied in several transactions. Killed between them, the replica says that it is where it was, and goes on from a
/// snapshot: from the same, or from a newer one.
#[test]
fn what_was_applied_in_part_goes_on_from_a_snapshot() {
    for newer in [false, true] {
        for batch in 0..20 {
            let (world, mut a, mut b) = away_with_bulk(true);
            let full = ForwardReplica { inner: b.replica.clone(), bend: Full(AtomicUsize::new(batch)) };
            let client = longshore_core::Client::builder_on(
                world.sim.runtime(),
                std::sync::Arc::new(b.server()),
                std::sync::Arc::new(full),
            );
            let ended = world.sim.run(client.build().sync(), || false).unwrap();
            let checkpoint = world.sim.run(b.new_client(false).status(), || false).unwrap().unwrap().checkpoint;
            if ended.is_err() && b.get("edited").unwrap() == "edited-0" {
                assert!(checkpoint.unwrap().get() <= 2, "{checkpoint:?} with documents of entry 1");
            }
            if newer {
                a.put("edited", "edited-newer");
                a.delete("bulk/03");
                a.put("both", "both-newer");
                a.sync();
                snapshot::compact(&world, 2);
            }
            settle(&world, &mut [&mut a, &mut b]);
            if ended.is_ok() {
                assert!(batch >= 6, "{batch}");
                break;
            }
            assert!(batch < 19, "{ended:?}");
        }
    }
}

/// A first sync that was cut keeps the segments it has.
#[test]
fn fetched_segments_are_kept() {
    let (world, mut a, mut b) = away_with_bulk(true);
    let mut fetched = 0;
    let mut c = world.device("c");
    let segment = |call: &String| call.contains("/segments/");
    for cut in 0.. {
        let from = c.storage.trace().len();
        // The store, two entries, the floor, the snapshot; then segments.
        let calls = c.storage.calls();
        c.arm(calls + 7 + cut, Fault::DieBefore);
        let died = c.try_sync().is_none();
        c.restart();
        c.storage.disarm();
        fetched += c.storage.trace()[from..].iter().filter(|call| segment(call) && call.ends_with("None")).count();
        if !died {
            break;
        }
    }
    assert!(
        fetched <= 4 + 3,
        "{fetched} fetches of 4 segments: one that was under way beside the one that died is lost"
    );
    settle(&world, &mut [&mut a, &mut b, &mut c]);
}

/// After so many batches the disk is full.
#[derive(Debug)]
struct Full(AtomicUsize);

#[async_trait]
impl BendReplica for Full {
    async fn synced(&self, inner: &MemoryReplica, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        inner.synced(after, limit.min(3)).await
    }

    async fn apply(&self, inner: &MemoryReplica, batch: Batch) -> Result<Applied> {
        let full = || Error::new(ErrorKind::Full, "the disk is full").with_outcome(Outcome::NotApplied);
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| full())?;
        inner.apply(batch).await
    }
}

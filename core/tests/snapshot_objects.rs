//! What a snapshot is on the server: staged, sealed, announced, published once and read back; and what may be deleted because of it.
//! A snapshot that is damaged, or contradicts itself, is an error that names it, never half a store. (I8, I11)
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use futures::stream::{self, StreamExt as _};
use longshore_core::format::{DocumentsDigest, Frame, Kind, MARK_EVERY, Mark, SnapshotClient, SnapshotEntry};
use longshore_core::{
    AttemptNumber, Author, Base, Capabilities, Change, ClientId, Content, Document, DomainName, ErrorKind, Hash,
    ObjectKey, Sequence, Server, ServerExt as _, ServerTime, Snapshot, Staged, Storage, StoreOptions, StoredServer,
    Tip, Written,
};
use serde_json::json;
use support::{Bend, Forward, World};

fn number(value: u64) -> Sequence {
    Sequence::new(value).unwrap()
}

fn author(attempt: u64) -> Author {
    let (client, attempt) = (ClientId::from_bytes([7; 16]), AttemptNumber::new(attempt).unwrap());
    Author { client, attempt, lease: None, time: None }
}

fn put(id: &str, body: &str, by: u64) -> Change {
    let change = Change::put(Document::new(id, body.to_owned()).unwrap());
    change.with_base(Some(Base { sequence: number(by), revision: None }))
}

/// A storage that takes no object above this size.
#[derive(Debug)]
struct Narrow(u64);

#[async_trait]
impl Bend for Narrow {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities().with_max_object(self.0)
    }
}

fn server_of(world: &World, most: u64) -> StoredServer {
    let storage = Arc::new(Forward::new(world.storage.clone(), Narrow(most)));
    StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap()
}

/// A store with so many entries of one document each.
fn with_entries(count: u64) -> (World, StoredServer, Tip) {
    let world = World::new(60, true);
    let server = server_of(&world, u64::MAX);
    let info = block_on(server.initialize(&StoreOptions::default().with_probe(false))).unwrap();
    let mut tip = Tip::beginning(&info);
    for at in 1..=count {
        let change = Change::put(Document::new(format!("doc/{at}"), format!("body {at}")).unwrap());
        assert_eq!(block_on(server.commit(&tip, &author(at), vec![change])).unwrap().value, Written::Committed);
        tip = block_on(server.changes_read(number(at), 1)).unwrap().remove(0).value.unwrap().tip();
    }
    (world, server, tip)
}

/// The snapshot of such a store.
fn snapshot_of(server: &StoredServer, tip: &Tip) -> Snapshot {
    let last = tip.number();
    let documents: Vec<Change> = (1..=last).map(|at| put(&format!("doc/{at}"), &format!("body {at}"), at)).collect();
    let mut digest = DocumentsDigest::default();
    for change in &documents {
        let (put_by, body) = (change.base.as_ref().unwrap().sequence, change.action.body().unwrap());
        digest.add(&change.id, None, put_by, Hash::of(body), body.len() as u64);
    }
    let changes = stream::iter(documents.into_iter().map(Ok)).boxed();
    let segments = block_on(server.snapshot_put(last, changes)).unwrap();
    let own = SnapshotClient {
        client: author(1).client,
        attempt: AttemptNumber::new(last).unwrap(),
        entry: Mark { sequence: number(last), hash: tip.hash },
    };
    Snapshot {
        entry: SnapshotEntry { sequence: number(last), hash: tip.hash, time: tip.time },
        documents: digest.documents(),
        bytes: digest.bytes(),
        digest: digest.hash(),
        time: Some(ServerTime::from_millis(5)),
        marks: Vec::new(),
        clients: vec![own],
        segments,
    }
}

/// Announces and publishes it.
fn publish(server: &StoredServer, tip: &Tip, snapshot: &Snapshot) -> Written {
    let sealed = block_on(server.snapshot_seal(tip.number(), snapshot)).unwrap();
    let staged = Staged { checkpoint: tip.number(), content: sealed.announcement.clone(), too_large: Vec::new() };
    let entry = server.prepare(tip, &author(tip.number() + 1), &staged).unwrap();
    assert_eq!(block_on(server.changes_write(&entry)).unwrap().value, Written::Committed);
    let written = block_on(server.snapshot_write(&sealed)).unwrap();
    assert_eq!(block_on(server.snapshot_write(&sealed)).unwrap(), written, "again is harmless");
    written
}

#[test]
fn what_is_published_is_read() {
    let (world, server, tip) = with_entries(3);
    assert_eq!(block_on(server.snapshot()).unwrap(), None);
    let snapshot = snapshot_of(&server, &tip);
    assert_eq!(snapshot.segments.len(), 1, "also a few documents go into a segment");
    assert_eq!(publish(&server, &tip, &snapshot), Written::Committed);
    assert_eq!(block_on(server.snapshot()).unwrap().as_ref(), Some(&snapshot));
    assert_eq!(block_on(server.floor()).unwrap(), Some(number(3)));
    assert_eq!((snapshot.tip(), snapshot.hash_of(number(3))), (tip, Some(tip.hash)));

    let entry = block_on(server.changes_read(number(4), 1)).unwrap().remove(0).value.unwrap();
    let expected = Content::Snapshot { segments: snapshot.segments.clone(), index: Vec::new() };
    assert_eq!(entry.content, expected, "its entry names what holds it");
    let changes = block_on(server.segment(&snapshot.segments[0])).unwrap();
    assert_eq!(changes.len(), 3);
    assert_eq!(changes[1], put("doc/2", "body 2", 2));

    // Another of the same number comes too late, whatever it says.
    let mut other = snapshot.clone();
    other.time = None;
    let sealed = block_on(server.snapshot_seal(4, &other)).unwrap();
    assert_eq!(block_on(server.snapshot_write(&sealed)).unwrap(), Written::Taken);
    assert_eq!(block_on(server.snapshot()).unwrap(), Some(snapshot));
    drop(world);
}

#[test]
fn a_snapshot_of_nothing_is_one_too() {
    let (_world, server, tip) = with_entries(1);
    let mut snapshot = snapshot_of(&server, &tip);
    snapshot.segments = block_on(server.snapshot_put(1, stream::empty().boxed())).unwrap();
    (snapshot.documents, snapshot.bytes, snapshot.digest) = (0, 0, DocumentsDigest::default().hash());
    assert!(snapshot.segments.is_empty());
    publish(&server, &tip, &snapshot);
    assert_eq!(block_on(server.snapshot()).unwrap(), Some(snapshot));
}

/// More of a list than one object holds: the entry and the snapshot name an index, and both stay within what the storage takes.
#[test]
fn long_lists_go_into_an_index() {
    const MOST: u64 = 64 << 10;
    let (world, server, tip) = with_entries(1);
    let mut snapshot = snapshot_of(&server, &tip);
    let hash = |at: u64| Hash::of(&at.to_le_bytes());
    let client = |at: u64| {
        let client = ClientId::from_bytes(hash(at).as_bytes()[..16].try_into().unwrap());
        SnapshotClient { client, attempt: AttemptNumber::FIRST, entry: Mark { sequence: number(at), hash: hash(at) } }
    };
    // As if the log were long: only the lists are looked at here.
    snapshot.entry.sequence = number(2_000_500);
    snapshot.marks = (1..=2000).map(|nth| Mark { sequence: number(nth * MARK_EVERY), hash: hash(nth) }).collect();
    snapshot.clients = (1..=700).map(client).collect();
    snapshot.clients.sort_by_key(|listed| listed.client);
    let one = snapshot.segments.remove(0);
    snapshot.segments = vec![one; 900];

    let narrow = server_of(&world, MOST);
    let sealed = block_on(narrow.snapshot_seal(1, &snapshot)).unwrap();
    let Content::Snapshot { segments, index } = &sealed.announcement else { panic!("{sealed:?}") };
    assert!(segments.is_empty() && index.len() == 3600_usize.div_ceil(256), "{}", index.len());
    assert_eq!(block_on(narrow.snapshot_write(&sealed)).unwrap(), Written::Committed);
    assert_eq!(block_on(narrow.snapshot()).unwrap(), Some(snapshot));
    let objects = world.storage.objects();
    assert!(objects.values().all(|object| object.len() as u64 <= MOST), "every object fits");

    // A part of the index that is gone, or another, is named.
    for object in [None, Some(Bytes::from_static(b"other"))] {
        let mut damaged = objects.clone();
        let key = ObjectKey::new(index[7].name.clone()).unwrap();
        damaged.remove(&key);
        damaged.extend(object.map(|object| (key.clone(), object)));
        world.storage.set_objects(damaged);
        let error = block_on(narrow.snapshot()).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(key.as_str())), "{error}");
    }
}

#[test]
fn only_what_a_snapshot_covers_is_trimmed() {
    let (world, server, tip) = with_entries(5);
    let entries = || world.storage.objects().keys().filter(|key| key.as_str().contains("/log/")).count();
    for through in [1, 5] {
        assert_eq!(block_on(server.trim(number(through), false)).unwrap_err().kind(), ErrorKind::Invalid);
    }
    publish(&server, &tip, &snapshot_of(&server, &tip));
    assert_eq!(block_on(server.trim(number(6), false)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(entries(), 6);
    assert_eq!(block_on(server.trim(number(5), true)).unwrap(), 5, "a dry run says it");
    assert_eq!(entries(), 6, "and does nothing");
    assert_eq!(block_on(server.trim(number(2), false)).unwrap(), 2);
    assert_eq!(block_on(server.trim(number(5), false)).unwrap(), 3);
    assert_eq!(block_on(server.trim(number(5), false)).unwrap(), 0);
    assert_eq!(entries(), 1, "its own entry stays");
}

/// Folders of the log hold 256 entries each; only those that a snapshot covers are looked into.
#[test]
fn entries_of_several_folders_are_trimmed() {
    let (world, server, tip) = with_entries(260);
    publish(&server, &tip, &snapshot_of(&server, &tip));
    assert_eq!(block_on(server.trim(number(257), false)).unwrap(), 257);
    let left = world.storage.objects().keys().filter(|key| key.as_str().contains("/log/")).count();
    assert_eq!(left, 4, "258, 259, 260 and that of the snapshot");
}

/// Whatever lies under the name of a snapshot: it is read, or named in an error.
#[test]
fn snapshots_that_no_writer_makes() {
    let hash = "00".repeat(32);
    let (client, named) = ("00".repeat(16), "domains/main/segments/0000000000000000/0000000000000000-00");
    let good = json!({
        "key": "domains/main/snapshot/0000000000000001/data", "entry": { "sequence": 1, "hash": hash },
        "documents": 0, "bytes": 0, "digest": hash,
    });
    let bad = [
        json!({ "key": "domains/main/snapshot/0000000000000002/data" }),
        json!({ "entry": { "sequence": 2, "hash": hash } }),
        json!({ "entry": { "sequence": 0, "hash": hash } }),
        json!({ "documents": 1 }),
        json!({ "documents": -1 }),
        json!({ "digest": "00" }),
        json!({ "marks": [{ "sequence": 1, "hash": hash }] }),
        json!({ "clients": [{ "client": client, "attempt": 1, "sequence": 2, "hash": hash }] }),
        json!({ "clients": [{ "client": client, "attempt": 1, "sequence": 1, "hash": "11".repeat(32) }] }),
        json!({ "index": [{ "name": "format/data", "length": 1, "hash": hash }] }),
        json!({ "index": [{ "name": named, "length": u64::MAX, "hash": hash }] }),
        json!({ "index": [{ "name": named, "length": 1, "hash": hash }], "segments": [{ "name": named, "length": 1, "hash": hash }] }),
    ];
    let world = World::new(61, true);
    let server = server_of(&world, u64::MAX);
    let key = ObjectKey::new("domains/main/snapshot/0000000000000001/data").unwrap();
    let look = |extra: &serde_json::Value| {
        let mut header = good.clone();
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let stored = Frame::encode(Kind::Snapshot, &header, &[]).unwrap();
        world.storage.set_objects([(key.clone(), stored)].into());
        block_on(server.snapshot())
    };
    assert!(look(&json!({ "colour": "blue" })).unwrap().is_some(), "unknown fields are passed over");
    for extra in bad {
        let error = look(&extra).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{extra}: {error}");
        assert!(error.key().is_some(), "{extra}: {error}");
    }
    let error = look(&json!({ "requires": ["time-travel"] })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

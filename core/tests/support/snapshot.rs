//! Snapshots and trimming as another client would do them: written from the log alone, without the library's own compaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::stream::{self, StreamExt as _};
use longshore_core::format::{DocumentsDigest, MARK_EVERY, Mark, SnapshotClient, SnapshotEntry};
use longshore_core::{
    AttemptNumber, Author, Base, Change, ClientId, Content, DocumentId, DomainName, Hash, Sequence, Server, Snapshot,
    Staged, StoredServer, Written,
};

use super::device::World;
use super::verdict;

/// That of the stores here, and some.
pub const RETENTION: Duration = Duration::from_secs(31 * 24 * 3600);

pub fn server(world: &World) -> StoredServer {
    let storage = Arc::new(world.storage.clone());
    StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap()
}

/// What a snapshot of the first `last` entries says, but for its segments.
pub fn of(world: &World, last: u64) -> (Snapshot, Vec<Change>) {
    let mut live: BTreeMap<DocumentId, Change> = BTreeMap::new();
    let (mut marks, mut clients) = (Vec::new(), BTreeMap::new());
    let mut entry = None;
    for (next, changes) in verdict::entries(world).into_iter().take_while(|(entry, _)| entry.sequence.get() <= last) {
        for change in changes {
            if change.action.is_delete() {
                live.remove(&change.id);
            } else {
                let base = Some(Base { sequence: next.sequence, revision: None });
                live.insert(change.id.clone(), change.with_base(base));
            }
        }
        let mark = Mark { sequence: next.sequence, hash: next.hash };
        if matches!(next.content, Content::Changes(_) | Content::Segments(_)) {
            clients.insert(next.client, SnapshotClient { client: next.client, attempt: next.attempt, entry: mark });
        }
        if next.sequence.get().is_multiple_of(MARK_EVERY) {
            marks.push(mark);
        }
        entry = Some(SnapshotEntry { sequence: next.sequence, hash: next.hash, time: next.time });
    }
    let documents: Vec<Change> = live.into_values().collect();
    let mut digest = DocumentsDigest::default();
    for change in &documents {
        let (by, body) = (change.base.as_ref().unwrap().sequence, change.action.body().unwrap());
        digest.add(&change.id, change.revision.as_ref(), by, Hash::of(body), body.len() as u64);
    }
    let snapshot = Snapshot {
        entry: entry.expect("there is an entry"),
        documents: digest.documents(),
        bytes: digest.bytes(),
        digest: digest.hash(),
        time: None,
        marks,
        clients: clients.into_values().collect(),
        segments: Vec::new(),
    };
    (snapshot, documents)
}

/// Announces and publishes the snapshot of all there is, in this many segments at the most.
pub fn publish(world: &World, segments: usize) -> Sequence {
    let head = verdict::entries(world).len();
    let (mut snapshot, documents) = of(world, head as u64);
    let server = server(world);
    for part in documents.chunks(documents.len().div_ceil(segments).max(1)) {
        let part = stream::iter(part.iter().cloned().map(Ok)).boxed();
        snapshot.segments.extend(block_on(server.snapshot_put(head as u64, part)).unwrap());
    }
    publish_as(world, &snapshot)
}

/// Announces and publishes this snapshot of all there is.
pub fn publish_as(world: &World, snapshot: &Snapshot) -> Sequence {
    let server = server(world);
    let number = snapshot.entry.sequence;
    let sealed = block_on(server.snapshot_seal(number.get(), snapshot)).unwrap();
    let (client, attempt) = (ClientId::from_bytes([0xcc; 16]), AttemptNumber::new(number.get()).unwrap());
    let author = Author { client, attempt, lease: None, time: None };
    let staged = Staged { checkpoint: 0, content: sealed.announcement.clone(), too_large: Vec::new() };
    let entry = server.prepare(&snapshot.tip(), &author, &staged).unwrap();
    assert_eq!(block_on(server.changes_write(&entry)).unwrap().value, Written::Committed);
    assert_eq!(block_on(server.snapshot_write(&sealed)).unwrap(), Written::Committed);
    number
}

/// Deletes the entries up to this one, a retention after they were covered; only the verdict keeps them.
pub fn trim(world: &World, through: Sequence) {
    world.sim.advance(RETENTION);
    world.archive.lock().unwrap().extend(world.storage.objects());
    assert!(block_on(server(world).trim(through, false)).unwrap() > 0);
}

/// Publishes a snapshot of all there is, and deletes what it covers.
pub fn compact(world: &World, segments: usize) -> Sequence {
    let number = publish(world, segments);
    trim(world, number);
    number
}

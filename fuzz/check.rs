//! What must hold for any bytes: decoding gives a value or an error, never a panic. The fuzz target and the replay of the corpus
//! (`core/tests/corpus.rs`) both include this file.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use longshore_core::format::{
    EntryHeader, FormatHeader, Frame, IndexHeader, Kind, LeaseHeader, MetadataHeader, SegmentRef, SnapshotClient,
    SnapshotHeader,
};
use longshore_core::{
    Attempt, Change, Content, DomainName, Error, ErrorKind, Hash, Job, MemoryStorage, ObjectKey, Result, Runtime,
    Sequence, Server, Snapshot, StoredServer, Ticks,
};

/// Where the seeds of entries and segments belong. An object under another name is refused by its name alone.
pub(crate) const ENTRIES: [(u64, &str); 2] = [
    (1, "domains/main/log/0000000000000000/0000000000000001/data"),
    (2, "domains/main/log/0000000000000000/0000000000000002/data"),
];
pub(crate) const SEGMENT: &str =
    "domains/main/segments/0000000000000000/0000000000000000-abababababababababababababababab";

/// Where the seeds of snapshots belong.
pub(crate) const SNAPSHOT: &str = "domains/main/snapshot/0000000000000001/data";

/// Decodes the bytes as they are, and once more behind a prefix that fits them: else the checksum stops nearly every mutation.
pub(crate) fn check(bytes: &[u8]) {
    check_object(bytes);
    check_object(&sealed(bytes));
    let _ = Attempt::decode(bytes);
}

fn check_object(stored: &[u8]) {
    check_frame(stored);
    for (number, key) in ENTRIES {
        check_entry(number, key, stored);
    }
    check_snapshot(stored);
    if let Err(error) = segment(stored) {
        refused(&error);
    }
}

fn check_frame(stored: &[u8]) {
    match Frame::decode(stored) {
        Ok(frame) => check_headers(&frame),
        Err(error) => refused(&error),
    }
}

fn check_headers(frame: &Frame) {
    let _ = frame.header::<FormatHeader>(Kind::Format);
    let _ = frame.header::<EntryHeader>(Kind::Entry);
    let _ = frame.header::<SnapshotHeader>(Kind::Snapshot);
    let _ = frame.header::<LeaseHeader>(Kind::Lease);
    let _ = frame.header::<MetadataHeader>(Kind::Metadata);
    let _ = frame.header::<IndexHeader>(Kind::Index);
}

/// What a client makes of the bytes as the newest snapshot: it agrees with itself, or is refused.
fn check_snapshot(stored: &[u8]) {
    match snapshot(stored) {
        Err(error) => refused(&error),
        Ok(snapshot) => {
            let snapshot = snapshot.expect("it is there");
            assert_eq!(snapshot.hash_of(snapshot.entry.sequence), Some(snapshot.entry.hash));
            let known = |listed: &SnapshotClient| snapshot.client(&listed.client) == Some(listed);
            assert!(snapshot.clients.iter().all(known));
        }
    }
}

/// What a client makes of the bytes as an entry: it says what it is, or is refused.
fn check_entry(number: u64, key: &str, stored: &[u8]) {
    match entry(number, key, stored) {
        Err(error) => refused(&error),
        Ok(entry) => {
            assert_eq!((entry.sequence.get(), entry.hash, entry.size), (number, Hash::of(stored), stored.len() as u64));
            if let Content::Segments(segments) = entry.content {
                // They are not there, and may be named wrongly: either is the entry's fault.
                let server = server(&[]);
                for segment in &segments {
                    refused(&block_on(server.segment(segment)).expect_err("it is gone"));
                }
            }
        }
    }
}

/// The bytes as the entry of this number.
pub(crate) fn entry(number: u64, key: &str, stored: &[u8]) -> Result<longshore_core::Entry> {
    let server = server(&[(key, stored)]);
    let reply = block_on(server.changes_read(Sequence::new(number)?, 1))?.remove(0);
    Ok(reply.value.expect("it is there"))
}

/// The bytes as the newest snapshot.
pub(crate) fn snapshot(stored: &[u8]) -> Result<Option<Snapshot>> {
    block_on(server(&[(SNAPSHOT, stored)]).snapshot())
}

/// The bytes as a segment that an entry names with their very length and hash.
pub(crate) fn segment(stored: &[u8]) -> Result<Vec<Change>> {
    let named = SegmentRef { name: SEGMENT.to_owned(), length: stored.len() as u64, hash: Hash::of(stored) };
    block_on(server(&[(SEGMENT, stored)]).segment(&named))
}

fn refused(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error}");
}

fn server(objects: &[(&str, &[u8])]) -> StoredServer {
    let object =
        |(key, stored): &(&str, &[u8])| (ObjectKey::new(*key).expect("a name"), Bytes::copy_from_slice(stored));
    let storage = MemoryStorage::new();
    storage.set_objects(objects.iter().map(object).collect::<BTreeMap<_, _>>());
    StoredServer::new(Arc::new(storage), Still::runtime(), &DomainName::default()).expect("a server")
}

/// Nothing here ever waits for anybody else.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// A runtime in which time stands still and the dice count: the same calls, the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Still(AtomicU8);

impl Still {
    pub(crate) fn runtime() -> Arc<dyn Runtime> {
        Arc::new(Self::default())
    }
}

impl Runtime for Still {
    fn now(&self) -> Ticks {
        Ticks::from_millis(0)
    }

    fn boot(&self) -> String {
        "boot".to_owned()
    }

    fn wall(&self) -> u64 {
        0
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }

    fn sleep<'a, 'b>(&'a self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }

    fn offload(&self, job: Job) {
        job();
    }
}

/// The bytes with magic, version, length and checksum set right; kind, flags and the other lengths are the input's.
pub(crate) fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut stored = bytes.to_vec();
    stored.resize(stored.len().max(64), 0);
    let payload = (stored.len() - 64) as u64;
    stored[..8].copy_from_slice(b"\x89LSH\r\n\x1a\n");
    stored[8..10].copy_from_slice(&1_u16.to_le_bytes());
    stored[24..32].copy_from_slice(&payload.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stored[..32]).update(&stored[64..]);
    let sum = *hasher.finalize().as_bytes();
    stored[32..64].copy_from_slice(&sum);
    stored
}

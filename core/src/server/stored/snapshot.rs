//! Snapshots: found by listing, read with their index, sealed, and published once.

use super::log::{self, REFERENCE};
use super::records::{self, Fate};
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::format::{IndexHeader, Kind, Layout, MAX_RECORD, SegmentRef, SnapshotHeader, decode_record, encode_record};
use crate::model::{Hash, Sequence};
use crate::runtime::{compute, new_nonce};
use crate::server::{Content, SealedSnapshot, Snapshot, Written};
use crate::storage::ObjectKey;

/// What one object of an index lists at the most: it is a few MiB then.
const INDEXED: u64 = 32 << 10;

pub(super) async fn newest(wire: &Wire, layout: &Layout) -> Result<Option<Snapshot>> {
    let folder = layout.snapshots()?;
    let mut looked = 0;
    loop {
        looked += 1;
        let Some(number) = records::newest::<Sequence>(wire, &folder).await? else {
            return Ok(None);
        };
        let key = layout.snapshot(number)?;
        if let Some(stored) = wire.get(&key, MAX_RECORD).await?.value {
            return read(wire, layout, number, &key, &stored).await.map(Some);
        }
        // Some servers show a new object late, and one that was superseded may go between the listing and the reading.
        let Some(pause) = wire.pause(looked) else {
            return Err(Error::new(ErrorKind::Corrupt, "a snapshot is listed and cannot be read").with_key(key));
        };
        wire.runtime().sleep(pause).await;
    }
}

async fn read(wire: &Wire, layout: &Layout, number: Sequence, key: &ObjectKey, stored: &[u8]) -> Result<Snapshot> {
    let (mut header, _): (SnapshotHeader, _) = decode_record(Kind::Snapshot, key, stored)?;
    header.check(number).map_err(|error| error.with_key(key))?;
    for object in std::mem::take(&mut header.index) {
        let part = log::named(wire, layout, &object, decode_index).await?;
        header.marks.extend(part.marks);
        header.clients.extend(part.clients);
        header.segments.extend(part.segments);
    }
    header.check_lists().map_err(|error| error.with_key(key))?;
    let SnapshotHeader { entry, documents, bytes, digest, time, marks, clients, segments, .. } = header;
    Ok(Snapshot { entry, documents, bytes, digest, time, marks, clients, segments })
}

fn decode_index(key: &ObjectKey, stored: &[u8]) -> Result<IndexHeader> {
    Ok(decode_record(Kind::Index, key, stored)?.0)
}

pub(super) async fn seal(wire: &Wire, layout: &Layout, checkpoint: u64, snapshot: &Snapshot) -> Result<SealedSnapshot> {
    let Snapshot { entry, documents, bytes, digest, time, marks, clients, segments } = snapshot.clone();
    let key = layout.snapshot(entry.sequence)?;
    let listed = (marks.len() + clients.len() + segments.len()) as u64;
    let (marks, clients, segments, index) = if listed <= most(wire, MAX_RECORD / REFERENCE) {
        (marks, clients, segments, Vec::new())
    } else {
        let lists = IndexHeader { key: String::new(), marks, clients, segments };
        (Vec::new(), Vec::new(), Vec::new(), store_index(wire, layout, checkpoint, lists).await?)
    };
    let announcement = Content::Snapshot { segments: segments.clone(), index: index.clone() };
    let header =
        SnapshotHeader { key: key.to_string(), entry, documents, bytes, digest, time, marks, clients, segments, index };
    header.check(entry.sequence).map_err(|error| error.with_key(&key))?;
    let bytes = encode_record(Kind::Snapshot, &header, &[])?;
    log::check_entry(wire, bytes.len() as u64).map_err(|error| error.with_operation("snapshot_seal").with_key(key))?;
    Ok(SealedSnapshot { sequence: entry.sequence, announcement, bytes })
}

/// How much an object lists, where it may list so much.
fn most(wire: &Wire, most: u64) -> u64 {
    (wire.capabilities().max_object / REFERENCE).clamp(1, most)
}

/// Stores the lists in objects of their own.
async fn store_index(wire: &Wire, layout: &Layout, checkpoint: u64, mut lists: IndexHeader) -> Result<Vec<SegmentRef>> {
    let most = usize::try_from(most(wire, INDEXED)).unwrap_or(1);
    let mut index = Vec::new();
    while !(lists.marks.is_empty() && lists.clients.is_empty() && lists.segments.is_empty()) {
        let key = layout.segment(checkpoint, new_nonce(wire.runtime())?)?;
        let mut room = most;
        let part = IndexHeader {
            key: key.to_string(),
            marks: take(&mut lists.marks, &mut room),
            clients: take(&mut lists.clients, &mut room),
            segments: take(&mut lists.segments, &mut room),
        };
        let stored = compute(wire.runtime(), move || encode_record(Kind::Index, &part, &[])).await??;
        wire.put(&key, std::slice::from_ref(&stored)).await?;
        let (length, hash) = (stored.len() as u64, Hash::of(&stored));
        index.push(SegmentRef { name: key.to_string(), length, hash });
    }
    Ok(index)
}

/// The first of a list, as many as there is room for.
fn take<T>(list: &mut Vec<T>, room: &mut usize) -> Vec<T> {
    let later = list.split_off(list.len().min(*room));
    *room -= list.len();
    std::mem::replace(list, later)
}

/// What it says is published was read back: nothing may be deleted on the word of one reply.
pub(super) async fn write(wire: &Wire, layout: &Layout, snapshot: &SealedSnapshot) -> Result<Written> {
    let key = layout.snapshot(snapshot.sequence)?;
    let fate = records::create(wire, &key, &snapshot.bytes).await?.value;
    let unknown = |error: Error| error.with_outcome(Outcome::Unknown).with_operation("snapshot_write");
    let there = wire.get(&key, MAX_RECORD).await.map_err(unknown)?.value;
    let Some(there) = there else {
        return Err(unknown(Error::new(ErrorKind::Corrupt, "a snapshot was stored and cannot be read").with_key(key)));
    };
    let same = there == snapshot.bytes;
    if !same && matches!(fate, Fate::Mine | Fate::Found) {
        let what = "a snapshot was stored and other bytes are there";
        return Err(unknown(Error::new(ErrorKind::Corrupt, what).with_key(key)));
    }
    read(wire, layout, snapshot.sequence, &key, &there).await.map_err(unknown)?;
    Ok(if same { Written::Committed } else { Written::Taken })
}

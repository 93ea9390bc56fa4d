//! What goes into a server and what comes out.

use std::ops::Sub;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::format::{LeaseKind, Mark, SegmentRef, SnapshotClient, SnapshotEntry};
use crate::model::{
    AttemptNumber, Change, ClientId, DocumentId, FencingToken, Hash, MetadataVersion, Nonce, Sequence, StoreId,
};
use crate::runtime::Ticks;
use crate::storage::ServerTime;

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// Its identity.
    pub id: StoreId,
    /// How long at least an entry is kept after a snapshot covers it.
    pub retention: Duration,
    /// BLAKE3 of its stored `format`: what entry 1 names as the entry before.
    pub hash: Hash,
}

/// How to initialise a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// How long at least an entry is kept after a snapshot covers it; 30 days by default.
    pub retention: Duration,
    /// Whether to probe the storage first; on by default, and off only for tests of what comes after.
    pub probe: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { retention: Duration::from_secs(30 * 24 * 3600), probe: true }
    }
}

impl StoreOptions {
    /// Sets how long at least an entry is kept after a snapshot covers it.
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Says whether to probe the storage first.
    pub fn with_probe(mut self, probe: bool) -> Self {
        self.probe = probe;
        self
    }
}

/// A place in the log: an entry's number and hash, or the store's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The entry's number; `None` before the first.
    pub sequence: Option<Sequence>,
    /// The entry's hash, or that of `format`.
    pub hash: Hash,
    /// The entry's time, which the next one's is never before.
    pub time: Option<ServerTime>,
}

impl Tip {
    /// The place before the first entry of a store.
    pub const fn beginning(store: &StoreInfo) -> Self {
        Self { sequence: None, hash: store.hash, time: None }
    }

    /// The number of the entry, 0 for none.
    pub fn number(&self) -> u64 {
        self.sequence.map_or(0, Sequence::get)
    }

    /// The number of the next entry.
    pub fn next(&self) -> crate::error::Result<Sequence> {
        self.sequence.map_or(Ok(Sequence::FIRST), Sequence::next)
    }
}

/// Who writes an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The client.
    pub client: ClientId,
    /// Its number for this attempt.
    pub attempt: AttemptNumber,
    /// The lease it works under, if any.
    pub lease: Option<FencingToken>,
    /// The newest server time it has seen.
    pub time: Option<ServerTime>,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// These changes.
    Changes(Vec<Change>),
    /// The changes of these segments, in order.
    Segments(Vec<SegmentRef>),
    /// A snapshot is about to be published; it changes no document.
    Snapshot {
        /// The segments that hold its documents, unless `index` names them.
        segments: Vec<SegmentRef>,
        /// The objects that name those segments, where they are too many for an entry.
        index: Vec<SegmentRef>,
    },
    /// A collection began; it changes no document.
    Collect,
    /// The domain ended here.
    Drop,
}

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// BLAKE3 of its stored bytes.
    pub hash: Hash,
    /// The hash of the entry before, or of `format`.
    pub previous: Hash,
    /// Who wrote it.
    pub client: ClientId,
    /// That client's number for the attempt.
    pub attempt: AttemptNumber,
    /// The fencing token it was written under, if any.
    pub lease: Option<FencingToken>,
    /// The newest server time its writer had seen: it never goes back along the log.
    pub time: Option<ServerTime>,
    /// Its stored bytes.
    pub size: u64,
    /// What it does.
    pub content: Content,
}

impl Entry {
    /// The place in the log that this entry is.
    pub fn tip(&self) -> Tip {
        Tip { sequence: Some(self.sequence), hash: self.hash, time: self.time }
    }
}

/// Changes that wait for their commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The writer's checkpoint when they were staged.
    pub checkpoint: u64,
    /// What the entry will hold.
    pub content: Content,
    /// The documents whose changes are left out, since no object that the storage takes can hold them.
    pub too_large: Vec<TooLarge>,
}

/// The live documents as of an entry: what is known of them before they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry it covers.
    pub entry: SnapshotEntry,
    /// How many documents it holds.
    pub documents: u64,
    /// How many body bytes they have.
    pub bytes: u64,
    /// The hash over the documents: see [`DocumentsDigest`](crate::format::DocumentsDigest).
    pub digest: Hash,
    /// The server's time at which its writer read the last entry.
    pub time: Option<ServerTime>,
    /// The number and hash of every 1,000th entry up to the last.
    pub marks: Vec<Mark>,
    /// Of each client its last attempt that became an entry with changes, in the order of the clients.
    pub clients: Vec<SnapshotClient>,
    /// The documents, as changes whose `base` is the entry that put them. Of several changes to one document the last counts, and
    /// one that is deleted last is no document.
    pub segments: Vec<SegmentRef>,
}

impl Snapshot {
    /// The place in the log that it leads to.
    pub fn tip(&self) -> Tip {
        let SnapshotEntry { sequence, hash, time } = self.entry;
        Tip { sequence: Some(sequence), hash, time }
    }

    /// The hash that it knows of this entry.
    pub fn hash_of(&self, number: Sequence) -> Option<Hash> {
        if number == self.entry.sequence {
            return Some(self.entry.hash);
        }
        let at = self.marks.binary_search_by_key(&number, |mark| mark.sequence).ok()?;
        self.marks.get(at).map(|mark| mark.hash)
    }

    /// The last attempt of this client, as it is listed.
    pub fn client(&self, client: &ClientId) -> Option<&SnapshotClient> {
        let at = self.clients.binary_search_by_key(client, |listed| listed.client).ok()?;
        self.clients.get(at)
    }
}

/// A snapshot ready to be announced and published.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSnapshot {
    /// The last entry it covers.
    pub sequence: Sequence,
    /// What its entry says.
    pub announcement: Content,
    /// What will be stored.
    pub bytes: Bytes,
}

impl std::fmt::Debug for SealedSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedSnapshot")
            .field("sequence", &self.sequence)
            .field("announcement", &self.announcement)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// A document that the storage takes no object for.
///
/// ```
/// use longshore_core::{Error, ErrorKind, TooLarge};
///
/// let film = TooLarge { id: "film".try_into()?, size: 3 << 20, limit: 1 << 20 };
/// let error = Error::from(film);
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// assert!(error.message().contains("film needs an object of 3145728 bytes"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The document.
    pub id: DocumentId,
    /// Bytes of the object that would hold its change, compressed.
    pub size: u64,
    /// The most bytes that the storage takes as one object ([`Capabilities::max_object`](crate::Capabilities)).
    pub limit: u64,
}

impl From<TooLarge> for Error {
    fn from(TooLarge { id, size, limit }: TooLarge) -> Self {
        let what = format!(
            "{id} needs an object of {size} bytes and the store takes at most {limit}; make it smaller, or use a store \
             that takes larger objects: its change is kept here"
        );
        Self::new(ErrorKind::Unsupported, what)
    }
}

/// An entry that was not sent yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The number it is for.
    pub sequence: Sequence,
    /// BLAKE3 of `bytes`.
    pub hash: Hash,
    /// What will be stored.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("sequence", &self.sequence)
            .field("hash", &self.hash)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// How a commit was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The entry is in the log.
    Committed,
    /// Another entry has the number.
    Taken,
    /// The number lies at or below the newest snapshot's: only that snapshot can say what became of the entry.
    BelowFloor,
}

/// The right to maintain the store for a while. Its time is the holder's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The fencing token: the number of the record that granted or renewed it.
    pub token: FencingToken,
    /// The random identity of the grant.
    pub nonce: Nonce,
    /// When it ends, on the holder's clock: counted from before the request was sent.
    pub until: Ticks,
    /// For how long it was granted.
    pub ttl: Duration,
    /// Why.
    pub purpose: String,
}

impl Lease {
    /// Whether its time is up.
    pub fn expired(&self, now: Ticks) -> bool {
        now >= self.until
    }
}

/// When a watcher first saw a lease record: kept between calls and restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The record.
    pub token: FencingToken,
    /// When it was first seen, on the watcher's clock.
    pub at: Ticks,
    /// The boot that the clock counts in.
    pub boot: String,
}

/// A call for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockRequest {
    /// Why, for whoever has to wait: at most 200 characters.
    pub purpose: String,
    /// For how long; 30 seconds by default, between 1 second and 1 hour.
    pub ttl: Duration,
    /// The caller's last sighting of a lease that it waits for.
    pub sighting: Option<Sighting>,
    /// Take it from whoever holds it. Only for a user who knows that the holder is gone.
    pub force: bool,
}

impl LockRequest {
    /// A call for 30 seconds.
    pub fn new(purpose: impl Into<String>) -> Self {
        Self { purpose: purpose.into(), ttl: Duration::from_secs(30), sighting: None, force: false }
    }

    /// Sets for how long.
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the last sighting.
    pub fn with_sighting(mut self, sighting: Option<Sighting>) -> Self {
        self.sighting = sighting;
        self
    }

    /// Takes it from whoever holds it.
    pub fn with_force(mut self) -> Self {
        self.force = true;
        self
    }
}

/// How a call for the lease was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The caller has it.
    Granted(Lease),
    /// Somebody else has it.
    Held(Held),
}

/// Somebody else's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The newest record.
    pub kind: LeaseKind,
    /// Why, in the holder's words.
    pub purpose: String,
    /// For how long it was granted.
    pub ttl: Duration,
    /// When this caller first saw it: give it back with the next call.
    pub sighting: Sighting,
    /// After how long it will count as stale, if no new record comes.
    pub remaining: Duration,
}

/// A version of a piece of metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its number.
    pub version: MetadataVersion,
    /// What the app stored.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata").field("version", &self.version).field("bytes", &self.bytes.len()).finish()
    }
}

/// Requests and bytes, counted at the storage call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Storage calls.
    pub requests: u64,
    /// Object bytes sent.
    pub bytes_up: u64,
    /// Object bytes received.
    pub bytes_down: u64,
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
        }
    }
}

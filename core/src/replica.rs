//! One device's local state, as the engine drives it: documents, outbox, journal, conflicts.
//!
//! An app uses the embedded one (crate `longshore-replica`), or implements [`Replica`] over its own database. The engine
//! decides everything; a replica only stores, and moves in whole [`Batch`]es.
//!
//! # The rules
//! 1. **A batch is one transaction.** Either all its steps are durable when [`Replica::apply`] returns, or none is.
//! 2. **Row numbers are never used again**, also after a restart, and grow in the order the app wrote.
//! 3. **A write by the app while a batch is being prepared makes that batch stale**, if they touch the same document
//!    ([`Batch::seen`]). A stale batch changes nothing.
//! 4. **A local write and its outbox row are one transaction.** Where the app's own store cannot do that, it reports through
//!    [`Replica::uncommitted`] what the outbox may lack, deletions included.

mod memory;

pub use memory::MemoryReplica;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Action, AttemptNumber, Base, Change, Document, DocumentId, Hash, Revision, RowNumber, Sequence};

/// The right to sync a replica, given up when it is dropped.
pub struct Claim(#[expect(dead_code, reason = "held for its `Drop`")] Box<dyn Any + Send + Sync>);

impl Claim {
    /// A claim that lasts as long as `guard` lives.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim")
    }
}

/// A set of outbox rows, kept as ranges.
///
/// ```
/// use longshore_core::{RowNumber, RowSet};
///
/// let rows: RowSet = [1, 2, 3, 7].into_iter().map(RowNumber::new).collect::<Result<_, _>>()?;
/// assert_eq!(rows.ranges(), &[(1, 3), (7, 7)]);
/// assert_eq!(rows.len(), 4);
/// assert!(rows.contains(RowNumber::new(2)?));
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowSet(Vec<(u64, u64)>);

impl RowSet {
    /// Its ranges, first and last included, ascending.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many rows it has.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the row is one of them.
    pub fn contains(&self, row: RowNumber) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= row.get());
        after > 0 && self.0[after - 1].1 >= row.get()
    }
}

impl FromIterator<RowNumber> for RowSet {
    fn from_iter<I: IntoIterator<Item = RowNumber>>(rows: I) -> Self {
        let mut sorted: Vec<u64> = rows.into_iter().map(RowNumber::get).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for row in sorted {
            match ranges.last_mut() {
                Some((_, last)) if row <= *last + 1 => *last = row,
                _ => ranges.push((row, row)),
            }
        }
        Self(ranges)
    }
}

/// One try to commit: what must be durable before anything is sent.
///
/// `bytes` go to the log under `sequence` unchanged, however often; only an entry with this very `hash` is ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from the client.
    pub number: AttemptNumber,
    /// The entry's number that it tries to take.
    pub sequence: Sequence,
    /// BLAKE3 of `bytes`.
    pub hash: Hash,
    /// The stored bytes of the entry.
    pub bytes: Bytes,
    /// The rows it commits; of each document only the newest is named.
    pub rows: RowSet,
}

#[derive(Serialize, Deserialize)]
struct AttemptHeader {
    number: AttemptNumber,
    sequence: Sequence,
    rows: RowSet,
}

impl Attempt {
    /// The attempt as bytes, for a replica to store.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use longshore_core::{Attempt, AttemptNumber, Hash, RowSet, Sequence};
    ///
    /// let attempt = Attempt {
    ///     number: AttemptNumber::FIRST,
    ///     sequence: Sequence::FIRST,
    ///     hash: Hash::of(b"entry"),
    ///     bytes: Bytes::from("entry"),
    ///     rows: RowSet::default(),
    /// };
    /// assert_eq!(Attempt::decode(&attempt.encode()?)?, attempt);
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn encode(&self) -> Result<Bytes> {
        let header = AttemptHeader { number: self.number, sequence: self.sequence, rows: self.rows.clone() };
        let mut out = serde_json::to_vec(&header)
            .map_err(|error| Error::new(ErrorKind::Internal, "an attempt cannot be written").with_source(error))?;
        out.push(b'\n');
        out.extend_from_slice(&self.bytes);
        Ok(out.into())
    }

    /// The attempt of these bytes; `Corrupt` if [`encode`](Self::encode) never gave them.
    pub fn decode(stored: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "the journalled attempt is damaged");
        let end = stored.iter().position(|byte| *byte == b'\n').ok_or_else(corrupt)?;
        let header: AttemptHeader =
            serde_json::from_slice(&stored[..end]).map_err(|error| corrupt().with_source(error))?;
        let bytes = Bytes::copy_from_slice(&stored[end + 1..]);
        Ok(Self { number: header.number, sequence: header.sequence, hash: Hash::of(&bytes), bytes, rows: header.rows })
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("sequence", &self.sequence)
            .field("hash", &self.hash)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

/// What a replica remembers for the engine.
#[derive(Clone, Default)]
pub struct Loaded {
    /// The engine's own state, as the last [`Step::State`] gave it; none before the first.
    pub state: Option<Bytes>,
    /// The attempt whose outcome is open, if there is one.
    pub attempt: Option<Attempt>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("state", &self.state.as_ref().map(Bytes::len))
            .field("attempt", &self.attempt)
            .finish()
    }
}

/// A document's newest outbox row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingChange {
    /// The row.
    pub row: RowNumber,
    /// The document as it is now, with the base that its edit started from.
    pub change: Change,
}

/// What one outbox row would leave of its document, without the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// A body with this BLAKE3 hash.
    Put(Hash),
    /// Nothing.
    Delete,
}

impl Digest {
    /// The digest of this action.
    pub fn of(action: &Action) -> Self {
        action.body().map_or(Self::Delete, |body| Self::Put(Hash::of(body)))
    }
}

/// One outbox row, without the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRow {
    /// Its number.
    pub row: RowNumber,
    /// What it leaves.
    pub digest: Digest,
}

/// The outbox, as far as some documents are concerned.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// The highest row number ever given, over all documents; none if the app never wrote.
    pub last_row: Option<RowNumber>,
    /// The rows of the documents that were asked for and have some, ascending.
    pub rows: BTreeMap<DocumentId, Vec<PendingRow>>,
    /// Of the documents in `rows`, the entry whose version, or deletion, this replica took last: that of the recorded conflict,
    /// else the base. Missing for one that no entry is known of.
    pub taken: BTreeMap<DocumentId, Sequence>,
}

/// A document that is there by the entries that this replica took, whatever the app did since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The document.
    pub id: DocumentId,
    /// The entry that put it.
    pub sequence: Sequence,
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// The document is there.
    Present(Document),
    /// It was deleted.
    Deleted,
}

/// What both sides of a conflict started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseVersion {
    /// The document was not there: both created it, or created it again after its deletion.
    New,
    /// This document.
    Known(Document),
    /// A document whose bytes this replica no longer has.
    NotKept,
}

/// A remote change to a document that has a pending local one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The document.
    pub id: DocumentId,
    /// What both started from.
    pub base: BaseVersion,
    /// What this replica has now.
    pub local: Version,
    /// What the log has.
    pub remote: Version,
    /// The entry that holds `remote`.
    pub sequence: Sequence,
    /// The newest pending row of the document: an answer counts only while it is still the newest.
    pub row: RowNumber,
}

/// What the app decides about a conflict.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Push the local version over the remote one.
    KeepLocal,
    /// Take the remote version and drop the local change.
    TakeRemote,
    /// Push this body, with this revision, over both.
    Merge {
        /// The app's hint about the merged version.
        revision: Option<Revision>,
        /// The merged body.
        body: Bytes,
    },
    /// Take the remote version, and keep the local one as a new document of this id.
    KeepBoth {
        /// The id of the copy. It must not be a document yet.
        copy: DocumentId,
    },
    /// Ask again at the next sync. Until then the document is not pushed.
    Later,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeepLocal => f.write_str("KeepLocal"),
            Self::TakeRemote => f.write_str("TakeRemote"),
            Self::Merge { revision, body } => {
                f.debug_struct("Merge").field("revision", revision).field("bytes", &body.len()).finish()
            }
            Self::KeepBoth { copy } => f.debug_struct("KeepBoth").field("copy", copy).finish(),
            Self::Later => f.write_str("Later"),
        }
    }
}

/// One part of a [`Batch`]. Of one document there may be several `Settle`, and behind them one `Store` or `Conflict`: do them in
/// their order.
#[derive(Clone)]
#[non_exhaustive]
pub enum Step {
    /// The engine's own state; it replaces the last.
    State(Bytes),
    /// A remote change to a document without pending rows: the document becomes this, or goes. Its new base is
    /// `sequence` with the change's revision. Deleting an absent document is nothing.
    Store {
        /// What to store. Its `base` does not matter.
        change: Change,
        /// The entry that holds it.
        sequence: Sequence,
    },
    /// A remote change equals a pending row: drop this document's rows up to and including `row`, and a recorded conflict.
    /// The document's new base is `base`, and that version its base version; a later row stays, now based on it. Without a
    /// later row the document takes the base's revision, or goes if the row deleted it.
    Settle {
        /// The document.
        id: DocumentId,
        /// The last row to drop.
        row: RowNumber,
        /// The entry that holds the equal change.
        base: Base,
    },
    /// A remote change to a document with pending rows: record it, in the place of an earlier one.
    Conflict {
        /// The remote change.
        change: Change,
        /// The entry that holds it.
        sequence: Sequence,
    },
    /// The app's answer to a recorded conflict; never `Later`. The batch is stale unless `row` is still the newest of the
    /// document and its conflict is still recorded; `Invalid` if [`Answer::KeepBoth`] names a document that exists. What stays
    /// pending is based on the remote version from now on.
    Answer {
        /// The document.
        id: DocumentId,
        /// The newest row that the app saw.
        row: RowNumber,
        /// What it decided.
        answer: Answer,
    },
    /// Makes this the one attempt whose outcome is open.
    Journal(Attempt),
    /// The open attempt is in the log: each of its rows that is still there is dropped as by `Settle` with the attempt's
    /// sequence and the row's own revision, and its hash stays journalled. No attempt is open any more.
    Commit,
    /// The open attempt will never be in the log. Its rows stay. No attempt is open any more.
    Abandon,
    /// Keeps these bytes of the engine under this name, in the place of earlier ones, until the next `Unshelve`: parts of a snapshot,
    /// each of some MiB, that were fetched and cannot be applied yet.
    Shelve {
        /// The name.
        name: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// Forgets all that was kept by `Shelve`.
    Unshelve,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "State({} bytes)", state.len()),
            Self::Store { change, sequence } => {
                f.debug_struct("Store").field("change", change).field("sequence", sequence).finish()
            }
            Self::Settle { id, row, base } => {
                f.debug_struct("Settle").field("id", id).field("row", row).field("base", base).finish()
            }
            Self::Conflict { change, sequence } => {
                f.debug_struct("Conflict").field("change", change).field("sequence", sequence).finish()
            }
            Self::Answer { id, row, answer } => {
                f.debug_struct("Answer").field("id", id).field("row", row).field("answer", answer).finish()
            }
            Self::Journal(attempt) => f.debug_tuple("Journal").field(attempt).finish(),
            Self::Commit => f.write_str("Commit"),
            Self::Abandon => f.write_str("Abandon"),
            Self::Shelve { name, bytes } => write!(f, "Shelve({name}, {} bytes)", bytes.len()),
            Self::Unshelve => f.write_str("Unshelve"),
        }
    }
}

/// Steps that become durable together.
///
/// A step that the present rows cannot bear is a defect of the engine, and `Internal`: a `Store` over pending rows that the
/// engine has seen, a `Conflict` without any, a `Settle` of a row that is not there, a `Commit` without an open attempt.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The highest row number that the engine had seen when it decided. If a document of a `Store`, `Settle` or `Conflict`
    /// step has a later row, the batch is stale. `None`: it had seen no row.
    pub seen: Option<RowNumber>,
    /// What to do, in this order.
    pub steps: Vec<Step>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// All of it is durable.
    Done,
    /// Nothing was changed: the app wrote in the meantime. Decide again.
    Stale,
}

/// One device's documents, outbox, journal and conflicts. See the [module](self) for the rules.
#[async_trait]
pub trait Replica: fmt::Debug + Send + Sync {
    /// Claims the replica for syncing, or fails with `Locked` if another process, or another part of this one, has it.
    /// Reading and writing documents needs no claim and waits for none.
    async fn claim(&self) -> Result<Claim>;

    /// What the replica remembers for the engine.
    async fn load(&self) -> Result<Loaded>;

    /// Stores an app's change and its outbox row, and says the row's number. The replica fills in the base: the entry its
    /// document is from. Deleting an absent document is a row too: the log may have it.
    async fn queue(&self, change: Change) -> Result<RowNumber>;

    /// Changes in the app's own store that the outbox may lack, deletions included; asked once at the start of a sync, and
    /// then queued. Nothing where documents and outbox share a transaction.
    async fn uncommitted(&self) -> Result<Vec<Change>>;

    /// Pending changes in the order of their rows: only the newest row of each document, only rows after `after` and up to
    /// and including `last`, none of a document with a recorded conflict. A document whose newest row is after `last` is left
    /// out: its earlier body may be gone. At least one if there is one; then as many as have `bytes` bytes of ids and bodies
    /// together. Each body is the one of its row, not of a later one.
    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>>;

    /// The outbox rows of these documents.
    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox>;

    /// How many documents have pending rows.
    async fn pending_count(&self) -> Result<u64>;

    /// The documents with a recorded conflict, in the order of their ids.
    async fn conflicts(&self) -> Result<Vec<DocumentId>>;

    /// A recorded conflict with all its sides.
    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>>;

    /// Whether the document exists here. For plans: whether a remote change creates or updates.
    async fn contains(&self, id: &DocumentId) -> Result<bool>;

    /// Whether an attempt of this hash was ever committed by this replica.
    async fn committed(&self, hash: &Hash) -> Result<bool>;

    /// The documents that are there by the entries that this replica took, in the order of their ids: the first `limit` after
    /// `after`. The app's pending changes do not count: a document that it created and did not commit is none of them, and one that
    /// it deleted stays one until that is committed. Of a document with a recorded conflict it is the other side that counts.
    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>>;

    /// What [`Step::Shelve`] kept under this name.
    async fn shelved(&self, name: &str) -> Result<Option<Bytes>>;

    /// Does all steps of a batch in one transaction, or none.
    async fn apply(&self, batch: Batch) -> Result<Applied>;
}

const _: fn(&dyn Replica) = |_| {};

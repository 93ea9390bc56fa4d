//! The shared database: the operations of the specification, over whatever holds the data.
//!
//! "The specification" on these pages is the list of operations of db-to-cloud, the ancestor of this library: an app that knows
//! them finds each here.
//!
//! A server has one append-only log of numbered entries, one lease, and named metadata; it is the single source of truth. The
//! core implements it once over any [`Storage`](crate::Storage) as [`StoredServer`]; the engine sees only this trait. An
//! adapter over a real database may implement it directly.
//!
//! | specification | here |
//! | --- | --- |
//! | server: `Lock`, `Unlock` | [`Server::lock`], [`Server::renew`], [`Server::unlock`] |
//! | server: `Put` | [`Server::put`] |
//! | server: `ChangesWrite` | [`Server::prepare`] and [`Server::changes_write`]; in one call [`ServerExt::commit`] |
//! | server: `ChangesRead` | [`Server::changes_read`] (and [`Server::segment`] for what an entry names) |
//! | server: `Get` | [`Server::get`] |
//! | server: `MetadataRead`, `MetadataWrite` | [`Server::metadata_read`], [`Server::metadata_write`] |
//! | client: `Sync` | [`Client::sync`](crate::Client::sync) |
//! | client: `QueueChange` | [`Client::queue_change`](crate::Client::queue_change) |
//! | client: `MetadataRead`, `MetadataWrite` | [`Client::metadata_read`](crate::Client::metadata_read), [`Client::metadata_write`](crate::Client::metadata_write) |
//!
//! # The rules
//! Those of [`storage`](crate::storage), and:
//! 1. **Entries are dense and immutable.** Entry *n* exists only if *n* − 1 did; no number is ever used twice.
//! 2. **An entry is committed by its bytes.** [`Server::changes_write`] of the same bytes at the same number is the same commit,
//!    however often it is sent and whenever it lands. Other bytes at a taken number are [`Written::Taken`].
//! 3. **A commit is atomic**: all its changes become visible, or none.
//! 4. **What a snapshot covers may go, nothing else.** An entry is deleted only at or below the number of a published snapshot.
//! 5. **Fencing tokens only grow**, and two unexpired leases never overlap. The lease keeps work from being wasted; it is not
//!    what keeps data safe.
//!
//! # What is not promised
//! That a lease's holder is alone when its clock has stopped; that an entry is kept for ever (see [`Server::floor`]).
//!
//! # Over a real database
//! An entry is a row whose primary key is its number; [`Server::changes_write`] is one insert that fails on a taken key; the
//! hash of the stored bytes is what tells one's own row from another's, so keep the bytes. [`Server::put`] may hold the
//! changes in a staging table; rows no entry names are garbage after the retention.
//!
//! A snapshot is a row whose key is the number of the last entry it covers, inserted as an entry is; its documents lie in the
//! staging table like those of a large commit. [`Server::trim`] deletes rows of entries. A database that has room may leave that to
//! its keeper and delete nothing: snapshots are then only a faster beginning for new replicas.

mod ext;
mod stored;
mod types;

pub use ext::ServerExt;
pub use stored::StoredServer;
pub use types::{
    Author, Content, Entry, Held, Lease, LockRequest, Locked, Metadata, Prepared, SealedSnapshot, Sighting, Snapshot,
    Staged, StoreInfo, StoreOptions, Tip, TooLarge, Traffic, Written,
};

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::format::SegmentRef;
use crate::model::{Change, Document, DocumentId, MetadataName, MetadataVersion, Sequence};
use crate::storage::Reply;

/// Changes on their way into a commit.
pub type ChangeStream<'a> = BoxStream<'a, Result<Change>>;

/// The shared database. See the [module](self) for the rules that bind it.
///
/// ```
/// use std::sync::Arc;
/// use longshore_core::{DomainName, MemoryStorage, MetadataName, Server, StoreOptions, StoredServer, TokioRuntime};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let server = StoredServer::new(Arc::new(MemoryStorage::new()), Arc::new(TokioRuntime), &DomainName::default())?;
/// assert!(server.store().await?.value.is_none());
/// let info = server.initialize(&StoreOptions::default()).await?;
/// assert_eq!(server.store().await?.value.unwrap().id, info.id);
///
/// let name = MetadataName::new("schema")?;
/// let first = server.metadata_write(&name, None, "1".into()).await?;
/// assert_eq!(server.metadata_read(&name).await?.unwrap().version, first);
/// assert!(server.metadata_write(&name, None, "2".into()).await.is_err());
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[async_trait]
pub trait Server: fmt::Debug + Send + Sync {
    /// What the store is; `None` if nothing is initialised there. One request.
    ///
    /// Errors: `Missing` and `Denied` as the storage gives them, `Corrupt`, `Unsupported` for a newer format.
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>>;

    /// Initialises the store, or adopts it if it is initialised already; says what it is then.
    ///
    /// Before it writes, it probes by behaviour that the storage keeps its rules: `Unsupported` says which it breaks. Where
    /// something of a store lies without its `format`, it is damaged: `Corrupt`. Cancelled or failed, it can be called again.
    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo>;

    /// The newest snapshot's number; `None` if there is no snapshot. Entries up to it may be gone. One listing.
    async fn floor(&self) -> Result<Option<Sequence>>;

    /// Reads `count` numbers of the log from `from` on, all at once; each reply is the entry, or `None` if there is none.
    ///
    /// Exactly `count` replies, in order. An entry behind a missing one is possible while a commit lands.
    /// Errors: `Corrupt` names the object; nothing is skipped. One request each.
    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>>;

    /// Reads the changes of a segment that an entry names. `Corrupt` if it is gone or its bytes are not those named.
    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>>;

    /// Stages changes; nothing is visible until [`changes_write`](Self::changes_write). `checkpoint` is the writer's: the
    /// number of the last entry it applied, 0 for none.
    ///
    /// Few changes stay in memory until the commit; more go up as segments of 8 MiB compressed, or of less where the storage
    /// takes no such object. A change that is too large by itself is left out, and [`Staged::too_large`] says so. Once
    /// there is as much as one entry can name, the rest of the stream is not read: what was not read is not staged, and is for
    /// the next entry. Interrupted, it leaves segments that nobody names.
    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged>;

    /// The newest snapshot, all but its documents, which [`segment`](Self::segment) reads; `None` if there is none.
    ///
    /// Everything that it says was checked against itself. One that is listed and cannot be read, or is damaged: `Corrupt`, with
    /// its name. A listing, the snapshot, and one read for each object of its index, if it has one.
    async fn snapshot(&self) -> Result<Option<Snapshot>>;

    /// Stages the documents of a snapshot: `put` changes whose `base` is the entry that put them, and the deletions that undo
    /// earlier segments. Nothing is visible until the snapshot is published. `checkpoint` is the number of the last entry that the
    /// caller read.
    ///
    /// All of them go into segments, however few or many there are; none for no change. `Unsupported` names a document that is too
    /// large for the storage. Interrupted, it leaves segments that nobody names.
    async fn snapshot_put(&self, checkpoint: u64, documents: ChangeStream<'_>) -> Result<Vec<SegmentRef>>;

    /// Makes the object that would publish a snapshot, and what its entry says. Lists that are too long for one object are stored in
    /// others first, as [`snapshot_put`](Self::snapshot_put) stores documents; otherwise nothing is sent.
    async fn snapshot_seal(&self, checkpoint: u64, snapshot: &Snapshot) -> Result<SealedSnapshot>;

    /// Publishes a snapshot whose entry is in the log. `Taken` if another of the same number is there already: that one counts.
    ///
    /// When it returns, what is published was read back and is whole. Calling it again with the same is harmless. An error with
    /// outcome `Unknown` leaves open whether it is published.
    async fn snapshot_write(&self, snapshot: &SealedSnapshot) -> Result<Written>;

    /// Deletes the entries up to and including `through`, the lowest first, and says how many there were; with `dry_run` it only
    /// says it.
    ///
    /// `Invalid` if no published snapshot covers `through`. Whether their time has come is the caller's to know. Interrupted, the
    /// rest is left for the next call.
    async fn trim(&self, through: Sequence, dry_run: bool) -> Result<u64>;

    /// Makes the entry that would commit what was staged behind `after`, or announce a snapshot, or begin a collection. It sends
    /// nothing: journal the result first.
    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared>;

    /// Commits a prepared entry, or says that its number is taken. The reply's time is that of the proof.
    ///
    /// A lost reply is resolved by reading back, and the same bytes go to the same number again, within bounds. An error with
    /// outcome `Unknown` leaves the question open: call again with the same entry, never with another number.
    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>>;

    /// The newest committed document; `None` if there is none of this id, or it was deleted.
    ///
    /// It walks the log behind the newest snapshot, and that: for inspection and on demand. Replicas read locally.
    async fn get(&self, id: &DocumentId) -> Result<Option<Document>>;

    /// Takes the lease, or says who holds it.
    ///
    /// A lease counts as stale when no new record came for its whole time-to-live after this watcher's first look
    /// ([`LockRequest::sighting`], which the caller keeps between calls and restarts).
    async fn lock(&self, request: &LockRequest) -> Result<Locked>;

    /// Prolongs a lease; the new one has a new token. `Fenced` if it was lost.
    async fn renew(&self, lease: &Lease) -> Result<Lease>;

    /// Gives a lease back. `Fenced` if it was lost already, which harms nobody.
    async fn unlock(&self, lease: &Lease) -> Result<()>;

    /// The newest version of a piece of metadata; `None` if it was never written.
    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>>;

    /// Writes a new version if `expected` is still the newest (`None`: if there is none yet), and says its number.
    ///
    /// `Conflict` tells the newest version instead; its outcome is `Unknown` if the write took so long (half an hour) that the
    /// version may have been there for a while, and another is the newest by now. At most 512 KiB.
    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion>;

    /// What this server object has sent and received since it was made. Counters only grow.
    fn traffic(&self) -> Traffic;
}

const _: fn(&dyn Server) = |_| {};

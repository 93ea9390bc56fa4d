//! A server over any storage: lock files, an append-only log and metadata blobs, all as numbered records created once.

mod lease;
mod log;
mod meta;
mod probe;
mod records;
mod snapshot;
mod store;
mod trim;
mod wire;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::instrument;

use self::wire::Wire;
use super::{
    Author, ChangeStream, Entry, Lease, LockRequest, Locked, Metadata, Prepared, SealedSnapshot, Server, Snapshot,
    Staged, StoreInfo, StoreOptions, Tip, Traffic, Written,
};
use crate::error::Result;
use crate::format::{Layout, SegmentRef};
use crate::model::{Change, Document, DocumentId, DomainName, MetadataName, MetadataVersion, Sequence};
use crate::runtime::Runtime;
use crate::storage::{Capabilities, Reply, Storage};

/// The server on a storage, for one domain.
///
/// All retries of requests stand here, in one place: reads, puts, listings and deletes that fail with `Unavailable` are
/// repeated a few times, with growing, jittered pauses or after as long as the server asks. A `create` that may have taken
/// effect is repeated only after its name was read back.
pub struct StoredServer {
    wire: Wire,
    layout: Layout,
    domain: DomainName,
}

impl StoredServer {
    /// The server for this domain of the store on this storage. It does no I/O.
    pub fn new(storage: Arc<dyn Storage>, runtime: Arc<dyn Runtime>, domain: &DomainName) -> Result<Self> {
        let layout = Layout::new(domain)?;
        Ok(Self { wire: Wire::new(storage, runtime), layout, domain: domain.clone() })
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// What the storage says it guarantees.
    pub fn capabilities(&self) -> Capabilities {
        self.wire.capabilities()
    }

    /// Tries by behaviour whether the storage keeps the rules of [`storage`](crate::storage): an object is created twice, and
    /// by several at once, read and listed. It leaves no object behind. `Unsupported` says which rule is broken.
    pub async fn probe(&self) -> Result<()> {
        probe::probe(&self.wire).await
    }
}

impl fmt::Debug for StoredServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredServer").field("domain", &self.domain).finish_non_exhaustive()
    }
}

#[async_trait]
impl Server for StoredServer {
    #[instrument(level = "debug", skip_all)]
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>> {
        store::read(&self.wire).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo> {
        store::initialize(&self.wire, options).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn floor(&self) -> Result<Option<Sequence>> {
        let newest = records::newest::<Sequence>(&self.wire, &self.layout.snapshots()?).await?;
        Ok(newest)
    }

    #[instrument(level = "debug", skip_all)]
    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        log::read(&self.wire, &self.layout, from, count).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>> {
        log::segment(&self.wire, &self.layout, segment).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
        log::stage(&self.wire, &self.layout, checkpoint, changes).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        snapshot::newest(&self.wire, &self.layout).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn snapshot_put(&self, checkpoint: u64, documents: ChangeStream<'_>) -> Result<Vec<SegmentRef>> {
        log::stage_segments(&self.wire, &self.layout, checkpoint, documents).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn snapshot_seal(&self, checkpoint: u64, snapshot: &Snapshot) -> Result<SealedSnapshot> {
        snapshot::seal(&self.wire, &self.layout, checkpoint, snapshot).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn snapshot_write(&self, snapshot: &SealedSnapshot) -> Result<Written> {
        store::settle(&self.wire).await?;
        snapshot::write(&self.wire, &self.layout, snapshot).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn trim(&self, through: Sequence, dry_run: bool) -> Result<u64> {
        trim::entries(&self.wire, &self.layout, through, dry_run).await
    }

    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
        log::prepare(&self.wire, &self.layout, after, author, staged)
    }

    #[instrument(level = "debug", skip_all)]
    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>> {
        store::settle(&self.wire).await?;
        log::write(&self.wire, &self.layout, entry).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        log::find(self, id).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        store::settle(&self.wire).await?;
        lease::lock(&self.wire, &self.layout, request).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn renew(&self, lease: &Lease) -> Result<Lease> {
        store::settle(&self.wire).await?;
        lease::renew(&self.wire, &self.layout, lease).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn unlock(&self, lease: &Lease) -> Result<()> {
        store::settle(&self.wire).await?;
        lease::unlock(&self.wire, &self.layout, lease).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        meta::read(&self.wire, &self.layout, name).await
    }

    #[instrument(level = "debug", skip_all)]
    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        store::settle(&self.wire).await?;
        meta::write(&self.wire, &self.layout, name, expected, bytes).await
    }

    fn traffic(&self) -> Traffic {
        self.wire.traffic()
    }
}

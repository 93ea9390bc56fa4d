//! A server whose calls wait for their turn.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::format::SegmentRef;
use longshore_core::{
    Author, Change, ChangeStream, Document, DocumentId, Entry, Lease, LockRequest, Locked, Metadata, MetadataName,
    MetadataVersion, Prepared, Reply, Result, Sequence, Server, Staged, StoreInfo, StoreOptions, Tip, Traffic, Written,
};

use super::Pace;
use crate::release::Last;

#[derive(Debug)]
pub(super) struct Paced {
    pub(super) inner: Arc<dyn Server>,
    /// Behind `inner`: fields are dropped in their order.
    pub(super) _last: Last<dyn Server>,
    pub(super) pace: Arc<Pace>,
}

#[async_trait]
impl Server for Paced {
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>> {
        self.pace.turn().await;
        self.inner.store().await
    }

    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo> {
        self.pace.turn().await;
        self.inner.initialize(options).await
    }

    async fn floor(&self) -> Result<Option<Sequence>> {
        self.pace.turn().await;
        self.inner.floor().await
    }

    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        self.pace.turn().await;
        self.inner.changes_read(from, count).await
    }

    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>> {
        self.pace.turn().await;
        self.inner.segment(segment).await
    }

    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
        self.pace.turn().await;
        self.inner.put(checkpoint, changes).await
    }

    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
        self.inner.prepare(after, author, staged)
    }

    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>> {
        self.pace.turn().await;
        self.inner.changes_write(entry).await
    }

    async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        self.pace.turn().await;
        self.inner.get(id).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        self.pace.turn().await;
        self.inner.lock(request).await
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease> {
        self.pace.turn().await;
        self.inner.renew(lease).await
    }

    async fn unlock(&self, lease: &Lease) -> Result<()> {
        self.pace.turn().await;
        self.inner.unlock(lease).await
    }

    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        self.pace.turn().await;
        self.inner.metadata_read(name).await
    }

    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        self.pace.turn().await;
        self.inner.metadata_write(name, expected, bytes).await
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

//! A server each of whose calls lets others run first: a sync over it can be dropped between any two calls.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::format::SegmentRef;
use longshore_core::{
    Author, Change, ChangeStream, Document, DocumentId, Entry, Lease, LockRequest, Locked, Metadata, MetadataName,
    MetadataVersion, Prepared, Reply, Result, Sequence, Server, Staged, StoreInfo, StoreOptions, Tip, Traffic, Written,
};
use tokio::task::yield_now;

#[derive(Debug)]
pub(super) struct Yielding(pub(super) Arc<dyn Server>);

/// Also after the call: what took effect may never be learned.
async fn apart<T>(call: impl Future<Output = T>) -> T {
    yield_now().await;
    let result = call.await;
    yield_now().await;
    result
}

#[async_trait]
impl Server for Yielding {
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>> {
        apart(self.0.store()).await
    }

    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo> {
        apart(self.0.initialize(options)).await
    }

    async fn floor(&self) -> Result<Option<Sequence>> {
        apart(self.0.floor()).await
    }

    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        apart(self.0.changes_read(from, count)).await
    }

    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>> {
        apart(self.0.segment(segment)).await
    }

    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
        apart(self.0.put(checkpoint, changes)).await
    }

    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
        self.0.prepare(after, author, staged)
    }

    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>> {
        apart(self.0.changes_write(entry)).await
    }

    async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        apart(self.0.get(id)).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        apart(self.0.lock(request)).await
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease> {
        apart(self.0.renew(lease)).await
    }

    async fn unlock(&self, lease: &Lease) -> Result<()> {
        apart(self.0.unlock(lease)).await
    }

    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        apart(self.0.metadata_read(name)).await
    }

    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        apart(self.0.metadata_write(name, expected, bytes)).await
    }

    fn traffic(&self) -> Traffic {
        self.0.traffic()
    }
}

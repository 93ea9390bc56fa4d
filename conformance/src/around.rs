//! A storage or a server whose every call has something around it, and goes on as it is.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::format::SegmentRef;
use longshore_core::{
    Author, ByteRange, Capabilities, Change, ChangeStream, Created, Document, DocumentId, Entry, Folder, Lease,
    Listing, LockRequest, Locked, Metadata, MetadataName, MetadataVersion, Object, ObjectKey, Payload, Prepared, Reply,
    Result, SealedSnapshot, Sequence, Server, Snapshot, Staged, Storage, StoreInfo, StoreOptions, Tip, Traffic,
    Written,
};

/// What is around every call. Those that ask nobody (`capabilities`, `prepare`, `traffic`) go by.
pub(crate) trait Around: fmt::Debug + Send + Sync + 'static {
    /// Makes the call.
    fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send;
}

/// A client with something around its calls.
#[derive(Debug)]
pub(crate) struct Wrapped<C: ?Sized, A> {
    pub(crate) inner: Arc<C>,
    /// Dropped behind `inner`.
    pub(crate) around: A,
}

#[async_trait]
impl<A: Around> Storage for Wrapped<dyn Storage, A> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.inner.adopt(method)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.around.call(self.inner.create(key, bytes)).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.around.call(self.inner.put(key, payload)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.around.call(self.inner.get(key, range)).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.around.call(self.inner.list(folder, after)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.around.call(self.inner.delete(key)).await
    }
}

#[async_trait]
impl<A: Around> Server for Wrapped<dyn Server, A> {
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>> {
        self.around.call(self.inner.store()).await
    }

    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo> {
        self.around.call(self.inner.initialize(options)).await
    }

    async fn floor(&self) -> Result<Option<Sequence>> {
        self.around.call(self.inner.floor()).await
    }

    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        self.around.call(self.inner.changes_read(from, count)).await
    }

    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>> {
        self.around.call(self.inner.segment(segment)).await
    }

    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
        self.around.call(self.inner.put(checkpoint, changes)).await
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        self.around.call(self.inner.snapshot()).await
    }

    async fn snapshot_put(&self, checkpoint: u64, documents: ChangeStream<'_>) -> Result<Vec<SegmentRef>> {
        self.around.call(self.inner.snapshot_put(checkpoint, documents)).await
    }

    async fn snapshot_seal(&self, checkpoint: u64, snapshot: &Snapshot) -> Result<SealedSnapshot> {
        self.around.call(self.inner.snapshot_seal(checkpoint, snapshot)).await
    }

    async fn snapshot_write(&self, snapshot: &SealedSnapshot) -> Result<Written> {
        self.around.call(self.inner.snapshot_write(snapshot)).await
    }

    async fn trim(&self, through: Sequence, dry_run: bool) -> Result<u64> {
        self.around.call(self.inner.trim(through, dry_run)).await
    }

    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
        self.inner.prepare(after, author, staged)
    }

    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>> {
        self.around.call(self.inner.changes_write(entry)).await
    }

    async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        self.around.call(self.inner.get(id)).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        self.around.call(self.inner.lock(request)).await
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease> {
        self.around.call(self.inner.renew(lease)).await
    }

    async fn unlock(&self, lease: &Lease) -> Result<()> {
        self.around.call(self.inner.unlock(lease)).await
    }

    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        self.around.call(self.inner.metadata_read(name)).await
    }

    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        self.around.call(self.inner.metadata_write(name, expected, bytes)).await
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

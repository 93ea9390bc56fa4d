//! A server whose calls fail by plan.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use longshore_core::format::SegmentRef;
use longshore_core::{
    Author, Change, ChangeStream, Document, DocumentId, Entry, Error, ErrorKind, Lease, LockRequest, Locked, Metadata,
    MetadataName, MetadataVersion, Prepared, Reply, Result, SealedSnapshot, Sequence, Server, Snapshot, Staged,
    StoreInfo, StoreOptions, Tip, Traffic, Written,
};

use super::plan::Plan;
use super::{Fault, lost};

/// A server whose calls meet the faults of a [`Plan`]. `prepare` and `traffic` ask nobody and are not counted.
#[derive(Clone)]
pub struct FaultServer {
    inner: Arc<dyn Server>,
    plan: Plan,
}

type Sent<T> = BoxFuture<'static, Result<T>>;

impl FaultServer {
    /// The server `inner`, as the client of this plan meets it.
    pub fn new(inner: Arc<dyn Server>, plan: &Plan) -> Self {
        Self { inner, plan: plan.clone() }
    }

    /// One call: what it is asked for is copied, since it may be sent later, or twice.
    async fn call<T, A, S>(&self, fault: Option<Fault>, asked: A, send: S) -> Result<T>
    where
        T: Send + 'static,
        A: Clone + Send + 'static,
        S: Fn(Arc<dyn Server>, A) -> Sent<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.plan.deliver(fault, move || send(Arc::clone(&inner), asked.clone())).await
    }
}

impl fmt::Debug for FaultServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultServer").field(&self.inner).finish()
    }
}

#[async_trait]
impl Server for FaultServer {
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>> {
        let fault = self.plan.begin("store", String::new()).await;
        if fault == Some(Fault::Stale) {
            return Ok(Reply::new(None));
        }
        self.call(fault, (), |server, ()| async move { server.store().await }.boxed()).await
    }

    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo> {
        let fault = self.plan.begin("initialize", String::new()).await;
        let send = |server: Arc<dyn Server>, options: StoreOptions| -> Sent<_> {
            async move { server.initialize(&options).await }.boxed()
        };
        self.call(fault, options.clone(), send).await
    }

    async fn floor(&self) -> Result<Option<Sequence>> {
        let fault = self.plan.begin("floor", String::new()).await;
        if fault == Some(Fault::Stale) {
            return Ok(None);
        }
        self.call(fault, (), |server, ()| async move { server.floor().await }.boxed()).await
    }

    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        let fault = self.plan.begin("changes_read", format!("{} and {count} on", from.get())).await;
        if fault == Some(Fault::Stale) {
            return Ok((0..count).map(|_| Reply::new(None)).collect());
        }
        let send = |server: Arc<dyn Server>, (from, count)| -> Sent<_> {
            async move { server.changes_read(from, count).await }.boxed()
        };
        self.call(fault, (from, count), send).await
    }

    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>> {
        let fault = self.plan.begin("segment", segment.name.clone()).await;
        if fault == Some(Fault::Stale) {
            return Err(Error::new(ErrorKind::Corrupt, injected!("the segment is not there")).with_key(&segment.name));
        }
        let send = |server: Arc<dyn Server>, segment: SegmentRef| -> Sent<_> {
            async move { server.segment(&segment).await }.boxed()
        };
        self.call(fault, segment.clone(), send).await
    }

    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
        let Some(fault) = self.plan.begin("put", format!("behind {checkpoint}")).await else {
            return self.plan.undisturbed(self.inner.put(checkpoint, changes)).await;
        };
        let changes: Vec<Change> = changes.try_collect().await?;
        if fault == Fault::Cut {
            return self.inner.put(checkpoint, cut(changes)).await;
        }
        let send = move |server: Arc<dyn Server>, changes: Vec<Change>| -> Sent<_> {
            async move { server.put(checkpoint, stream::iter(changes.into_iter().map(Ok)).boxed()).await }.boxed()
        };
        self.call(Some(fault), changes, send).await
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        let fault = self.plan.begin("snapshot", String::new()).await;
        if fault == Some(Fault::Stale) {
            return Ok(None);
        }
        self.call(fault, (), |server, ()| async move { server.snapshot().await }.boxed()).await
    }

    async fn snapshot_put(&self, checkpoint: u64, documents: ChangeStream<'_>) -> Result<Vec<SegmentRef>> {
        let Some(fault) = self.plan.begin("snapshot_put", format!("behind {checkpoint}")).await else {
            return self.plan.undisturbed(self.inner.snapshot_put(checkpoint, documents)).await;
        };
        let documents: Vec<Change> = documents.try_collect().await?;
        if fault == Fault::Cut {
            return self.inner.snapshot_put(checkpoint, cut(documents)).await;
        }
        let send = move |server: Arc<dyn Server>, documents: Vec<Change>| -> Sent<_> {
            let documents = stream::iter(documents.into_iter().map(Ok)).boxed();
            async move { server.snapshot_put(checkpoint, documents).await }.boxed()
        };
        self.call(Some(fault), documents, send).await
    }

    async fn snapshot_seal(&self, checkpoint: u64, snapshot: &Snapshot) -> Result<SealedSnapshot> {
        let fault = self.plan.begin("snapshot_seal", snapshot.entry.sequence.get().to_string()).await;
        let send = move |server: Arc<dyn Server>, snapshot: Snapshot| -> Sent<_> {
            async move { server.snapshot_seal(checkpoint, &snapshot).await }.boxed()
        };
        self.call(fault, snapshot.clone(), send).await
    }

    async fn snapshot_write(&self, snapshot: &SealedSnapshot) -> Result<Written> {
        let fault = self.plan.begin("snapshot_write", snapshot.sequence.get().to_string()).await;
        let send = |server: Arc<dyn Server>, snapshot: SealedSnapshot| -> Sent<_> {
            async move { server.snapshot_write(&snapshot).await }.boxed()
        };
        self.call(fault, snapshot.clone(), send).await
    }

    async fn trim(&self, through: Sequence, dry_run: bool) -> Result<u64> {
        let fault = self.plan.begin("trim", through.get().to_string()).await;
        let send = |server: Arc<dyn Server>, (through, dry_run)| -> Sent<_> {
            async move { server.trim(through, dry_run).await }.boxed()
        };
        self.call(fault, (through, dry_run), send).await
    }

    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
        self.inner.prepare(after, author, staged)
    }

    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>> {
        let fault = self.plan.begin("changes_write", entry.sequence.get().to_string()).await;
        let send = |server: Arc<dyn Server>, entry: Prepared| -> Sent<_> {
            async move { server.changes_write(&entry).await }.boxed()
        };
        self.call(fault, entry.clone(), send).await
    }

    async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        let fault = self.plan.begin("get", id.to_string()).await;
        if fault == Some(Fault::Stale) {
            return Ok(None);
        }
        let send =
            |server: Arc<dyn Server>, id: DocumentId| -> Sent<_> { async move { server.get(&id).await }.boxed() };
        self.call(fault, id.clone(), send).await
    }

    async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        let fault = self.plan.begin("lock", request.purpose.clone()).await;
        let send = |server: Arc<dyn Server>, request: LockRequest| -> Sent<_> {
            async move { server.lock(&request).await }.boxed()
        };
        self.call(fault, request.clone(), send).await
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease> {
        let fault = self.plan.begin("renew", lease.token.get().to_string()).await;
        let send =
            |server: Arc<dyn Server>, lease: Lease| -> Sent<_> { async move { server.renew(&lease).await }.boxed() };
        self.call(fault, lease.clone(), send).await
    }

    async fn unlock(&self, lease: &Lease) -> Result<()> {
        let fault = self.plan.begin("unlock", lease.token.get().to_string()).await;
        let send =
            |server: Arc<dyn Server>, lease: Lease| -> Sent<_> { async move { server.unlock(&lease).await }.boxed() };
        self.call(fault, lease.clone(), send).await
    }

    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        let fault = self.plan.begin("metadata_read", name.to_string()).await;
        if fault == Some(Fault::Stale) {
            return Ok(None);
        }
        let send = |server: Arc<dyn Server>, name: MetadataName| -> Sent<_> {
            async move { server.metadata_read(&name).await }.boxed()
        };
        self.call(fault, name.clone(), send).await
    }

    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        let fault = self.plan.begin("metadata_write", name.to_string()).await;
        let send = |server: Arc<dyn Server>, (name, bytes): (MetadataName, Bytes), expected| -> Sent<_> {
            async move { server.metadata_write(&name, expected, bytes).await }.boxed()
        };
        self.call(fault, (name.clone(), bytes), move |server, asked| send(server, asked, expected)).await
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

/// The first half of some changes, then a broken source.
fn cut(mut changes: Vec<Change>) -> BoxStream<'static, Result<Change>> {
    changes.truncate(changes.len() / 2);
    stream::iter(changes.into_iter().map(Ok).chain([Err(lost())])).boxed()
}

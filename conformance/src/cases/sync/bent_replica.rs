//! A replica whose calls let others run, and one of whose batches finds the disk full.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Applied, Batch, Change, Claim, Conflict, DocumentId, Error, ErrorKind, Hash, Loaded, MemoryReplica, Outbox,
    Outcome, PendingChange, Replica, Result, RowNumber, Synced,
};

use super::yielding::apart;

/// Its clones share their documents. While a sync is at any of its calls, the app may write.
#[derive(Clone, Debug)]
pub(super) struct Bent {
    inner: MemoryReplica,
    /// Batches until one fails; none does at zero.
    until_full: Arc<AtomicUsize>,
}

impl Bent {
    pub(super) fn new(inner: &MemoryReplica) -> Self {
        Self { inner: inner.clone(), until_full: Arc::default() }
    }

    /// The batch of this number from now on, counted from 1, finds the disk full.
    pub(super) fn full_at(&self, batch: usize) {
        self.until_full.store(batch, Ordering::SeqCst);
    }
}

#[async_trait]
impl Replica for Bent {
    async fn claim(&self) -> Result<Claim> {
        self.inner.claim().await
    }

    async fn load(&self) -> Result<Loaded> {
        apart(self.inner.load()).await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        apart(self.inner.queue(change)).await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        self.inner.uncommitted().await
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        apart(self.inner.pending(after, last, bytes)).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        apart(self.inner.outbox(ids)).await
    }

    async fn pending_count(&self) -> Result<u64> {
        apart(self.inner.pending_count()).await
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        apart(self.inner.conflicts()).await
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        apart(self.inner.conflict(id)).await
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.inner.contains(id).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.inner.committed(hash).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        apart(self.inner.synced(after, limit)).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        apart(self.inner.shelved(name)).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let left = self.until_full.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left == Ok(1) {
            return Err(Error::new(ErrorKind::Full, "the disk is full").with_outcome(Outcome::NotApplied));
        }
        apart(self.inner.apply(batch)).await
    }
}

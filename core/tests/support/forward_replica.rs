//! A replica that forwards every call to one in memory, but for what a test bends.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Applied, Batch, Change, Claim, Conflict, DocumentId, Hash, Loaded, MemoryReplica, Outbox, PendingChange, Replica,
    Result, RowNumber, Synced,
};

/// What is different about a replica: by itself nothing.
#[async_trait]
pub trait BendReplica: fmt::Debug + Send + Sync {
    async fn queue(&self, inner: &MemoryReplica, change: Change) -> Result<RowNumber> {
        inner.queue(change).await
    }

    async fn uncommitted(&self, inner: &MemoryReplica) -> Result<Vec<Change>> {
        inner.uncommitted().await
    }

    async fn synced(&self, inner: &MemoryReplica, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        inner.synced(after, limit).await
    }

    async fn apply(&self, inner: &MemoryReplica, batch: Batch) -> Result<Applied> {
        inner.apply(batch).await
    }
}

#[derive(Clone, Debug)]
pub struct ForwardReplica<B> {
    pub inner: MemoryReplica,
    pub bend: B,
}

#[async_trait]
impl<B: BendReplica + 'static> Replica for ForwardReplica<B> {
    async fn claim(&self) -> Result<Claim> {
        self.inner.claim().await
    }

    async fn load(&self) -> Result<Loaded> {
        self.inner.load().await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        self.bend.queue(&self.inner, change).await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        self.bend.uncommitted(&self.inner).await
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        self.inner.pending(after, last, bytes).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        self.inner.outbox(ids).await
    }

    async fn pending_count(&self) -> Result<u64> {
        self.inner.pending_count().await
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.inner.conflicts().await
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        self.inner.conflict(id).await
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.inner.contains(id).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.inner.committed(hash).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        self.bend.synced(&self.inner, after, limit).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        self.inner.shelved(name).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        self.bend.apply(&self.inner, batch).await
    }
}

//! A replica in whose calls the process may die: between two of its transactions, and in the middle of one.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Applied, Batch, Change, Claim, Conflict, DocumentId, Hash, Loaded, Outbox, PendingChange, Replica, Result,
    RowNumber, Synced,
};
use longshore_replica::SqliteReplica;

use crate::faults::{Fault, Plan};

/// How the names of its calls begin.
pub(super) const PREFIX: &str = "replica.";
/// The one that moves it.
pub(super) const APPLY: &str = "replica.apply";

/// Its calls count in the plan like the server's. Dying is all that they meet.
#[derive(Debug)]
pub(super) struct Mortal {
    inner: Arc<SqliteReplica>,
    plan: Plan,
}

impl Mortal {
    pub(super) fn new(inner: &Arc<SqliteReplica>, plan: &Plan) -> Self {
        Self { inner: Arc::clone(inner), plan: plan.clone() }
    }

    fn inner(&self) -> &dyn Replica {
        &*self.inner
    }

    async fn call<T>(&self, name: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.plan.begin(name, String::new()).await {
            Some(Fault::Die(when)) => self.plan.die_in(when, call).await,
            _ => call.await,
        }
    }
}

#[async_trait]
impl Replica for Mortal {
    async fn claim(&self) -> Result<Claim> {
        self.call("replica.claim", self.inner().claim()).await
    }

    async fn load(&self) -> Result<Loaded> {
        self.call("replica.load", self.inner().load()).await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        self.call("replica.queue", self.inner().queue(change)).await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        self.call("replica.uncommitted", self.inner().uncommitted()).await
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        self.call("replica.pending", self.inner().pending(after, last, bytes)).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        self.call("replica.outbox", self.inner().outbox(ids)).await
    }

    async fn pending_count(&self) -> Result<u64> {
        self.call("replica.pending_count", self.inner().pending_count()).await
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.call("replica.conflicts", self.inner().conflicts()).await
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        self.call("replica.conflict", self.inner().conflict(id)).await
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.call("replica.contains", self.inner().contains(id)).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.call("replica.committed", self.inner().committed(hash)).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        self.call("replica.synced", self.inner().synced(after, limit)).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        self.call("replica.shelved", self.inner().shelved(name)).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        self.call(APPLY, self.inner().apply(batch)).await
    }
}

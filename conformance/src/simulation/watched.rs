//! A replica whose transactions the oracle sees, and around whose calls others run.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Applied, Batch, Change, Claim, Conflict, DocumentId, Hash, Loaded, MemoryReplica, Outbox, PendingChange, Replica,
    Result, RowNumber, Step, Synced,
};

use super::coverage::Counters;
use super::oracle::{Oracle, Side};
use super::shore::Pier;
use super::time::let_others_run;

/// Bytes of a page of pending changes: few, so that there are several pages.
const PAGE: usize = 100;

#[derive(Clone)]
pub(super) struct Watched {
    pub(super) replica: MemoryReplica,
    pub(super) oracle: Oracle,
    pub(super) counters: Counters,
    pub(super) side: Side,
    pub(super) pier: Pier,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.replica.fmt(f)
    }
}

impl Watched {
    fn count(&self, batch: &Batch, applied: Applied) {
        let answers = batch.steps.iter().any(|step| matches!(step, Step::Answer { .. }));
        match applied {
            Applied::Done => {
                let moves =
                    |step: &&Step| matches!(step, Step::Store { .. } | Step::Conflict { .. } | Step::Settle { .. });
                let documents = batch.steps.iter().filter(moves).count();
                self.counters.count_if(documents > 1, "pull: several documents in one transaction");
                let committed = batch.steps.iter().any(|step| matches!(step, Step::Commit));
                let pulled = committed && self.pier.entries_sent() == 0;
                self.counters.count_if(pulled, "attempt: found committed by a pull");
                let given_up = batch.steps.iter().any(|step| matches!(step, Step::Abandon)) && self.pier.went_ahead();
                self.counters.count_if(given_up, "push: ahead of a poll, given up unwritten");
            }
            Applied::Stale if answers => self.counters.count("answer: out of date"),
            Applied::Stale => self.counters.count("pull: decided anew, the app wrote meanwhile"),
        }
    }
}

#[async_trait]
impl Replica for Watched {
    async fn claim(&self) -> Result<Claim> {
        self.replica.claim().await
    }

    async fn load(&self) -> Result<Loaded> {
        self.replica.load().await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        self.replica.queue(change).await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        self.replica.uncommitted().await
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        let_others_run().await;
        self.replica.pending(after, last, bytes.min(PAGE)).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        let outbox = self.replica.outbox(ids).await;
        let_others_run().await;
        outbox
    }

    async fn pending_count(&self) -> Result<u64> {
        let count = self.replica.pending_count().await;
        let_others_run().await;
        count
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.replica.conflicts().await
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        let conflict = self.replica.conflict(id).await;
        let_others_run().await;
        conflict
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.replica.contains(id).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.replica.committed(hash).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        self.replica.synced(after, limit).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        self.replica.shelved(name).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let_others_run().await;
        let applied = self.replica.apply(batch.clone()).await?;
        self.count(&batch, applied);
        if applied == Applied::Done {
            self.oracle.applied(self.side, &self.replica, batch);
        }
        let_others_run().await;
        Ok(applied)
    }
}

//! The readable reference: a replica in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Answer, Applied, Attempt, BaseVersion, Batch, Claim, Conflict, Digest, Loaded, Outbox, PendingChange, PendingRow,
    Replica, RowSet, Step, Synced, Version,
};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::model::{Action, Base, Change, Document, DocumentId, Hash, Revision, RowNumber, Sequence};
use crate::sabotage::{Mistake, on};

/// A replica in memory: for tests, and to read what a replica does. Its clones share their documents.
///
/// Its calls are those of the SQLite replica, so that an app's tests can run on either.
///
/// ```
/// use longshore_core::{Document, DocumentId, MemoryReplica, Replica};
///
/// # futures::executor::block_on(async {
/// let replica = MemoryReplica::new();
/// replica.put(Document::new("notes/today", "buy milk")?).await?;
/// assert_eq!(replica.len().await?, 1);
/// assert_eq!(replica.pending_count().await?, 1);
///
/// let backup = replica.fork();
/// replica.delete(DocumentId::new("notes/today")?).await?;
/// assert_eq!((replica.len().await?, backup.len().await?), (0, 1));
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryReplica {
    data: Arc<Mutex<Data>>,
    claimed: Arc<AtomicBool>,
}

// These wait for nothing, yet are async: an app's tests can put this in the place of the SQLite replica.
#[expect(clippy::unused_async, reason = "the SQLite replica has the same calls")]
impl MemoryReplica {
    /// An empty replica.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a document.
    pub async fn put(&self, document: Document) -> Result<()> {
        self.write(vec![Change::put(document)]).await
    }

    /// Removes a document; nothing if it is absent.
    pub async fn delete(&self, id: DocumentId) -> Result<()> {
        self.write(vec![Change::delete(id)]).await
    }

    /// Makes all these changes, in this order, or none. Their bases do not matter; deleting an absent document is nothing.
    pub async fn write(&self, changes: Vec<Change>) -> Result<()> {
        changes.iter().try_for_each(check)?;
        let mut data = self.lock();
        for change in changes {
            if !change.action.is_delete() || data.document(&change.id).is_some() {
                data.write(change)?;
            }
        }
        Ok(())
    }

    /// The document of this id.
    pub async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        Ok(self.lock().document(id))
    }

    /// The ids of documents in their order, at most `limit` of them, those after `after`.
    pub async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let data = self.lock();
        let present = data.documents.range::<DocumentId, _>(range).filter(|(_, record)| record.is_present());
        Ok(present.map(|(id, _)| id.clone()).take(limit).collect())
    }

    /// How many documents there are.
    pub async fn len(&self) -> Result<u64> {
        Ok(self.lock().documents.values().filter(|record| record.is_present()).count() as u64)
    }

    /// Whether there are no documents.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.len().await? == 0)
    }

    /// All documents: to compare two replicas.
    pub fn documents(&self) -> BTreeMap<DocumentId, Document> {
        let data = self.lock();
        let documents = data.documents.iter();
        documents.filter_map(|(id, record)| Some((id.clone(), record.document(id)?))).collect()
    }

    /// An independent copy of everything, unclaimed: a restored backup, or a device cloned with its data.
    pub fn fork(&self) -> Self {
        Self { data: Arc::new(Mutex::new(self.lock().clone())), claimed: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Data> {
        // No code panics while it holds the lock, and `apply` swaps in a finished copy.
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.lock();
        f.debug_struct("MemoryReplica")
            .field("documents", &data.documents.len())
            .field("rows", &data.outbox.len())
            .field("attempt", &data.attempt)
            .finish_non_exhaustive()
    }
}

/// Frees the replica when it is dropped.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[async_trait]
impl Replica for MemoryReplica {
    async fn claim(&self) -> Result<Claim> {
        if self.claimed.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::Locked, "another part of this program syncs this replica")
                .with_operation("claim"));
        }
        Ok(Claim::new(Held(Arc::clone(&self.claimed))))
    }

    async fn load(&self) -> Result<Loaded> {
        let data = self.lock();
        Ok(Loaded { state: data.state.clone(), attempt: data.attempt.clone() })
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        check(&change)?;
        self.lock().write(change)
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        Ok(Vec::new())
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        if after.is_some_and(|after| after >= last) {
            return Ok(Vec::new());
        }
        Ok(self.lock().pending(after, last, bytes))
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        let data = self.lock();
        let mut outbox = Outbox { last_row: data.last_row, ..Outbox::default() };
        let pending = |record: &&Record| !record.rows.is_empty();
        for (id, record) in ids.iter().filter_map(|id| Some((id, data.documents.get(id).filter(pending)?))) {
            outbox.rows.insert(id.clone(), record.rows.iter().map(Row::pending).collect());
            outbox.taken.extend(record.taken().map(|sequence| (id.clone(), sequence)));
        }
        Ok(outbox)
    }

    async fn pending_count(&self) -> Result<u64> {
        Ok(self.lock().documents.values().filter(|record| !record.rows.is_empty()).count() as u64)
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        let data = self.lock();
        let conflicting = data.documents.iter().filter(|(_, record)| record.remote.is_some());
        Ok(conflicting.map(|(id, _)| id.clone()).collect())
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        Ok(self.lock().documents.get(id).and_then(|record| record.conflict(id)))
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        Ok(self.lock().documents.get(id).is_some_and(Record::is_present))
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        Ok(self.lock().committed.contains(hash))
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let data = self.lock();
        let there = data.documents.range::<DocumentId, _>(range).filter(|(_, record)| record.is_synced());
        let synced = there.filter_map(|(id, record)| Some(Synced { id: id.clone(), sequence: record.taken()? }));
        Ok(synced.take(limit).collect())
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        Ok(self.lock().shelf.get(name).cloned())
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let mut data = self.lock();
        if batch.steps.iter().any(|step| data.is_newer(step, batch.seen)) && !on(Mistake::StaleBatchApplied) {
            return Ok(Applied::Stale);
        }
        let mut next = data.clone();
        for step in batch.steps {
            if next.apply(step)? == Applied::Stale {
                return Ok(Applied::Stale);
            }
        }
        *data = next;
        Ok(Applied::Done)
    }
}

#[derive(Clone, Default)]
struct Data {
    documents: BTreeMap<DocumentId, Record>,
    outbox: BTreeMap<RowNumber, DocumentId>,
    last_row: Option<RowNumber>,
    state: Option<Bytes>,
    attempt: Option<Attempt>,
    committed: BTreeSet<Hash>,
    shelf: BTreeMap<String, Bytes>,
}

/// A document, or what has to be remembered of a deleted one while rows of it are pending.
#[derive(Clone)]
struct Record {
    revision: Option<Revision>,
    local: Action,
    base: Option<Base>,
    /// What the entry of `base` left, where `local` is later and those bytes are still here.
    base_version: Option<Action>,
    rows: Vec<Row>,
    remote: Option<Remote>,
}

#[derive(Clone)]
struct Row {
    number: RowNumber,
    digest: Digest,
    revision: Option<Revision>,
    /// What it left, where a later row overwrote it while it was in an open attempt: once committed, that is the base.
    kept: Option<Action>,
}

#[derive(Clone)]
struct Remote {
    version: Version,
    sequence: Sequence,
}

impl Data {
    fn document(&self, id: &DocumentId) -> Option<Document> {
        self.documents.get(id)?.document(id)
    }

    fn write(&mut self, change: Change) -> Result<RowNumber> {
        let number = self.last_row.map_or(Ok(RowNumber::FIRST), RowNumber::next)?;
        let record = self.documents.entry(change.id.clone()).or_insert_with(Record::absent);
        record.keep_overwritten(self.attempt.as_ref().map(|attempt| &attempt.rows));
        let digest = Digest::of(&change.action);
        record.rows.push(Row { number, digest, revision: change.revision.clone(), kept: None });
        record.local = change.action;
        record.revision = change.revision;
        self.outbox.insert(number, change.id);
        self.last_row = Some(number);
        Ok(number)
    }

    fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Vec<PendingChange> {
        let mut page = Vec::new();
        let mut size = 0;
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Included(last));
        for (row, id) in self.outbox.range(range) {
            let Some(change) = self.documents.get(id).and_then(|record| record.pushable(id, *row)) else { continue };
            size += id.as_str().len() + change.action.len();
            if size > bytes && !page.is_empty() {
                break;
            }
            page.push(PendingChange { row: *row, change });
        }
        page
    }

    /// Whether the app wrote the step's document after the engine had looked.
    fn is_newer(&self, step: &Step, seen: Option<RowNumber>) -> bool {
        let id = match step {
            Step::Store { change, .. } | Step::Conflict { change, .. } => &change.id,
            Step::Settle { id, .. } => id,
            _ => return false,
        };
        self.newest(id) > seen
    }

    fn newest(&self, id: &DocumentId) -> Option<RowNumber> {
        Some(self.documents.get(id)?.rows.last()?.number)
    }

    fn apply(&mut self, step: Step) -> Result<Applied> {
        match step {
            Step::State(state) => self.state = Some(state),
            Step::Store { change, sequence } => self.store(change, sequence)?,
            Step::Settle { id, row, base } => self.settle(&id, row, base)?,
            Step::Conflict { change, sequence } => self.record(&change, sequence)?,
            Step::Answer { id, row, answer } => return self.answer(id, row, answer),
            Step::Journal(attempt) => self.attempt = Some(attempt),
            Step::Commit => self.commit()?,
            Step::Abandon => self.attempt = None,
            Step::Shelve { name, bytes } => drop(self.shelf.insert(name, bytes)),
            Step::Unshelve => self.shelf.clear(),
        }
        Ok(Applied::Done)
    }

    fn store(&mut self, change: Change, sequence: Sequence) -> Result<()> {
        if self.newest(&change.id).is_some() && !on(Mistake::StaleBatchApplied) {
            return Err(defect("a remote change would overwrite a pending one", &change.id));
        }
        self.take(change.id, (change.revision, change.action), sequence);
        Ok(())
    }

    /// The document becomes this remote version and has nothing pending.
    fn take(&mut self, id: DocumentId, version: (Option<Revision>, Action), sequence: Sequence) {
        let (revision, local) = version;
        if local.is_delete() {
            self.documents.remove(&id);
            return;
        }
        let base = Some(Base { sequence, revision: revision.clone() });
        self.documents.insert(id, Record { revision, local, base, ..Record::absent() });
    }

    fn settle(&mut self, id: &DocumentId, row: RowNumber, base: Base) -> Result<()> {
        let missing = || defect("a settled row is not in the outbox", id);
        let record = self.documents.get_mut(id).ok_or_else(missing)?;
        let last = record.rows.iter().position(|pending| pending.number == row).ok_or_else(missing)?;
        let last = if on(Mistake::LaterRowsDropped) { record.rows.len() - 1 } else { last };
        for dropped in record.rows.drain(..=last) {
            self.outbox.remove(&dropped.number);
            record.base_version = dropped.left();
        }
        record.remote = None;
        record.base = Some(base);
        if record.rows.is_empty() {
            record.rest();
        }
        if record.rows.is_empty() && !record.is_present() {
            self.documents.remove(id);
        }
        Ok(())
    }

    fn record(&mut self, change: &Change, sequence: Sequence) -> Result<()> {
        let record = self.documents.get_mut(&change.id).filter(|record| !record.rows.is_empty());
        let record = record.ok_or_else(|| defect("a conflict needs a pending change", &change.id))?;
        let based = on(Mistake::BaseDecides) && change.base == record.base;
        let revised = on(Mistake::RevisionDecides) && change.revision.is_some() && change.revision == record.revision;
        if based || revised {
            return Ok(());
        }
        let version = change.document().map_or(Version::Deleted, Version::Present);
        record.remote = Some(Remote { version, sequence });
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        let attempt = self.attempt.take().ok_or_else(|| defect("no attempt is open", "commit"))?;
        for (id, row, revision) in self.rows_of(&attempt.rows) {
            self.settle(&id, row, Base { sequence: attempt.sequence, revision })?;
        }
        self.committed.insert(attempt.hash);
        Ok(())
    }

    /// Those of the rows that are still in the outbox.
    fn rows_of(&self, rows: &RowSet) -> Vec<(DocumentId, RowNumber, Option<Revision>)> {
        let named = rows.ranges().iter().flat_map(|range| self.outbox.range(numbers(*range)));
        let found = named.filter_map(|(row, id)| {
            let pending = self.documents.get(id)?.rows.iter().find(|pending| pending.number == *row)?;
            Some((id.clone(), *row, pending.revision.clone()))
        });
        found.collect()
    }

    fn answer(&mut self, id: DocumentId, row: RowNumber, answer: Answer) -> Result<Applied> {
        let newest = self.newest(&id) == Some(row) || on(Mistake::LateAnswerApplied);
        let Some(record) = self.documents.get_mut(&id).filter(|_| newest) else { return Ok(Applied::Stale) };
        let Some(remote) = record.remote.take() else { return Ok(Applied::Stale) };
        match answer {
            Answer::KeepLocal => record.rebase(remote),
            Answer::TakeRemote => self.take_remote(id, remote),
            Answer::Merge { revision, body } => self.merge(id, remote, revision, body)?,
            Answer::KeepBoth { copy } => self.keep_both(id, remote, copy)?,
            Answer::Later => return Err(defect("an answer for later is not stored", &id)),
        }
        Ok(Applied::Done)
    }

    fn take_remote(&mut self, id: DocumentId, remote: Remote) {
        self.drop_rows(&id);
        self.take(id, remote.version.into_parts(), remote.sequence);
    }

    fn merge(&mut self, id: DocumentId, remote: Remote, revision: Option<Revision>, body: Bytes) -> Result<()> {
        let merged = Change { id, revision, base: None, action: Action::Put(body) };
        check(&merged)?;
        let id = merged.id.clone();
        self.drop_rows(&id);
        self.write(merged)?;
        // Last, because the write takes what it overwrites for the base.
        if let Some(record) = self.documents.get_mut(&id).filter(|_| !on(Mistake::MergeKeepsBase)) {
            record.rebase(remote);
        }
        Ok(())
    }

    fn keep_both(&mut self, id: DocumentId, remote: Remote, copy: DocumentId) -> Result<()> {
        if let Some(local) = self.document(&id) {
            if self.document(&copy).is_some() {
                return Err(Error::new(ErrorKind::Invalid, "the copy's id is taken").with_key(copy));
            }
            self.write(Change::put(Document { id: copy, ..local }))?;
        }
        self.take_remote(id, remote);
        Ok(())
    }

    fn drop_rows(&mut self, id: &DocumentId) {
        let rows = self.documents.get_mut(id).map(|record| std::mem::take(&mut record.rows));
        for row in rows.into_iter().flatten() {
            self.outbox.remove(&row.number);
        }
    }
}

impl Record {
    fn absent() -> Self {
        Self { revision: None, local: Action::Delete, base: None, base_version: None, rows: Vec::new(), remote: None }
    }

    fn is_present(&self) -> bool {
        !self.local.is_delete()
    }

    /// The entry whose version, or deletion, was taken last.
    fn taken(&self) -> Option<Sequence> {
        let base = || self.base.as_ref().map(|base| base.sequence);
        self.remote.as_ref().map(|remote| remote.sequence).or_else(base)
    }

    /// Whether the document is there by what was taken.
    fn is_synced(&self) -> bool {
        match &self.remote {
            Some(remote) => remote.version != Version::Deleted,
            None => self.base.is_some() && self.base_version != Some(Action::Delete),
        }
    }

    fn document(&self, id: &DocumentId) -> Option<Document> {
        let body = self.local.body()?.clone();
        Some(Document { id: id.clone(), revision: self.revision.clone(), body })
    }

    /// Keeps what a write is about to overwrite, where a later merge may need it.
    fn keep_overwritten(&mut self, in_flight: Option<&RowSet>) {
        match self.rows.last_mut() {
            None if self.base.is_some() => self.base_version = Some(self.local.clone()),
            Some(row) if in_flight.is_some_and(|rows| rows.contains(row.number)) => {
                row.kept = Some(self.local.clone());
            }
            _ => {}
        }
    }

    /// Nothing is pending any more: the document is the version of its base.
    fn rest(&mut self) {
        self.base_version = None;
        self.revision = self.base.as_ref().and_then(|base| base.revision.clone());
    }

    /// The remote version is what the pending change starts from now.
    fn rebase(&mut self, remote: Remote) {
        let (revision, action) = remote.version.into_parts();
        self.base = Some(Base { sequence: remote.sequence, revision });
        self.base_version = Some(action);
    }

    /// The change of `row`, if that is the newest and no conflict holds it back.
    fn pushable(&self, id: &DocumentId, row: RowNumber) -> Option<Change> {
        let newest = self.rows.last().is_some_and(|last| last.number == row);
        (newest && (self.remote.is_none() || on(Mistake::ConflictPushed))).then(|| Change {
            id: id.clone(),
            revision: self.revision.clone(),
            base: self.base.clone(),
            action: self.local.clone(),
        })
    }

    fn conflict(&self, id: &DocumentId) -> Option<Conflict> {
        let remote = self.remote.clone()?;
        Some(Conflict {
            id: id.clone(),
            base: self.started_from(id),
            local: self.document(id).map_or(Version::Deleted, Version::Present),
            remote: remote.version,
            sequence: remote.sequence,
            row: self.rows.last()?.number,
        })
    }

    fn started_from(&self, id: &DocumentId) -> BaseVersion {
        match (&self.base, &self.base_version) {
            (None, _) | (_, Some(Action::Delete)) => BaseVersion::New,
            (Some(_), None) => BaseVersion::NotKept,
            (Some(base), Some(Action::Put(body))) => {
                let (revision, body) = (base.revision.clone(), body.clone());
                BaseVersion::Known(Document { id: id.clone(), revision, body })
            }
        }
    }
}

impl Row {
    fn pending(&self) -> PendingRow {
        PendingRow { row: self.number, digest: self.digest }
    }

    /// The version that this row left, if it is still known.
    fn left(self) -> Option<Action> {
        self.kept.or((self.digest == Digest::Delete).then_some(Action::Delete))
    }
}

impl Version {
    /// Its revision, and what made it.
    fn into_parts(self) -> (Option<Revision>, Action) {
        match self {
            Self::Present(document) => (document.revision, Action::Put(document.body)),
            Self::Deleted => (None, Action::Delete),
        }
    }
}

/// The bounds of a range of rows; nothing for one that no row can be in.
fn numbers((first, last): (u64, u64)) -> (Bound<RowNumber>, Bound<RowNumber>) {
    match (RowNumber::new(first), RowNumber::new(last)) {
        (Ok(first), Ok(last)) if first <= last => (Bound::Included(first), Bound::Included(last)),
        _ => (Bound::Included(RowNumber::FIRST), Bound::Excluded(RowNumber::FIRST)),
    }
}

fn check(change: &Change) -> Result<()> {
    change.document().map_or(Ok(()), |document| document.check())
}

/// What only a faulty engine can ask for.
fn defect(message: &'static str, key: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, message).with_operation("apply").with_key(key).with_outcome(Outcome::NotApplied)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn id(text: &str) -> DocumentId {
        DocumentId::new(text).unwrap()
    }

    fn rows(rows: impl IntoIterator<Item = u64>) -> RowSet {
        rows.into_iter().map(|row| RowNumber::new(row).unwrap()).collect()
    }

    fn put(replica: &MemoryReplica, name: &str, body: &'static str) {
        block_on(replica.put(Document::new(name, body).unwrap())).unwrap();
    }

    fn apply(replica: &MemoryReplica, seen: u64, steps: Vec<Step>) -> Result<Applied> {
        block_on(replica.apply(Batch { seen: RowNumber::new(seen).ok(), steps }))
    }

    fn journal(sequence: u64, named: RowSet) -> Step {
        let bytes = Bytes::from(format!("entry {sequence}"));
        let sequence = Sequence::new(sequence).unwrap();
        Step::Journal(Attempt {
            number: crate::model::AttemptNumber::FIRST,
            sequence,
            hash: Hash::of(&bytes),
            bytes,
            rows: named,
        })
    }

    #[test]
    fn a_later_row_is_based_on_the_committed_one() {
        let replica = MemoryReplica::new();
        put(&replica, "a", "one");
        apply(&replica, 1, vec![journal(7, rows([1]))]).unwrap();
        put(&replica, "a", "two");
        apply(&replica, 2, vec![Step::Commit]).unwrap();
        let remote = Change::put(Document::new("a", "theirs").unwrap());
        let sequence = Sequence::new(8).unwrap();
        apply(&replica, 2, vec![Step::Conflict { change: remote, sequence }]).unwrap();

        let conflict = block_on(replica.conflict(&id("a"))).unwrap().unwrap();
        assert_eq!(conflict.base, BaseVersion::Known(Document::new("a", "one").unwrap()));
        assert_eq!(conflict.row.get(), 2);
        assert!(block_on(replica.committed(&Hash::of(b"entry 7"))).unwrap());
    }

    #[test]
    fn a_failed_batch_changes_nothing() {
        let replica = MemoryReplica::new();
        put(&replica, "a", "mine");
        let change = Change::put(Document::new("a", "theirs").unwrap());
        let store = Step::Store { change, sequence: Sequence::FIRST };
        let steps = vec![Step::State(Bytes::from("state")), store];
        assert_eq!(apply(&replica, 0, steps.clone()).unwrap(), Applied::Stale);
        assert_eq!(apply(&replica, 1, steps).unwrap_err().kind(), ErrorKind::Internal);
        assert!(block_on(replica.load()).unwrap().state.is_none());
    }

    #[test]
    fn one_claim_at_a_time() {
        let replica = MemoryReplica::new();
        let claim = block_on(replica.claim()).unwrap();
        assert_eq!(block_on(replica.clone().claim()).unwrap_err().kind(), ErrorKind::Locked);
        assert!(block_on(replica.fork().claim()).is_ok());
        drop(claim);
        assert!(block_on(replica.claim()).is_ok());
    }
}

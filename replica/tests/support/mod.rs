//! What the tests share: short ways to say ids, rows, changes and batches.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

use bytes::Bytes;
use longshore_core::{
    Applied, Attempt, AttemptNumber, Base, Batch, Change, Document, DocumentId, Hash, Replica, Result, Revision,
    RowNumber, RowSet, Sequence, Step,
};

pub(crate) fn id(text: &str) -> DocumentId {
    DocumentId::new(text).unwrap()
}

pub(crate) fn row(number: u64) -> RowNumber {
    RowNumber::new(number).unwrap()
}

pub(crate) fn rows(numbers: impl IntoIterator<Item = u64>) -> RowSet {
    numbers.into_iter().map(row).collect()
}

pub(crate) fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

pub(crate) fn revision(text: &str) -> Revision {
    Revision::new(text).unwrap()
}

pub(crate) fn document(name: &str, body: &str) -> Document {
    Document::new(name, body.to_owned()).unwrap()
}

pub(crate) fn put(name: &str, body: &str) -> Change {
    Change::put(document(name, body))
}

pub(crate) fn put_revised(name: &str, body: &str, text: &str) -> Change {
    Change::put(document(name, body).with_revision(revision(text)))
}

pub(crate) fn delete(name: &str) -> Change {
    Change::delete(id(name))
}

pub(crate) fn base(number: u64, text: Option<&str>) -> Base {
    Base { sequence: sequence(number), revision: text.map(revision) }
}

pub(crate) fn store(change: Change, number: u64) -> Step {
    Step::Store { change, sequence: sequence(number) }
}

pub(crate) fn conflict(change: Change, number: u64) -> Step {
    Step::Conflict { change, sequence: sequence(number) }
}

pub(crate) fn settle(name: &str, number: u64, base: Base) -> Step {
    Step::Settle { id: id(name), row: row(number), base }
}

pub(crate) fn attempt(number: u64, named: RowSet) -> Attempt {
    let bytes = Bytes::from(format!("entry {number}"));
    Attempt { number: AttemptNumber::FIRST, sequence: sequence(number), hash: Hash::of(&bytes), bytes, rows: named }
}

pub(crate) fn journal(number: u64, named: RowSet) -> Step {
    Step::Journal(attempt(number, named))
}

pub(crate) fn batch(seen: u64, steps: Vec<Step>) -> Batch {
    Batch { seen: RowNumber::new(seen).ok(), steps }
}

pub(crate) async fn apply(replica: &dyn Replica, seen: u64, steps: Vec<Step>) -> Result<Applied> {
    replica.apply(batch(seen, steps)).await
}

/// Applies a batch that has to be done.
pub(crate) async fn done(replica: &dyn Replica, seen: u64, steps: Vec<Step>) {
    assert_eq!(apply(replica, seen, steps).await.unwrap(), Applied::Done);
}

/// All pending changes, as (row, id, base).
pub(crate) async fn pending(replica: &dyn Replica) -> Vec<(u64, String, Option<Base>)> {
    let all = replica.pending(None, row(1_000_000), usize::MAX).await.unwrap();
    all.into_iter().map(|one| (one.row.get(), one.change.id.to_string(), one.change.base)).collect()
}

/// The rows of one document in the outbox.
pub(crate) async fn outbox_rows(replica: &dyn Replica, name: &str) -> Vec<u64> {
    let outbox = replica.outbox(&[id(name)]).await.unwrap();
    outbox.rows.get(&id(name)).into_iter().flatten().map(|row| row.row.get()).collect()
}

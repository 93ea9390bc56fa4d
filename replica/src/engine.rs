//! What the engine calls: the trait.

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Action, Applied, Batch, Change, Claim, Conflict, Digest, DocumentId, Hash, Loaded, Outbox, PendingChange, Replica,
    Result, RowNumber, Synced,
};
use rusqlite::{Connection, Row, params};

use crate::app::{SqliteReplica, count};
use crate::blocking;
use crate::bodies::{self, BodyAt, PART};
use crate::claim::Held;
use crate::conflicts;
use crate::database::Reader;
use crate::digests;
use crate::errors::Result as Inner;
use crate::outbox;
use crate::record::{Record, exists, lost};
use crate::shelf;
use crate::state::{self, Place};
use crate::values;

#[async_trait]
impl Replica for SqliteReplica {
    async fn claim(&self) -> Result<Claim> {
        let database = self.database.clone();
        blocking::run(move || Held::take(&database).map(Claim::new)).await
    }

    async fn load(&self) -> Result<Loaded> {
        self.look("load", |connection| {
            Ok(Loaded { state: state::get(connection, Place::State)?, attempt: state::attempt(connection)? })
        })
        .await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        digests::check(&change)?;
        self.database
            .write("queue", |_| true, move |writer| writer.write(&change, Digest::of(&change.action), None))
            .await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        Ok(Vec::new())
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        self.look("pending", move |connection| pending(connection, after, last, bytes)).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        let ids = ids.to_vec();
        self.look("outbox", move |connection| rows_of(connection, ids)).await
    }

    async fn pending_count(&self) -> Result<u64> {
        self.look("pending_count", |connection| count(connection, "SELECT count(DISTINCT id) FROM outbox")).await
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.look("conflicts", conflicts::ids).await
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        let id = id.clone();
        self.look("conflict", move |connection| conflicts::read(connection, &id)).await
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        let id = id.clone();
        self.look("contains", move |connection| exists(connection, &id)).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        let hash = *hash;
        self.look("committed", move |connection| state::was_committed(connection, &hash)).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        let after = after.cloned();
        self.look("synced", move |connection| synced(connection, after.as_ref(), limit)).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        let name = name.to_owned();
        self.look("shelved", move |connection| shelf::get(connection, &name)).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let keep = |applied: &Applied| *applied == Applied::Done;
        self.database.write("apply", keep, move |writer| writer.apply(&batch)).await
    }
}

impl SqliteReplica {
    async fn look<T: Send + 'static>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&Connection) -> Inner<T> + Send + 'static,
    ) -> Result<T> {
        self.database.read(Reader::Engine, operation, job).await
    }
}

/// Walks the outbox by its key from `after` on; the first part of each body comes along.
const PENDING: &str = "
    SELECT o.number, d.id, d.revision, d.base, d.base_revision, d.digest IS NULL, d.length, d.body, b.bytes
    FROM outbox o CROSS JOIN document d ON d.id = o.id LEFT JOIN body b ON b.number = d.body
    WHERE o.number > ?1 AND o.number <= ?2 AND d.row = o.number
      AND NOT EXISTS (SELECT 1 FROM conflict c WHERE c.id = o.id)
    ORDER BY o.number";

fn pending(
    connection: &Connection,
    after: Option<RowNumber>,
    last: RowNumber,
    bytes: usize,
) -> Inner<Vec<PendingChange>> {
    let mut statement = connection.prepare_cached(PENDING)?;
    let after = after.map_or(0, |row| values::column(row.get()));
    let mut rows = statement.query([after, values::column(last.get())])?;
    let mut page = Vec::new();
    let mut size = 0;
    while let Some(row) = rows.next()? {
        size += row.get_ref(1)?.as_str().map_or(0, str::len) as u64 + values::length(row, 6)?;
        if size > bytes as u64 && !page.is_empty() {
            break;
        }
        page.push(pending_change(connection, row)?);
    }
    Ok(page)
}

fn pending_change(connection: &Connection, row: &Row<'_>) -> Inner<PendingChange> {
    let action = if row.get(5)? { Action::Delete } else { Action::Put(pending_body(connection, row)?) };
    let (id, revision, base) = (values::id(row, 1)?, values::revision(row, 2)?, values::base(row, 3)?);
    Ok(PendingChange { row: values::row_number(row.get(0)?)?, change: Change { id, revision, base, action } })
}

fn pending_body(connection: &Connection, row: &Row<'_>) -> Inner<Bytes> {
    let length = values::length(row, 6)?;
    if length <= PART {
        let bytes = row.get_ref(8)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        return bytes.map(Bytes::copy_from_slice).ok_or_else(lost);
    }
    let number: Option<i64> = row.get(7)?;
    bodies::read(connection, BodyAt { number: number.ok_or_else(lost)?, length })
}

fn rows_of(connection: &Connection, ids: Vec<DocumentId>) -> Inner<Outbox> {
    let mut found = Outbox { last_row: state::last_row(connection)?, ..Outbox::default() };
    for id in ids {
        let Some(record) = Record::load(connection, &id)?.filter(|record| record.row.is_some()) else { continue };
        let chain = outbox::chain(connection, record.row)?;
        let base = record.base.as_ref().map(|base| base.sequence);
        found.taken.extend(conflicts::sequence(connection, &id)?.or(base).map(|taken| (id.clone(), taken)));
        let rows = chain.iter().rev().map(outbox::OutboxRow::pending).collect::<Inner<Vec<_>>>()?;
        found.rows.insert(id, rows);
    }
    Ok(found)
}

/// Walks the documents by their key. Of one with a conflict the other side counts.
const SYNCED: &str = "
    SELECT d.id, iif(c.id IS NULL, d.base, c.sequence)
    FROM document d LEFT JOIN conflict c ON c.id = d.id
    WHERE d.id > ?1
      AND iif(c.id IS NULL, d.base IS NOT NULL AND d.base_body IS NOT 0, c.digest IS NOT NULL)
    ORDER BY d.id LIMIT ?2";

fn synced(connection: &Connection, after: Option<&DocumentId>, limit: usize) -> Inner<Vec<Synced>> {
    let mut statement = connection.prepare_cached(SYNCED)?;
    let mut rows = statement.query(params![after.map_or("", DocumentId::as_str), values::column(limit as u64)])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(Synced { id: values::id(row, 0)?, sequence: values::sequence(row.get(1)?)? });
    }
    Ok(page)
}

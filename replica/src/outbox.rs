//! Outbox rows: of each document a chain, from the newest back.

use longshore_core::{Digest, DocumentId, Hash, PendingRow, Revision, RowNumber};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::bodies::BodyAt;
use crate::errors::Result;
use crate::record::Kept;
use crate::values;

/// One outbox row.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    pub(crate) number: i64,
    pub(crate) digest: Digest,
    previous: Option<i64>,
    /// What it left, where a later row overwrote that while an attempt held it.
    body: Option<BodyAt>,
}

impl OutboxRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let body: Option<i64> = row.get(3)?;
        let length = values::length(row, 4)?;
        Ok(Self {
            number: row.get(0)?,
            previous: row.get(1)?,
            digest: values::digest(row, 2)?,
            body: body.map(|number| BodyAt { number, length }),
        })
    }

    /// The version that it left, as far as it is still known.
    pub(crate) fn kept(&self) -> Kept {
        match (self.digest, self.body) {
            (Digest::Delete, _) => Kept::Deleted,
            (Digest::Put(_), Some(at)) => Kept::Body(at),
            (Digest::Put(_), None) => Kept::No,
        }
    }

    pub(crate) fn pending(&self) -> Result<PendingRow> {
        Ok(PendingRow { row: values::row_number(self.number)?, digest: self.digest })
    }
}

/// Adds a row after `previous` of the same document.
pub(crate) fn insert(
    connection: &Connection,
    number: RowNumber,
    id: &DocumentId,
    previous: Option<i64>,
    digest: Option<&Hash>,
    revision: Option<&Revision>,
) -> Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT INTO outbox (number, id, previous, digest, revision) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let number = values::column(number.get());
    statement.execute(params![number, id.as_str(), previous, digest.map(Hash::as_bytes), values::text(revision)])?;
    Ok(())
}

/// The rows of a document, newest first.
pub(crate) fn chain(connection: &Connection, newest: Option<i64>) -> Result<Vec<OutboxRow>> {
    let mut statement =
        connection.prepare_cached("SELECT number, previous, digest, body, length FROM outbox WHERE number = ?1")?;
    let mut chain = Vec::new();
    let mut next = newest;
    while let Some(number) = next {
        let mut rows = statement.query([number])?;
        let Some(row) = rows.next()? else { break };
        let row = OutboxRow::from_row(row)?;
        next = row.previous;
        chain.push(row);
    }
    Ok(chain)
}

/// Keeps the version that the row left, now that a later row takes its place.
pub(crate) fn keep(connection: &Connection, number: i64, at: BodyAt) -> Result<()> {
    let mut statement = connection.prepare_cached("UPDATE outbox SET body = ?2, length = ?3 WHERE number = ?1")?;
    statement.execute([number, at.number, values::column(at.length)])?;
    Ok(())
}

pub(crate) fn remove(connection: &Connection, number: i64) -> Result<()> {
    connection.prepare_cached("DELETE FROM outbox WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// The greatest number of a row that is still there.
pub(crate) fn newest(connection: &Connection) -> Result<Option<i64>> {
    Ok(connection.prepare_cached("SELECT max(number) FROM outbox")?.query_row([], |row| row.get(0))?)
}

/// Whether the open attempt holds the row.
pub(crate) fn in_flight(connection: &Connection, number: i64) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT last FROM flight WHERE first <= ?1 ORDER BY first DESC LIMIT 1")?;
    let last: Option<i64> = statement.query_row([number], |row| row.get(0)).optional()?;
    Ok(last.is_some_and(|last| last >= number))
}

//! What the engine has us remember: its state, the open attempt, the attempts that were committed.

use bytes::Bytes;
use longshore_core::{Attempt, Hash, RowNumber};
use rusqlite::{Connection, OptionalExtension, params};

use crate::errors::{Result, damaged};
use crate::values;

/// The places in the table `engine`.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    State = 1,
    Attempt = 2,
    LastRow = 3,
}

pub(crate) fn get(connection: &Connection, place: Place) -> Result<Option<Bytes>> {
    let mut statement = connection.prepare_cached("SELECT value FROM engine WHERE key = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([place as i64], |row| row.get(0)).optional()?;
    Ok(bytes.map(Bytes::from))
}

pub(crate) fn set(connection: &Connection, place: Place, value: &[u8]) -> Result<()> {
    let mut statement = connection.prepare_cached("REPLACE INTO engine (key, value) VALUES (?1, ?2)")?;
    statement.execute(params![place as i64, value])?;
    Ok(())
}

/// The highest row number ever given.
pub(crate) fn last_row(connection: &Connection) -> Result<Option<RowNumber>> {
    let Some(bytes) = get(connection, Place::LastRow)? else { return Ok(None) };
    let number: [u8; 8] = bytes.as_ref().try_into().map_err(|_| damaged())?;
    values::row_number(i64::from_be_bytes(number)).map(Some)
}

pub(crate) fn set_last_row(connection: &Connection, row: RowNumber) -> Result<()> {
    set(connection, Place::LastRow, &row.get().to_be_bytes())
}

pub(crate) fn attempt(connection: &Connection) -> Result<Option<Attempt>> {
    let stored = get(connection, Place::Attempt)?;
    Ok(stored.map(|stored| Attempt::decode(&stored)).transpose()?)
}

/// Makes this the open attempt.
pub(crate) fn journal(connection: &Connection, attempt: &Attempt) -> Result<()> {
    abandon(connection)?;
    set(connection, Place::Attempt, &attempt.encode()?)?;
    let mut statement = connection.prepare_cached("INSERT INTO flight (first, last) VALUES (?1, ?2)")?;
    for (first, last) in attempt.rows.ranges() {
        statement.execute([values::column(*first), values::column(*last)])?;
    }
    Ok(())
}

/// No attempt is open any more.
pub(crate) fn abandon(connection: &Connection) -> Result<()> {
    connection.prepare_cached("DELETE FROM engine WHERE key = ?1")?.execute([Place::Attempt as i64])?;
    connection.prepare_cached("DELETE FROM flight")?.execute([])?;
    Ok(())
}

pub(crate) fn remember_committed(connection: &Connection, hash: &Hash) -> Result<()> {
    connection.prepare_cached("INSERT OR IGNORE INTO committed (hash) VALUES (?1)")?.execute([hash.as_bytes()])?;
    Ok(())
}

pub(crate) fn was_committed(connection: &Connection, hash: &Hash) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM committed WHERE hash = ?1")?.exists([hash.as_bytes()])?)
}

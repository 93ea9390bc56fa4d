//! The shelf: bytes that the engine keeps by name until it has applied them all.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::bodies::{self, BodyAt};
use crate::errors::Result;
use crate::values;

fn at(connection: &Connection, name: &str) -> Result<Option<BodyAt>> {
    let mut statement = connection.prepare_cached("SELECT body, length FROM shelf WHERE name = ?1")?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(BodyAt { number: row.get(0)?, length: values::length(row, 1)? }))
}

pub(crate) fn get(connection: &Connection, name: &str) -> Result<Option<Bytes>> {
    at(connection, name)?.map(|at| bodies::read(connection, at)).transpose()
}

/// Keeps these bytes in the place of earlier ones.
pub(crate) fn set(connection: &Connection, name: &str, bytes: &Bytes) -> Result<()> {
    if let Some(old) = at(connection, name)? {
        bodies::remove(connection, old)?;
    }
    let new = bodies::insert(connection, bytes)?;
    let mut statement = connection.prepare_cached("REPLACE INTO shelf (name, body, length) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![name, new.number, values::column(new.length)])?;
    Ok(())
}

/// Forgets everything.
pub(crate) fn clear(connection: &Connection) -> Result<()> {
    let mut statement = connection.prepare_cached("SELECT name FROM shelf LIMIT 1")?;
    while let Some(name) = statement.query_row([], |row| row.get::<_, String>(0)).optional()? {
        if let Some(at) = at(connection, &name)? {
            bodies::remove(connection, at)?;
        }
        connection.prepare_cached("DELETE FROM shelf WHERE name = ?1")?.execute([name])?;
    }
    Ok(())
}

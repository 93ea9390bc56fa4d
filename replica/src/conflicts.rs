//! Recorded conflicts: the other side's version, kept until the app has answered.

use longshore_core::{Conflict, DocumentId, Hash, Sequence, Version};
use rusqlite::{Connection, OptionalExtension, params};

use crate::bodies;
use crate::errors::Result;
use crate::record::{Record, Stored, lost};
use crate::values;

/// The other side's version, and the entry that holds it.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) version: Stored,
    pub(crate) sequence: Sequence,
}

pub(crate) fn get(connection: &Connection, id: &DocumentId) -> Result<Option<Remote>> {
    let mut statement =
        connection.prepare_cached("SELECT revision, digest, length, body, sequence FROM conflict WHERE id = ?1")?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let version = Stored::from_row(row, 0)?;
    Ok(Some(Remote { version, sequence: values::sequence(row.get(4)?)? }))
}

/// The entry of the other side's version.
pub(crate) fn sequence(connection: &Connection, id: &DocumentId) -> Result<Option<Sequence>> {
    let mut statement = connection.prepare_cached("SELECT sequence FROM conflict WHERE id = ?1")?;
    let number: Option<i64> = statement.query_row([id.as_str()], |row| row.get(0)).optional()?;
    number.map(values::sequence).transpose()
}

/// Records this version in the place of an earlier one.
pub(crate) fn set(connection: &Connection, id: &DocumentId, remote: &Remote) -> Result<()> {
    remove(connection, id)?;
    let Remote { version, sequence } = remote;
    let mut statement = connection.prepare_cached(
        "INSERT INTO conflict (id, sequence, revision, digest, length, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        id.as_str(),
        values::column(sequence.get()),
        values::text(version.revision.as_ref()),
        version.digest.as_ref().map(Hash::as_bytes),
        values::column(version.length),
        version.body,
    ])?;
    Ok(())
}

/// Forgets the conflict and its body.
pub(crate) fn remove(connection: &Connection, id: &DocumentId) -> Result<()> {
    let Some(remote) = take(connection, id)? else { return Ok(()) };
    remote.version.at().map_or(Ok(()), |at| bodies::remove(connection, at))
}

/// Forgets the conflict; its body now belongs to the caller.
pub(crate) fn take(connection: &Connection, id: &DocumentId) -> Result<Option<Remote>> {
    let remote = get(connection, id)?;
    if remote.is_some() {
        connection.prepare_cached("DELETE FROM conflict WHERE id = ?1")?.execute([id.as_str()])?;
    }
    Ok(remote)
}

pub(crate) fn ids(connection: &Connection) -> Result<Vec<DocumentId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM conflict ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        ids.push(values::id(row, 0)?);
    }
    Ok(ids)
}

/// The conflict with all its sides.
pub(crate) fn read(connection: &Connection, id: &DocumentId) -> Result<Option<Conflict>> {
    let Some(remote) = get(connection, id)? else { return Ok(None) };
    let record = Record::load(connection, id)?.ok_or_else(lost)?;
    Ok(Some(Conflict {
        id: id.clone(),
        base: record.started_from(connection, id)?,
        local: side(connection, id, &record.local)?,
        remote: side(connection, id, &remote.version)?,
        sequence: remote.sequence,
        row: values::row_number(record.row.ok_or_else(lost)?)?,
    }))
}

fn side(connection: &Connection, id: &DocumentId, version: &Stored) -> Result<Version> {
    let document = version.document(connection, id.clone(), lost)?;
    Ok(document.map_or(Version::Deleted, Version::Present))
}

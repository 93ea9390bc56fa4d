//! One write transaction: what the app's writes and the engine's steps have in common.

use bytes::Bytes;
use longshore_core::{Change, Digest, DocumentId, Hash, Revision, RowNumber};
use rusqlite::{Connection, params};

use crate::bodies;
use crate::builder::Bodies;
use crate::errors::Result;
use crate::outbox;
use crate::record::{Kept, Record, Stored};
use crate::state;
use crate::values;

pub(crate) struct Writer<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) bodies: Bodies,
    last_row: Option<RowNumber>,
    stored_last_row: Option<RowNumber>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(connection: &'a Connection, bodies: Bodies) -> Result<Self> {
        let last_row = state::last_row(connection)?;
        Ok(Self { connection, bodies, last_row, stored_last_row: last_row })
    }

    /// To be called before the transaction is committed.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.last_row {
            Some(row) if self.last_row != self.stored_last_row => state::set_last_row(self.connection, row),
            _ => Ok(()),
        }
    }

    /// Makes a change of the app, with its outbox row and its note if it has a new one.
    pub(crate) fn write(&mut self, change: &Change, digest: Digest, note: Option<&Bytes>) -> Result<RowNumber> {
        let number = self.last_row.map_or(Ok(RowNumber::FIRST), RowNumber::next)?;
        self.last_row = Some(number);
        let local = self.hold(change.revision.as_ref(), change.action.body(), digest)?;
        let row = Some(values::column(number.get()));
        let mut record = Record { local, row, note: note.cloned(), ..Record::default() };
        let (digest, revision) = (record.local.digest, record.local.revision.clone());
        let previous =
            if record.insert(self.connection, &change.id)? { None } else { self.supersede(&change.id, &mut record)? };
        outbox::insert(self.connection, number, &change.id, previous, digest.as_ref(), revision.as_ref())?;
        Ok(number)
    }

    /// Stores a version's body, and says where it is.
    pub(crate) fn hold(&self, revision: Option<&Revision>, body: Option<&Bytes>, digest: Digest) -> Result<Stored> {
        let at = body.map(|body| bodies::insert(self.connection, body)).transpose()?;
        Ok(Stored {
            revision: revision.cloned(),
            digest: body_hash(digest),
            length: at.map_or(0, |at| at.length),
            body: at.map(|at| at.number),
        })
    }

    /// Puts the new record over the one that is there, whose newest row it returns.
    fn supersede(&self, id: &DocumentId, record: &mut Record) -> Result<Option<i64>> {
        let Some(mut old) = Record::load(self.connection, id)? else { return Ok(None) };
        self.keep_overwritten(&mut old)?;
        record.base = old.base;
        record.base_version = old.base_version;
        record.update(self.connection, id)?;
        Ok(old.row)
    }

    /// Keeps what a write is about to overwrite, where a later merge may need it; else removes it.
    fn keep_overwritten(&self, old: &mut Record) -> Result<()> {
        match (old.row, old.local.at()) {
            (None, _) if old.base.is_some() => old.base_version = old.local.kept(),
            (Some(row), Some(at)) if outbox::in_flight(self.connection, row)? => {
                outbox::keep(self.connection, row, at)?;
            }
            (_, Some(at)) => bodies::remove(self.connection, at)?,
            (_, None) => {}
        }
        Ok(())
    }

    /// Removes the bytes of a base version.
    pub(crate) fn forget(&self, version: Kept) -> Result<()> {
        version.at().map_or(Ok(()), |at| bodies::remove(self.connection, at))
    }

    /// Removes the bytes of a version that is no longer pending, where only pending ones are kept.
    pub(crate) fn rest(&self, version: &mut Stored) -> Result<()> {
        match self.bodies {
            Bodies::Kept => Ok(()),
            Bodies::WhilePending => self.discard(version),
        }
    }

    /// Removes the bytes of a version.
    pub(crate) fn discard(&self, version: &mut Stored) -> Result<()> {
        let Some(at) = version.at() else { return Ok(()) };
        version.body = None;
        bodies::remove(self.connection, at)
    }

    /// Sets the app's note on a document; nothing if there is no such document.
    pub(crate) fn set_note(&self, id: &DocumentId, note: &Bytes) -> Result<()> {
        let mut statement = self.connection.prepare_cached("UPDATE document SET note = ?2 WHERE id = ?1")?;
        statement.execute(params![id.as_str(), note.as_ref()])?;
        Ok(())
    }
}

/// The digest as it is stored.
fn body_hash(digest: Digest) -> Option<Hash> {
    match digest {
        Digest::Put(hash) => Some(hash),
        Digest::Delete => None,
    }
}

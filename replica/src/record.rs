//! The row of one document.

use bytes::Bytes;
use longshore_core::{Base, BaseVersion, Document, DocumentId, Hash, Revision};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::bodies::{self, BodyAt};
use crate::errors::{Fault, Result, damaged};
use crate::values;

/// One version of a document: the local one, or the other side's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) revision: Option<Revision>,
    /// `None`: deleted.
    pub(crate) digest: Option<Hash>,
    pub(crate) length: u64,
    /// The first part's number; `None`: not kept, or deleted.
    pub(crate) body: Option<i64>,
}

/// What the entry of the base left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Kept {
    /// Nobody knows any more, or it is the local version.
    #[default]
    No,
    Deleted,
    Body(BodyAt),
}

/// A document, or a deleted one while rows of it are pending.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) local: Stored,
    /// The newest outbox row.
    pub(crate) row: Option<i64>,
    pub(crate) base: Option<Base>,
    pub(crate) base_version: Kept,
    /// The app's new note; `None` leaves the one that is there.
    pub(crate) note: Option<Bytes>,
}

impl Stored {
    pub(crate) fn at(&self) -> Option<BodyAt> {
        self.body.map(|number| BodyAt { number, length: self.length })
    }

    /// This version, where a later one takes its place.
    pub(crate) fn kept(&self) -> Kept {
        match (self.digest, self.at()) {
            (None, _) => Kept::Deleted,
            (Some(_), None) => Kept::No,
            (Some(_), Some(at)) => Kept::Body(at),
        }
    }

    /// From four columns: revision, digest, length, body.
    pub(crate) fn from_row(row: &Row<'_>, at: usize) -> Result<Self> {
        Ok(Self {
            revision: values::revision(row, at)?,
            digest: values::hash(row, at + 1)?,
            length: values::length(row, at + 2)?,
            body: row.get(at + 3)?,
        })
    }

    /// The document; `None` if it is deleted. `absent` says what a body that is not kept means.
    pub(crate) fn document(
        &self,
        connection: &Connection,
        id: DocumentId,
        absent: impl FnOnce() -> Fault,
    ) -> Result<Option<Document>> {
        if self.digest.is_none() {
            return Ok(None);
        }
        let body = bodies::read(connection, self.at().ok_or_else(absent)?)?;
        Ok(Some(Document { id, revision: self.revision.clone(), body }))
    }
}

impl Kept {
    /// From two columns: body, length.
    fn from_row(row: &Row<'_>, at: usize) -> Result<Self> {
        Ok(match row.get::<_, Option<i64>>(at)? {
            None => Self::No,
            Some(0) => Self::Deleted,
            Some(number) => Self::Body(BodyAt { number, length: values::length(row, at + 1)? }),
        })
    }

    fn columns(self) -> (Option<i64>, i64) {
        match self {
            Self::No => (None, 0),
            Self::Deleted => (Some(0), 0),
            Self::Body(at) => (Some(at.number), values::column(at.length)),
        }
    }

    pub(crate) fn at(self) -> Option<BodyAt> {
        match self {
            Self::Body(at) => Some(at),
            Self::No | Self::Deleted => None,
        }
    }
}

impl Record {
    pub(crate) fn load(connection: &Connection, id: &DocumentId) -> Result<Option<Self>> {
        let mut statement = connection.prepare_cached(
            "SELECT revision, digest, length, body, row, base, base_revision, base_body, base_length
             FROM document WHERE id = ?1",
        )?;
        let mut rows = statement.query([id.as_str()])?;
        rows.next()?.map(Self::from_row).transpose()
    }

    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            local: Stored::from_row(row, 0)?,
            row: row.get(4)?,
            base: values::base(row, 5)?,
            base_version: Kept::from_row(row, 7)?,
            note: None,
        })
    }

    /// Whether the document is there, and not merely remembered.
    pub(crate) fn is_present(&self) -> bool {
        self.local.digest.is_some()
    }

    /// Adds it, unless there is one already.
    pub(crate) fn insert(&self, connection: &Connection, id: &DocumentId) -> Result<bool> {
        const SQL: &str = "INSERT INTO document
             (id, revision, digest, length, body, row, base, base_revision, base_body, base_length, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING";
        Ok(self.execute(connection, SQL, id)? == 1)
    }

    /// Writes it over the one that is there. Without a new note the old one stays.
    pub(crate) fn update(&self, connection: &Connection, id: &DocumentId) -> Result<()> {
        const SQL: &str = "UPDATE document SET revision = ?2, digest = ?3, length = ?4, body = ?5, row = ?6,
             base = ?7, base_revision = ?8, base_body = ?9, base_length = ?10,
             note = ifnull(?11, note) WHERE id = ?1";
        self.execute(connection, SQL, id).map(drop)
    }

    fn execute(&self, connection: &Connection, sql: &str, id: &DocumentId) -> Result<usize> {
        let Self { local, row, base, base_version, note } = self;
        let (base_body, base_length) = base_version.columns();
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.execute(params![
            id.as_str(),
            values::text(local.revision.as_ref()),
            local.digest.as_ref().map(Hash::as_bytes),
            values::column(local.length),
            local.body,
            row,
            base.as_ref().map(|base| values::column(base.sequence.get())),
            values::text(base.as_ref().and_then(|base| base.revision.as_ref())),
            base_body,
            base_length,
            note.as_deref(),
        ])?)
    }

    pub(crate) fn remove(connection: &Connection, id: &DocumentId) -> Result<()> {
        connection.prepare_cached("DELETE FROM document WHERE id = ?1")?.execute([id.as_str()])?;
        Ok(())
    }

    /// What both sides of a conflict started from.
    pub(crate) fn started_from(&self, connection: &Connection, id: &DocumentId) -> Result<BaseVersion> {
        let Some(base) = &self.base else { return Ok(BaseVersion::New) };
        match self.base_version {
            Kept::No => Ok(BaseVersion::NotKept),
            Kept::Deleted => Ok(BaseVersion::New),
            Kept::Body(at) => {
                let body: Bytes = bodies::read(connection, at)?;
                Ok(BaseVersion::Known(Document { id: id.clone(), revision: base.revision.clone(), body }))
            }
        }
    }
}

/// Whether the document exists.
pub(crate) fn exists(connection: &Connection, id: &DocumentId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT digest IS NOT NULL FROM document WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// The body of a pending version has to be there.
pub(crate) fn lost() -> Fault {
    damaged()
}

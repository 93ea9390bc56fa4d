//! The end of an attempt: all its rows at once, where nothing is special about them.

use longshore_core::{Attempt, Base, DocumentId, Revision};
use rusqlite::{Connection, params};

use crate::bodies::PART;
use crate::builder::Bodies;
use crate::errors::{Result, defect};
use crate::state;
use crate::values;
use crate::writer::Writer;

macro_rules! flying_sql {
    () => {
        " FROM flight f CROSS JOIN outbox o ON o.number BETWEEN f.first AND f.last "
    };
}
macro_rules! document_sql {
    () => {
        concat!(flying_sql!(), " CROSS JOIN document d ON d.id = o.id ")
    };
}

/// A document with several rows, a body in several parts or a conflict.
macro_rules! special_sql {
    () => {
        "(o.previous IS NOT NULL OR d.row <> o.number OR d.length > ?1 OR d.base_length > ?1
          OR EXISTS (SELECT 1 FROM conflict c WHERE c.id = o.id))"
    };
}

const SURVEY: &str = concat!(
    "SELECT count(iif(",
    special_sql!(),
    ", 1, NULL)), count(d.base_body), count(iif(o.digest IS NULL, 1, NULL))",
    document_sql!()
);

const SPECIAL: &str = concat!("SELECT o.id, o.number, o.revision", document_sql!(), "WHERE ", special_sql!());

const FORGET_BASES: &str =
    concat!("DELETE FROM body WHERE number IN (SELECT d.base_body", document_sql!(), "WHERE d.base_body IS NOT NULL)");

const FORGET_BODIES: &str = concat!("DELETE FROM body WHERE number IN (SELECT d.body", document_sql!(), ")");

const REMOVE_DELETED: &str =
    concat!("DELETE FROM document WHERE id IN (SELECT o.id", flying_sql!(), "WHERE o.digest IS NULL)");

/// `?2`: whether bodies rest in the database.
const REBASE: &str = concat!(
    "UPDATE document SET base = ?1, base_revision = revision, row = NULL, base_body = NULL, base_length = 0,
     body = iif(?2, body, NULL) WHERE id IN (SELECT o.id",
    flying_sql!(),
    ")"
);

/// How many rows of the attempt need more than a new base.
struct Survey {
    special: i64,
    with_base_body: i64,
    deletions: i64,
}

impl Writer<'_> {
    /// The open attempt is in the log.
    pub(crate) fn commit(&mut self) -> Result<()> {
        let attempt = state::attempt(self.connection)?.ok_or_else(|| defect("no attempt is open", "commit"))?;
        if !self.sweep(&attempt)? {
            self.settle_all(&attempt)?;
        }
        state::remember_committed(self.connection, &attempt.hash)?;
        state::abandon(self.connection)
    }

    fn settle_all(&mut self, attempt: &Attempt) -> Result<()> {
        let survey = Survey::make(self.connection)?;
        if survey.special > 0 {
            self.settle_special(attempt)?;
        }
        self.settle_plain(attempt, &survey)
    }

    fn settle_special(&mut self, attempt: &Attempt) -> Result<()> {
        for (id, number, revision) in special(self.connection)? {
            self.settle(&id, number, Base { sequence: attempt.sequence, revision })?;
        }
        Ok(())
    }

    /// Each document that is left has one row, and each body one part.
    fn settle_plain(&self, attempt: &Attempt, survey: &Survey) -> Result<()> {
        let run = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        if survey.with_base_body > 0 {
            run(FORGET_BASES)?;
        }
        if self.bodies == Bodies::WhilePending {
            run(FORGET_BODIES)?;
        }
        if survey.deletions > 0 {
            run(REMOVE_DELETED)?;
        }
        let sequence = values::column(attempt.sequence.get());
        self.connection.prepare_cached(REBASE)?.execute(params![sequence, self.bodies == Bodies::Kept])?;
        self.remove_rows(attempt)
    }

    fn remove_rows(&self, attempt: &Attempt) -> Result<()> {
        let mut statement = self.connection.prepare_cached("DELETE FROM outbox WHERE number BETWEEN ?1 AND ?2")?;
        for (first, last) in attempt.rows.ranges() {
            statement.execute([values::column(*first), values::column(*last)])?;
        }
        Ok(())
    }
}

impl Survey {
    fn make(connection: &Connection) -> Result<Self> {
        let mut statement = connection.prepare_cached(SURVEY)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Self { special: row.get(0)?, with_base_body: row.get(1)?, deletions: row.get(2)? })
        };
        Ok(statement.query_row([values::column(PART)], read)?)
    }
}

/// The rows of the attempt that cannot be settled in bulk.
fn special(connection: &Connection) -> Result<Vec<(DocumentId, i64, Option<Revision>)>> {
    let mut statement = connection.prepare_cached(SPECIAL)?;
    let mut rows = statement.query([values::column(PART)])?;
    let mut special = Vec::new();
    while let Some(row) = rows.next()? {
        special.push((values::id(row, 0)?, row.get(1)?, values::revision(row, 2)?));
    }
    Ok(special)
}

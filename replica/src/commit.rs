//! The end of an attempt: all its rows at once, where nothing is special about them.

use longshore_core::{Attempt, Base, DocumentId, Revision};
use rusqlite::{Connection, params};

use crate::bodies::PART;
use crate::builder::Bodies;
use crate::errors::{Result, defect};
use crate::state;
use crate::values;
use crate::writer::Writer;

/// Each document has one row, and each body one part: what is not `special`, and all that is left when that is done.
const SPECIAL: &str = "
    SELECT o.id, o.number, o.revision
    FROM flight f CROSS JOIN outbox o ON o.number BETWEEN f.first AND f.last CROSS JOIN document d ON d.id = o.id
    WHERE o.previous IS NOT NULL OR d.row <> o.number OR d.length > ?1 OR d.base_length > ?1
       OR EXISTS (SELECT 1 FROM conflict c WHERE c.id = o.id)";

const FORGET_BASES: &str = "
    DELETE FROM body WHERE number IN (
        SELECT d.base_body
        FROM flight f CROSS JOIN outbox o ON o.number BETWEEN f.first AND f.last CROSS JOIN document d ON d.id = o.id
        WHERE d.base_body IS NOT NULL)";

const FORGET_BODIES: &str = "
    DELETE FROM body WHERE number IN (
        SELECT d.body
        FROM flight f CROSS JOIN outbox o ON o.number BETWEEN f.first AND f.last CROSS JOIN document d ON d.id = o.id)";

const REMOVE_DELETED: &str = "
    DELETE FROM document WHERE id IN (
        SELECT o.id FROM flight f CROSS JOIN outbox o ON o.number BETWEEN f.first AND f.last WHERE o.digest IS NULL)";

/// `?2`: whether bodies rest in the database.
const REBASE: &str = "
    UPDATE document
    SET base = ?1, base_revision = revision, row = NULL, base_body = NULL, base_length = 0, body = iif(?2, body, NULL)
    WHERE id IN (SELECT o.id FROM flight f CROSS JOIN outbox o ON o.number BETWEEN f.first AND f.last)";

impl Writer<'_> {
    /// The open attempt is in the log.
    pub(crate) fn commit(&mut self) -> Result<()> {
        let attempt = state::attempt(self.connection)?.ok_or_else(|| defect("no attempt is open", "commit"))?;
        for (id, number, revision) in special(self.connection)? {
            self.settle(&id, number, Base { sequence: attempt.sequence, revision })?;
        }
        self.settle_plain(&attempt)?;
        state::remember_committed(self.connection, &attempt.hash)?;
        state::abandon(self.connection)
    }

    fn settle_plain(&self, attempt: &Attempt) -> Result<()> {
        let run = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        run(FORGET_BASES)?;
        if self.bodies == Bodies::WhilePending {
            run(FORGET_BODIES)?;
        }
        run(REMOVE_DELETED)?;
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

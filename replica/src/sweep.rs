//! The end of an attempt that holds all that is pending, and much of all there is, as a first push does: whole tables are
//! gone over once, which is many times cheaper than looking each document up.

use longshore_core::Attempt;
use rusqlite::{Connection, OptionalExtension, params};

use crate::bodies::PART;
use crate::builder::Bodies;
use crate::errors::Result;
use crate::values;
use crate::writer::Writer;

/// The sweep pays where no more documents are at rest than this many for each row.
const AT_REST: u64 = 3;

const OUTBOX: &str = "
    SELECT count(*), count(iif(digest IS NULL, 1, NULL)) FROM outbox
    HAVING count(previous) = 0 AND min(number) >= ?1 AND max(number) <= ?2";

/// Documents, of which no more than `?1` are counted.
const DOCUMENTS: &str = "SELECT count(*) FROM (SELECT 1 FROM document LIMIT ?1)";

/// Bodies of more than one part are left to the general way.
const PENDING: &str = "
    SELECT count(*), count(base_body) FROM document WHERE row IS NOT NULL
    HAVING ifnull(max(length), 0) <= ?1 AND ifnull(max(base_length), 0) <= ?1";

const FORGET_BASES: &str =
    "DELETE FROM body WHERE number IN (SELECT base_body FROM document WHERE row IS NOT NULL AND base_body IS NOT NULL)";

const FORGET_BODIES: &str = "DELETE FROM body WHERE number IN (SELECT body FROM document WHERE row IS NOT NULL)";

const REMOVE_DELETED: &str = "DELETE FROM document WHERE row IS NOT NULL AND digest IS NULL";

/// `?2`: whether bodies rest in the database.
const REBASE: &str = "
    UPDATE document SET base = ?1, base_revision = revision, row = NULL, base_body = NULL, base_length = 0,
    body = iif(?2, body, NULL) WHERE row IS NOT NULL";

/// What is pending, where that is what the attempt holds, each document has one row and each body one part.
struct Pending {
    deletions: i64,
    with_base_body: i64,
}

impl Writer<'_> {
    /// Commits the whole outbox at once; `false`, and nothing is done, where the attempt does not hold just that, or where it
    /// would not pay.
    pub(crate) fn sweep(&mut self, attempt: &Attempt) -> Result<bool> {
        let Some(pending) = Pending::look(self.connection, attempt)? else { return Ok(false) };
        let run = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        if pending.with_base_body > 0 {
            run(FORGET_BASES)?;
        }
        if self.bodies == Bodies::WhilePending {
            run(FORGET_BODIES)?;
        }
        if pending.deletions > 0 {
            run(REMOVE_DELETED)?;
        }
        let sequence = values::column(attempt.sequence.get());
        self.connection.prepare_cached(REBASE)?.execute(params![sequence, self.bodies == Bodies::Kept])?;
        // Without a condition SQLite drops the pages and looks at no row.
        run("DELETE FROM outbox")?;
        Ok(true)
    }
}

impl Pending {
    /// The cheap questions first.
    fn look(connection: &Connection, attempt: &Attempt) -> Result<Option<Self>> {
        let &[(first, last)] = attempt.rows.ranges() else { return Ok(None) };
        let at_most = attempt.rows.len().saturating_mul(1 + AT_REST);
        if count(connection, DOCUMENTS, values::column(at_most.saturating_add(1)))? > values::column(at_most)
            || connection.prepare_cached("SELECT 1 FROM conflict")?.exists([])?
        {
            return Ok(None);
        }
        let range = [values::column(first), values::column(last)];
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows: Option<(i64, i64)> = connection.prepare_cached(OUTBOX)?.query_row(range, pair).optional()?;
        let documents: Option<(i64, i64)> =
            connection.prepare_cached(PENDING)?.query_row([values::column(PART)], pair).optional()?;
        Ok(match (rows, documents) {
            (Some((rows, deletions)), Some((documents, with_base_body))) if rows == documents => {
                Some(Self { deletions, with_base_body })
            }
            _ => None,
        })
    }
}

fn count(connection: &Connection, sql: &str, at_most: i64) -> Result<i64> {
    Ok(connection.prepare_cached(sql)?.query_row([at_most], |row| row.get(0))?)
}

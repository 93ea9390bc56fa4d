//! The tables, and how older databases get them.

use longshore_core::{Error, ErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::errors::{Fault, Result};

/// `LGSH`: says in the file's header whose database it is.
const APPLICATION: i32 = 0x4C47_5348;

/// Step *n* leads from version *n* to *n + 1*. A released step never changes.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2];

/// Bodies are immutable and stand apart, so that a commit rewrites small rows only. Whoever names a body owns it: a
/// document (`body`, `base_body`), a superseded outbox row, a conflict or the shelf.
const VERSION_1: &str = "
-- Documents, and the deleted ones while rows of them are pending.
CREATE TABLE document (
    id TEXT NOT NULL PRIMARY KEY,
    revision TEXT,
    digest BLOB,                        -- BLAKE3 of the body; NULL: deleted
    length INTEGER NOT NULL,            -- of the body, in bytes
    body INTEGER,                       -- NULL: not kept
    row INTEGER,                        -- the newest outbox row; NULL: nothing is pending
    base INTEGER,                       -- sequence number of the entry that the local version started from
    base_revision TEXT,
    base_body INTEGER,                  -- what that entry left, if something is pending; 0: a deletion; NULL: not kept
    base_length INTEGER NOT NULL DEFAULT 0,
    note BLOB                           -- the app's own
) WITHOUT ROWID;

-- A body of more than 64 MiB lies in several parts with consecutive numbers; a row names the first.
CREATE TABLE body (
    number INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,         -- counted in `engine`, so that none is used twice
    id TEXT NOT NULL,
    previous INTEGER,                   -- the document's row before this; it may be gone
    digest BLOB,                        -- NULL: deleted
    revision TEXT,
    body INTEGER,                       -- of a superseded row that was in an attempt; the newest one's is the document's
    length INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE conflict (
    id TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    revision TEXT,
    digest BLOB,                        -- NULL: deleted
    length INTEGER NOT NULL,
    body INTEGER
) WITHOUT ROWID;

-- The rows of the open attempt.
CREATE TABLE flight (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);

CREATE TABLE committed (
    hash BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- 1: the engine's state. 2: the open attempt. 3: the last row number given.
CREATE TABLE engine (
    key INTEGER PRIMARY KEY,
    value BLOB NOT NULL
);
";

/// What the engine fetched of a snapshot and cannot apply yet. The bytes are bodies, too: one of 8 MiB is in nobody's way there.
const VERSION_2: &str = "
CREATE TABLE shelf (
    name TEXT NOT NULL PRIMARY KEY,
    body INTEGER NOT NULL,
    length INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Refuses what is not ours or too new, before anything is changed. `true` if the tables are there and current.
pub(crate) fn check(connection: &Connection) -> Result<bool> {
    let version = version(connection)?;
    if pragma(connection, "application_id")? != APPLICATION {
        let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return if objects == 0 && version == 0 { Ok(false) } else { Err(foreign()) };
    }
    if version > MIGRATIONS.len() {
        return Err(newer(version));
    }
    Ok(version == MIGRATIONS.len())
}

/// Brings the tables up to date, in one transaction.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it since the look before.
    if !check(&transaction)? {
        for step in &MIGRATIONS[version(&transaction)?..] {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    }
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<usize> {
    let version = pragma(connection, "user_version")?;
    usize::try_from(version).map_err(|_| foreign())
}

fn pragma(connection: &Connection, name: &str) -> Result<i32> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

fn foreign() -> Fault {
    Error::new(ErrorKind::Unsupported, "the database belongs to another application").into()
}

fn newer(version: usize) -> Fault {
    Error::new(ErrorKind::Unsupported, "a newer longshore wrote the database")
        .with_expected(format!("version {} or older", MIGRATIONS.len()), format!("version {version}"))
        .into()
}

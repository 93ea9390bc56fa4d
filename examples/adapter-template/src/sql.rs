//! The statements. Each function is one transaction.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Result, TransactionBehavior, params};

/// Bytes of one part: what a reader or a writer holds in memory.
pub(crate) const PART: usize = 1 << 20;
/// Names of one page of a listing.
pub(crate) const PAGE: i64 = 1000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS object (key TEXT PRIMARY KEY, size INTEGER NOT NULL, upload INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS part (
        upload INTEGER, at INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (upload, at)
    ) WITHOUT ROWID;";

/// A visible object.
#[derive(Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) size: u64,
    pub(crate) upload: i64,
}

pub(crate) fn open(path: &Path, make: bool) -> Result<Connection> {
    let make = if make { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | make)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

/// The database decides: of any number of these at once, one inserts the row.
pub(crate) fn create(connection: &mut Connection, key: &str, bytes: &[u8]) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let upload = new_upload(&transaction)?;
    let sql = "INSERT INTO object (key, size, upload) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING";
    if transaction.execute(sql, params![key, (bytes.len() as u64).cast_signed(), upload])? == 0 {
        return Ok(false);
    }
    if !bytes.is_empty() {
        for (at, part) in (0..).zip(bytes.chunks(PART)) {
            add_part(&transaction, upload, at, part)?;
        }
    }
    transaction.commit()?;
    Ok(true)
}

/// A number that no other upload has.
pub(crate) fn new_upload(connection: &Connection) -> Result<i64> {
    connection.query_row("SELECT random()", [], |row| row.get(0))
}

pub(crate) fn add_part(connection: &Connection, upload: i64, at: i64, bytes: &[u8]) -> Result<()> {
    connection.execute("INSERT INTO part (upload, at, bytes) VALUES (?1, ?2, ?3)", params![upload, at, bytes])?;
    Ok(())
}

/// Makes an upload visible, whole. Where the name is taken, it has these very bytes already.
pub(crate) fn publish(connection: &mut Connection, key: &str, upload: i64, size: u64) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "INSERT INTO object (key, size, upload) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING";
    if transaction.execute(sql, params![key, size.cast_signed(), upload])? == 0 {
        forget(&transaction, upload)?;
    }
    transaction.commit()
}

pub(crate) fn forget(connection: &Connection, upload: i64) -> Result<()> {
    connection.execute("DELETE FROM part WHERE upload = ?1", [upload])?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, key: &str) -> Result<Option<Stored>> {
    let stored =
        |row: &rusqlite::Row<'_>| Ok(Stored { size: row.get::<_, i64>(0)?.cast_unsigned(), upload: row.get(1)? });
    connection.query_row("SELECT size, upload FROM object WHERE key = ?1", [key], stored).optional()
}

pub(crate) fn part(connection: &Connection, upload: i64, at: u64) -> Result<Option<Bytes>> {
    let sql = "SELECT bytes FROM part WHERE upload = ?1 AND at = ?2";
    let bytes: Option<Vec<u8>> =
        connection.query_row(sql, params![upload, at.cast_signed()], |row| row.get(0)).optional()?;
    Ok(bytes.map(Bytes::from))
}

/// The names directly in a folder after `after`, ascending by bytes; one page.
///
/// Keys do not sort as names do (`a-b/data` comes before `a/data`, but `a` before `a-b`), so the names are cut out first.
pub(crate) fn list(connection: &Connection, folder: &str, after: &str) -> Result<Vec<String>> {
    const SQL: &str = "
        WITH inside AS (SELECT substr(key, length(?1) + 1) AS rest FROM object WHERE substr(key, 1, length(?1)) = ?1)
        SELECT DISTINCT substr(rest, 1, instr(rest || '/', '/') - 1) AS name FROM inside
        WHERE name > ?2 ORDER BY name LIMIT ?3";
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut statement = connection.prepare_cached(SQL)?;
    let names = statement.query_map(params![prefix, after, PAGE], |row| row.get(0))?;
    names.collect()
}

pub(crate) fn delete(connection: &mut Connection, key: &str) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(stored) = find(&transaction, key)? {
        transaction.execute("DELETE FROM object WHERE key = ?1", [key])?;
        forget(&transaction, stored.upload)?;
    }
    transaction.commit()
}

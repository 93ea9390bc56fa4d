//! Room on the disk that the database no longer needs.

use rusqlite::Connection;

use crate::errors::{Result, damaged};

/// Shrinks the database if at least this many bytes of it, and half of it, are unused; says by how many bytes.
pub(crate) fn reclaim(connection: &Connection, least: u64) -> Result<u64> {
    let (free, all) = (bytes(connection, "freelist_count")?, bytes(connection, "page_count")?);
    if free == 0 || free < least || free < all - free {
        return Ok(0);
    }
    connection.execute_batch("VACUUM")?;
    // The file itself shrinks here. Where another process still reads the old pages, it shrinks when that process is done.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(all.saturating_sub(bytes(connection, "page_count")?))
}

/// A number of pages, in bytes.
fn bytes(connection: &Connection, pragma: &str) -> Result<u64> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    u64::try_from(number(pragma)? * number("page_size")?).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use longshore_core::{ErrorKind, Outcome};

    use super::*;

    #[test]
    fn another_writer_is_an_error_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Connection::open(folder.path().join("app.db")).unwrap();
        let (ours, other) = (open(), open());
        ours.pragma_update(None, "journal_mode", "wal").unwrap();
        ours.execute_batch("CREATE TABLE body (bytes BLOB); INSERT INTO body VALUES (zeroblob(1000000)), (x'07')")
            .unwrap();
        ours.execute_batch("DELETE FROM body WHERE length(bytes) > 1").unwrap();
        ours.busy_timeout(std::time::Duration::ZERO).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();

        let error = reclaim(&ours, 1).unwrap_err().at("reclaim", Path::new("app.db"));
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Locked, Outcome::NotApplied));

        other.execute_batch("COMMIT").unwrap();
        assert!(reclaim(&ours, 1).unwrap() >= 900_000);
        assert_eq!(ours.query_row("SELECT count(*) FROM body", [], |row| row.get::<_, i64>(0)), Ok(1));
    }
}

//! Giving disk space back: bodies lie in the database only while they are pending, but SQLite keeps their room for later ones.
//! After a large push that would be as much as the files themselves.

use std::path::Path;
use std::time::Duration;

use longshore::Replica as _;
use rusqlite::{Connection, OpenFlags, Result};

use crate::attached::Attached;
use crate::replica::blocking;

/// Less unused room than this is kept.
const WORTH_IT: i64 = 32 << 20;

/// Shrinks the database if much of it is unused. If that fails, nothing is lost but room.
pub(super) async fn give_back(at: &Attached) {
    // While much is pending, the room is in use, or will be soon.
    if !matches!(at.replica.pending_count().await, Ok(0)) {
        return;
    }
    let database = at.database();
    drop(blocking(move || shrink(&database)).await);
}

fn shrink(database: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (free, all, size) = (number("freelist_count")?, number("page_count")?, number("page_size")?);
    if free * size < WORTH_IT || free * 2 < all {
        return Ok(());
    }
    connection.execute_batch("VACUUM")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

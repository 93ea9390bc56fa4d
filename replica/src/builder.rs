//! How a replica is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use longshore_core::{Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::app::SqliteReplica;
use crate::blocking;
use crate::database::Database;
use crate::errors::{Fault, Result as Inner};
use crate::schema;

/// How long a write waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);

/// How often a new database is switched to a write-ahead log before we give up.
const TRIES: u32 = 100;

/// Bytes of a page of a new database: bodies of some hundred bytes fill it better than the usual 4 KiB.
const PAGE: i64 = 8 << 10;

/// Bytes in the write-ahead log before SQLite moves them into the database: a write and its commit then move as one.
const CHECKPOINT: i64 = 16 << 20;

/// Which bodies lie in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bodies {
    /// All: the replica is where the app's documents live.
    #[default]
    Kept,
    /// Only those of pending changes, for an app whose documents are files of its own. Of all others the replica knows id,
    /// revision, base, length and hash; [`SqliteReplica::get`] fails with `Unsupported`, and the common version of a conflict
    /// is mostly not kept.
    WhilePending,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synchronous {
    /// A crash of the app, of the machine and a loss of power.
    #[default]
    Full,
    /// A crash of the app. After a crash of the machine the last writes may be gone, though never a part of one, and what was
    /// already pushed may come back as a change that is pending once more: it then meets itself in the log, and is dropped.
    Normal,
}

/// Options for opening a [`SqliteReplica`].
///
/// ```
/// use longshore_replica::{Bodies, SqliteReplica};
///
/// # let folder = tempfile::tempdir().map_err(|_| longshore_core::Error::new(longshore_core::ErrorKind::Full, "no folder"))?;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let replica = SqliteReplica::builder(folder.path().join("app.db")).bodies(Bodies::WhilePending).open().await?;
/// assert!(replica.is_empty().await?);
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    path: PathBuf,
    bodies: Bodies,
    synchronous: Synchronous,
}

impl Builder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, bodies: Bodies::default(), synchronous: Synchronous::default() }
    }

    /// Which bodies lie in the database. A choice for this opening: bodies that an earlier one dropped stay dropped.
    pub fn bodies(mut self, bodies: Bodies) -> Self {
        self.bodies = bodies;
        self
    }

    /// What an acknowledged write survives.
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Opens the database, and creates it where there is none. Its folder must be there.
    ///
    /// `Missing` without the folder; `Unsupported` for another application's database or one of a newer longshore; `Corrupt`
    /// for a file that is no database; `Denied` where it cannot be written.
    pub async fn open(self) -> Result<SqliteReplica> {
        blocking::run(move || self.open_blocking()).await
    }

    fn open_blocking(self) -> Result<SqliteReplica> {
        let named = |fault: Fault| -> Error { fault.at("open", &self.path) };
        let writer = self.writer().map_err(named)?;
        let app = reader(&self.path).map_err(named)?;
        let engine = reader(&self.path).map_err(named)?;
        Ok(SqliteReplica::new(Database::new(self.path, self.bodies, writer, app, engine)))
    }

    fn writer(&self) -> Inner<Connection> {
        let create = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(&self.path, create)?;
        // In one transaction: another process may be writing the tables at this very moment.
        let current = schema::check(&*connection.unchecked_transaction()?)?;
        connection.pragma_update(None, "page_size", PAGE)?;
        write_ahead(&connection)?;
        connection.pragma_update(None, "synchronous", self.synchronous.as_str())?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT / PAGE)?;
        // A large write leaves a large log file behind; this cuts it once its content is in the database.
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        if !current {
            schema::migrate(&mut connection)?;
        }
        Ok(connection)
    }
}

impl Synchronous {
    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

/// Switches a new database to a write-ahead log.
///
/// Where two open a new file at once, each may stand in the other's way, and SQLite then refuses without waiting; so the
/// loser waits for the winner's lock in the way that does wait, and tries again.
fn write_ahead(connection: &Connection) -> Inner<()> {
    let switch = || connection.pragma_update(None, "journal_mode", "wal");
    for _ in 0..TRIES {
        match switch() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            result => return Ok(result?),
        }
    }
    Ok(switch()?)
}

fn reader(path: &Path) -> Inner<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(path: &Path, flags: OpenFlags) -> Inner<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "cache_size", -8192)?;
    Ok(connection)
}

//! One syncs at a time: a lock of the operating system on a side file, which a dead process cannot keep.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use longshore_core::{Error, ErrorKind, Result};

use crate::database::Database;

/// Frees the replica when it is dropped: its file is closed, and with it the lock.
pub(crate) struct Held {
    // First: the next claim that finds the flag down must find the lock free too.
    _file: File,
    _flag: Flag,
}

impl Held {
    pub(crate) fn take(database: &Arc<Database>) -> Result<Self> {
        let named = |error: Error| error.with_operation("claim").with_key(database.path.display());
        // The flag as well: some systems grant a process the lock that it already has.
        let flag = Flag::raise(database).map_err(named)?;
        let file = lock(database).map_err(named)?;
        Ok(Self { _file: file, _flag: flag })
    }
}

struct Flag(Arc<Database>);

impl Flag {
    fn raise(database: &Arc<Database>) -> Result<Self> {
        if database.claimed.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::Locked, "another part of this program syncs this replica"));
        }
        Ok(Self(Arc::clone(database)))
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.claimed.store(false, Ordering::Release);
    }
}

fn lock(database: &Database) -> Result<File> {
    let path = database.lock_path();
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Locked, "another process syncs this replica")),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

fn refused(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotFound => ErrorKind::Missing,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "the lock file cannot be used").with_source(error)
}

//! From the database's errors to ours: what the caller should do next, and what a failed write left behind.

use longshore_core::{Error, ErrorKind, Outcome};
use rusqlite::ErrorCode;

/// A transaction that fails leaves nothing: so every outcome here is `NotApplied`.
pub(crate) fn of(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Unavailable,
        Some(ErrorCode::CannotOpen) => ErrorKind::Missing,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => ErrorKind::Denied,
        Some(ErrorCode::DiskFull) => ErrorKind::Full,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, message(kind)).with_outcome(Outcome::NotApplied).with_source(error)
}

fn message(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unavailable => "the database is busy",
        ErrorKind::Missing => "the database is not there",
        ErrorKind::Denied => "the database may not be written",
        ErrorKind::Full => "no room is left for the database",
        ErrorKind::Corrupt => "the file is no database, or damaged",
        _ => "the database refused the call",
    }
}

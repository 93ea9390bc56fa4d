//! From SQLite's errors to the one error type.

use std::path::Path;

use longshore_core::{Error, ErrorKind, Outcome};
use rusqlite::ErrorCode;

/// A failure inside a transaction, before it has the name of its operation and file.
#[derive(Debug)]
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    /// The error as the caller sees it.
    pub(crate) fn at(self, operation: &'static str, path: &Path) -> Error {
        let error = match self {
            Self::Ours(error) => error,
            Self::Sqlite(error) => translate(error, path),
        };
        error.with_operation(operation).with_key(path.display())
    }
}

/// A value in the database that this crate never writes.
pub(crate) fn damaged() -> Fault {
    Error::new(ErrorKind::Corrupt, "the database holds a value that no replica writes").into()
}

/// What only a faulty engine can ask for.
pub(crate) fn defect(message: &'static str, key: impl std::fmt::Display) -> Fault {
    Error::new(ErrorKind::Internal, message).with_key(key).with_outcome(Outcome::NotApplied).into()
}

fn translate(error: rusqlite::Error, path: &Path) -> Error {
    let (kind, message) = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => meaning(failure.code, path),
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => (ErrorKind::Corrupt, "the database holds a value that no replica writes"),
        _ => (ErrorKind::Internal, "a statement failed"),
    };
    let error = Error::new(kind, message).with_source(error);
    // A failed transaction is rolled back; only where the disk itself failed is that not sure.
    if kind == ErrorKind::Unavailable { error } else { error.with_outcome(Outcome::NotApplied) }
}

fn meaning(code: ErrorCode, path: &Path) -> (ErrorKind, &'static str) {
    match code {
        ErrorCode::DiskFull => (ErrorKind::Full, "no room is left for the database"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (ErrorKind::Denied, "the database cannot be written"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (ErrorKind::Locked, "another process uses the database"),
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, "the file is not a database"),
        ErrorCode::DatabaseCorrupt => (ErrorKind::Corrupt, "the database is damaged"),
        ErrorCode::CannotOpen => unopened(path),
        ErrorCode::SystemIoFailure => (ErrorKind::Unavailable, "reading or writing the database failed"),
        ErrorCode::OutOfMemory => (ErrorKind::Unavailable, "no memory is left"),
        ErrorCode::TooBig => (ErrorKind::Invalid, "a value is too large for the database"),
        _ => (ErrorKind::Internal, "a statement failed"),
    }
}

/// SQLite says no more than "unable to open".
fn unopened(path: &Path) -> (ErrorKind, &'static str) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_none_or(Path::is_dir) {
        (ErrorKind::Denied, "the database file cannot be opened")
    } else {
        (ErrorKind::Missing, "the folder of the database is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_names_the_next_move() {
        let path = Path::new("app.db");
        assert_eq!(meaning(ErrorCode::DiskFull, path).0, ErrorKind::Full);
        assert_eq!(meaning(ErrorCode::ReadOnly, path).0, ErrorKind::Denied);
        assert_eq!(meaning(ErrorCode::DatabaseBusy, path).0, ErrorKind::Locked);
        assert_eq!(meaning(ErrorCode::DatabaseCorrupt, path).0, ErrorKind::Corrupt);
        assert_eq!(meaning(ErrorCode::CannotOpen, Path::new("no/such/app.db")).0, ErrorKind::Missing);
    }

    #[test]
    fn the_line_names_operation_and_file() {
        let fault = Fault::from(rusqlite::Error::QueryReturnedNoRows);
        assert_eq!(fault.at("get", Path::new("app.db")).to_string(), "get app.db: a statement failed (internal)");
    }
}

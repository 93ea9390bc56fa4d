//! What the operating system's errors mean for the caller.

use std::io;

use longshore_core::{Error, ErrorKind, Outcome};

use crate::disk::Refused;

/// The error of a read, or of a write that left nothing.
pub(crate) fn not_applied(error: io::Error) -> Error {
    from_io(error).with_outcome(Outcome::NotApplied)
}

/// The error of a write that may have been done all the same.
pub(crate) fn unknown(error: io::Error) -> Error {
    from_io(error).with_outcome(Outcome::Unknown)
}

fn from_io(error: io::Error) -> Error {
    let (kind, message) = explain(&error);
    Error::new(kind, message).with_source(error)
}

fn explain(error: &io::Error) -> (ErrorKind, &'static str) {
    match refused(error) {
        Some(refused) => (refusal_kind(refused), refused.as_str()),
        None => explain_kind(error.kind()),
    }
}

/// The refusal in this error, if it is one.
pub(crate) fn refused(error: &io::Error) -> Option<&Refused> {
    error.get_ref()?.downcast_ref()
}

fn refusal_kind(refused: &Refused) -> ErrorKind {
    match refused {
        Refused::NoRoot | Refused::RootIsNoFolder | Refused::Unmounted => ErrorKind::Missing,
        Refused::Link | Refused::NoFile => ErrorKind::Corrupt,
    }
}

fn explain_kind(kind: io::ErrorKind) -> (ErrorKind, &'static str) {
    use io::ErrorKind as Io;
    match kind {
        Io::PermissionDenied => (ErrorKind::Denied, "the file system denies access: give this user the rights to it"),
        Io::ReadOnlyFilesystem => {
            (ErrorKind::Denied, "the file system is read-only: mount it writable, then try again")
        }
        Io::StorageFull => (ErrorKind::Full, "the file system is full: free some space, then try again"),
        Io::QuotaExceeded => (ErrorKind::Full, "the quota is used up: free some space, then try again"),
        Io::NotFound => (ErrorKind::Unavailable, "a file or folder vanished during the call: try again"),
        Io::NotADirectory => (ErrorKind::Corrupt, "a file stands where a folder belongs: move it out of the store"),
        Io::IsADirectory => (ErrorKind::Corrupt, "a folder stands where a file belongs: move it out of the store"),
        Io::UnexpectedEof => (ErrorKind::Corrupt, "the file became shorter while it was read: restore it from a copy"),
        Io::FileTooLarge => {
            (ErrorKind::Unsupported, "the file system cannot hold a file of this size: use another one")
        }
        Io::Unsupported | Io::InvalidInput | Io::CrossesDevices => {
            (ErrorKind::Unsupported, "this file system cannot do what a store needs: use another one")
        }
        Io::StaleNetworkFileHandle => (ErrorKind::Unavailable, "the share's file handle is stale: mount it again"),
        _ => (ErrorKind::Unavailable, "the file system failed: see to the device or the share, then try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_names_the_next_move() {
        let kind = |kind: io::ErrorKind| not_applied(kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::Full);
        assert_eq!(kind(io::ErrorKind::QuotaExceeded), ErrorKind::Full);
        assert_eq!(kind(io::ErrorKind::ReadOnlyFilesystem), ErrorKind::Denied);
        assert_eq!(kind(io::ErrorKind::InvalidInput), ErrorKind::Unsupported);
        assert_eq!(kind(io::ErrorKind::TimedOut), ErrorKind::Unavailable);
        assert_eq!(not_applied(Refused::NoRoot.into()).kind(), ErrorKind::Missing);
    }

    #[test]
    fn the_outcome_is_what_the_caller_knows() {
        let error = || io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(not_applied(error()).outcome(), Outcome::NotApplied);
        assert_eq!(unknown(error()).outcome(), Outcome::Unknown);
    }
}

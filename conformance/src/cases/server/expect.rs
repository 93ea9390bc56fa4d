//! What a call must give, as a value or as a failure that says what it gave instead.

use std::fmt::Debug;

use longshore_core::{Error, ErrorKind, Held, Lease, Locked, Result};

use crate::verdict::{Failure, ensure};

/// The error of a call that must fail with this kind.
pub(in crate::cases) fn refused<T: Debug>(
    result: Result<T>,
    kind: ErrorKind,
    what: &str,
) -> core::result::Result<Error, Failure> {
    match result {
        Ok(value) => Err(Failure::new(format!("{what} must be refused as {kind}, and gave {value:?}"))),
        Err(error) => {
            ensure!(error.kind() == kind, "{what} must be refused as {kind}, and was refused so: {error}");
            Ok(error)
        }
    }
}

/// The lease of a call that must get it.
pub(in crate::cases) fn granted(locked: Locked, what: &str) -> core::result::Result<Lease, Failure> {
    match locked {
        Locked::Granted(lease) => Ok(lease),
        Locked::Held(held) => {
            Err(Failure::new(format!("{what} must get the lease, and it is said to be held: {held:?}")))
        }
    }
}

/// The holder that a call must learn of.
pub(in crate::cases) fn held(locked: Locked, what: &str) -> core::result::Result<Held, Failure> {
    match locked {
        Locked::Held(held) => Ok(held),
        Locked::Granted(lease) => {
            Err(Failure::new(format!("{what} must not get the lease, and was granted token {}", lease.token.get())))
        }
    }
}

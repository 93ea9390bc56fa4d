//! Letting go of the clients that a case opened. A client whose `Drop` panics while its case unwinds already would end the whole
//! program; here it fails its case.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::verdict::Failure;

/// The first client of a case that panicked when it was dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Releases(Arc<Mutex<Option<Failure>>>);

impl Releases {
    /// Holds a client to the end: dropped behind all others who hold it, this one drops it for good.
    pub(crate) fn last<T: ?Sized>(&self, client: &Arc<T>, what: &'static str) -> Last<T> {
        Last { client: Some(Arc::clone(client)), what, releases: self.clone() }
    }

    /// What came of those that were dropped by now.
    pub(crate) fn ended(&self) -> Result<(), Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

/// The last who holds a client.
pub(crate) struct Last<T: ?Sized> {
    client: Option<Arc<T>>,
    what: &'static str,
    releases: Releases,
}

impl<T: ?Sized> Drop for Last<T> {
    fn drop(&mut self) {
        let client = self.client.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(client))) {
            let failure = Failure::panicked(panic.as_ref()).after(format_args!("dropping the {}", self.what));
            self.releases.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    }
}

impl<T: ?Sized> fmt::Debug for Last<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Last").field("what", &self.what).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("no such handle")
        }
    }

    #[test]
    fn who_unwinds_drops_what_panics_and_the_first_is_told() {
        let releases = Releases::default();
        let held = || {
            let client = Arc::new(Panics);
            let last = releases.last(&client, "storage");
            (client, last)
        };
        let unwinds = catch_unwind(AssertUnwindSafe(|| {
            let (_one, _other) = (held(), held());
            panic!("first");
        }));
        assert_eq!(unwinds.unwrap_err().downcast_ref::<&str>(), Some(&"first"));
        let told = releases.ended().unwrap_err();
        assert_eq!(told.seen(), "dropping the storage panicked: no such handle");
    }

    #[test]
    fn what_another_still_holds_is_not_dropped() {
        let releases = Releases::default();
        let client = Arc::new(Panics);
        drop(releases.last(&client, "storage"));
        assert!(releases.ended().is_ok());
        std::mem::forget(client);
    }
}

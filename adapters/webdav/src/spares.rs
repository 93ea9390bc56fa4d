//! Temporary collections that were made ahead of a `create`: then it takes three round trips, not four.
//!
//! Who creates once and ends, as a command does, would leave one behind each time. So they are made from the second `create` of a
//! numbered object in a collection on, and removed when the storage is dropped.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::Result;
use tokio::task::JoinHandle;

use crate::place::Place;

/// At most one for each collection.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<BTreeMap<Place, Option<Making>>>);

/// One that may still be under way.
pub(crate) type Making = JoinHandle<Result<Place>>;

impl Spares {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Place, Option<Making>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a `create` in this collection: whether to make one for the next.
    pub(crate) fn is_wanted(&self, parent: &Place) -> bool {
        let mut all = self.all();
        if let Some(making) = all.get(parent) {
            return making.is_none();
        }
        all.insert(parent.clone(), None);
        false
    }

    /// Keeps one that is being made.
    pub(crate) fn keep(&self, parent: Place, making: Making) {
        self.all().insert(parent, Some(making));
    }

    /// The one for this collection; none if there is none, or if it could not be made.
    pub(crate) async fn take(&self, parent: &Place) -> Option<Place> {
        let making = self.all().get_mut(parent)?.take()?;
        making.await.ok()?.ok()
    }

    /// All of them, for good.
    pub(crate) fn drain(&self) -> Vec<Making> {
        std::mem::take(&mut *self.all()).into_values().flatten().collect()
    }
}

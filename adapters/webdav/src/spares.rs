//! Temporary collections that were made ahead of a `create`: then it takes three round trips, not four.
//!
//! Who creates once and ends, as a command does, would leave one behind each time. So they are made from the second `create` of a
//! numbered object in a collection on, and removed when the storage is dropped.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::Result;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::place::Place;

/// How long one is waited for that is being made: making another takes no longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// At most one for each collection.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<BTreeMap<Place, Option<Making>>>);

/// One that may still be under way.
pub(crate) type Making = JoinHandle<Result<Place>>;

impl Spares {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Place, Option<Making>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a `create` in this collection: makes one for the next, if there is to be one.
    pub(crate) fn keep_one(&self, parent: &Place, make: impl FnOnce() -> Making) {
        let mut all = self.all();
        match all.get_mut(parent) {
            None => drop(all.insert(parent.clone(), None)),
            Some(spare @ None) => *spare = Some(make()),
            Some(Some(_)) => {}
        }
    }

    /// The one for this collection; none if there is none yet, or if it could not be made.
    pub(crate) async fn take(&self, parent: &Place) -> Option<Place> {
        let mut making = self.all().get_mut(parent)?.take()?;
        if let Ok(made) = timeout(PATIENCE, &mut making).await {
            return made.ok()?.ok();
        }
        // Its runtime may be at rest, and the network dead. It is kept for later.
        let mut all = self.all();
        let spare = all.entry(parent.clone()).or_default();
        *spare = spare.take().or(Some(making));
        None
    }

    /// All of them, for good.
    pub(crate) fn drain(&self) -> Vec<Making> {
        std::mem::take(&mut *self.all()).into_values().flatten().collect()
    }
}

//! The store under examination: clients of a place of its own, and what was written there.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use longshore_core::{Capabilities, Folder, ObjectKey, Result, Storage};

use super::Open;
use crate::litter;
use crate::place::Prefixed;
use crate::verdict::Failure;

/// A store under examination.
pub(super) struct Patient {
    first: Arc<dyn Storage>,
    place: Folder,
    /// Every name that was or will be written: on a slow store there is no time to find them by listing.
    written: Mutex<Vec<ObjectKey>>,
}

impl Patient {
    pub(super) fn new(first: Arc<dyn Storage>, place: Folder) -> Self {
        Self { first, place, written: Mutex::default() }
    }

    pub(super) fn place(&self) -> &Folder {
        &self.place
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.first.capabilities()
    }

    /// Clients of the place, as other devices would have; where no more can be opened, the first one again.
    pub(super) async fn clients(&self, open: &Open, count: usize) -> Vec<Arc<dyn Storage>> {
        let opened = join_all((0..count).map(|_| open())).await;
        let client = |opened: Result<_>| opened.unwrap_or_else(|_| Arc::clone(&self.first));
        opened.into_iter().map(|opened| self.inside(client(opened))).collect()
    }

    fn inside(&self, client: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(Prefixed::new(client, self.place.clone()))
    }

    /// The name of a record that will be written: created once, the only object of its folder.
    pub(super) fn record(&self, name: &str) -> Result<ObjectKey> {
        Ok(self.noted(ObjectKey::new(format!("records/{name}/data"))?))
    }

    /// The name of an object that will be put.
    pub(super) fn blob(&self, name: &str) -> Result<ObjectKey> {
        Ok(self.noted(ObjectKey::new(format!("segments/{name}"))?))
    }

    fn noted(&self, key: ObjectKey) -> ObjectKey {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        key
    }

    /// Removes what was written, all at once, and looks whether anything is left.
    pub(super) async fn clean(&self) -> Result<(), Failure> {
        let here = self.inside(Arc::clone(&self.first));
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // One that fails keeps no other from going.
        let removed = join_all(written.iter().map(|key| here.delete(key))).await;
        let left = litter::objects(&*self.first, &self.place).await?;
        if !left.is_empty() {
            return Err(Failure::new(format!("{} objects are still there", left.len())));
        }
        match removed.into_iter().find_map(Result::err) {
            Some(error) => Err(Failure::new(error.message())),
            None => Ok(()),
        }
    }
}

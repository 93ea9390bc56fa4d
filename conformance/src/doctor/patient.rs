//! The store under examination: clients of a place of its own, and what was written there.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use longshore_core::{Capabilities, Folder, ObjectKey, Result, Storage};
use tokio::time::sleep;

use super::Open;
use crate::litter;
use crate::place::Prefixed;
use crate::verdict::Failure;

/// Between two looks for what landed late.
const BETWEEN: Duration = Duration::from_millis(250);

/// The folder in the place where another method is tried.
const AGAIN: &str = "again";

/// A store under examination.
pub(super) struct Patient {
    first: Arc<dyn Storage>,
    place: Folder,
    /// Every name that was or will be written: on a slow store there is no time to find them by listing.
    written: Mutex<Vec<ObjectKey>>,
    /// By which all clients create, if not by their usual method.
    method: OnceLock<&'static str>,
}

impl Patient {
    pub(super) fn new(first: Arc<dyn Storage>, place: Folder) -> Self {
        Self { first, place, written: Mutex::default(), method: OnceLock::new() }
    }

    pub(super) fn place(&self) -> &Folder {
        &self.place
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.first.capabilities()
    }

    /// Has all clients create by another method from now on, if the adapter knows one, and gives its name.
    pub(super) fn adopt(&self) -> Option<&'static str> {
        let method = self.first.capabilities().fallback.filter(|method| self.first.adopt(Some(method)))?;
        Some(self.method.get_or_init(|| method))
    }

    pub(super) fn method(&self) -> Option<&'static str> {
        self.method.get().copied()
    }

    /// Clients of the place, as other devices would have; where no more can be opened, the first one again.
    pub(super) async fn clients(&self, open: &Open, count: usize) -> Result<Vec<Arc<dyn Storage>>> {
        let folder = self.folder()?;
        let opened = join_all((0..count).map(|_| open())).await;
        let client = |opened: Result<Arc<dyn Storage>>| {
            let client = opened.unwrap_or_else(|_| Arc::clone(&self.first));
            // One that knows it not fails what is asked of it.
            let _ = self.method.get().map(|method| client.adopt(Some(method)));
            client
        };
        Ok(opened.into_iter().map(|opened| inside(client(opened), &folder)).collect())
    }

    /// The name of a record that will be written: created once, the only object of its folder.
    pub(super) fn record(&self, name: &str) -> Result<ObjectKey> {
        self.noted(ObjectKey::new(format!("records/{name}/data"))?)
    }

    /// The name of an object that will be put.
    pub(super) fn blob(&self, name: &str) -> Result<ObjectKey> {
        self.noted(ObjectKey::new(format!("segments/{name}"))?)
    }

    /// Where the clients are: by another method in another folder, since no name is used twice.
    fn folder(&self) -> Result<Folder> {
        if self.method.get().is_some() { self.place.join(AGAIN) } else { Ok(self.place.clone()) }
    }

    fn noted(&self, key: ObjectKey) -> Result<ObjectKey> {
        let written = if self.method.get().is_some() { ObjectKey::new(format!("{AGAIN}/{key}"))? } else { key.clone() };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(written);
        Ok(key)
    }

    /// Removes what was written, all at once, and looks whether anything is left.
    pub(super) async fn clean(&self) -> Result<(), Failure> {
        let here = inside(Arc::clone(&self.first), &self.place);
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

    /// Removes what lands from now on, for ever: calls that were given up may still be on their way.
    pub(super) async fn sweep(&self) -> Result<(), Failure> {
        loop {
            sleep(BETWEEN).await;
            for key in litter::objects(&*self.first, &self.place).await? {
                self.first.delete(&key).await?;
            }
        }
    }
}

fn inside(client: Arc<dyn Storage>, folder: &Folder) -> Arc<dyn Storage> {
    Arc::new(Prefixed::new(client, folder.clone()))
}

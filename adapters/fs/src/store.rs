//! What the operations share: the disk, and what this instance already knows of it.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use longshore_core::ServerTime;

use crate::disk::Disk;
use crate::place::{Place, is_temporary};

/// A store in a folder. All its methods block.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) disk: Box<dyn Disk>,
    /// Folders that are there for good: their names were synced.
    lasting: Mutex<BTreeSet<Place>>,
    /// Folders whose leftovers this instance has looked at.
    swept: Mutex<BTreeSet<Place>>,
}

impl Store {
    pub(crate) fn new(disk: impl Into<Box<dyn Disk>>) -> Self {
        Self { disk: disk.into(), lasting: Mutex::default(), swept: Mutex::default() }
    }

    /// Makes something in a folder, and the folder and its ancestors before it, so that they outlast a power cut.
    pub(crate) fn make_in<T>(&self, folder: &Place, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
        self.provide(folder)?;
        match make() {
            // Somebody removed the folder since this instance made or saw it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                lock(&self.lasting).clear();
                self.provide(folder)?;
                make()
            }
            result => result,
        }
    }

    /// A folder's name is synced before anything is made in it. So one with anything in it needs no sync; an empty one does,
    /// also where it was there already: whoever made it may have died before he synced it.
    fn provide(&self, folder: &Place) -> io::Result<()> {
        if folder.is_root() || lock(&self.lasting).contains(folder) {
            return Ok(());
        }
        let inside = absent(self.disk.names(folder))?;
        if inside.is_none_or(|names| names.is_empty()) {
            self.make_lasting(folder)?;
        }
        lock(&self.lasting).insert(folder.clone());
        Ok(())
    }

    fn make_lasting(&self, folder: &Place) -> io::Result<()> {
        let parent = folder.parent();
        self.provide(&parent)?;
        match self.disk.make_folder(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.disk.sync_folder(&parent),
        }
    }

    /// Whether this is the first time that this instance asks about that folder.
    pub(crate) fn first_sweep(&self, folder: &Place) -> bool {
        lock(&self.swept).insert(folder.clone())
    }

    /// Removes a temporary file or folder of ours. What cannot be removed now is swept later.
    pub(crate) fn discard(&self, temporary: &Place) {
        if let Err(error) = self.remove(temporary) {
            tracing::debug!(%temporary, %error, "a temporary stays until it is swept");
        }
    }

    fn remove(&self, temporary: &Place) -> io::Result<()> {
        match absent(self.disk.look(temporary))? {
            None => Ok(()),
            Some(seen) if seen.folder => self.remove_folder(temporary),
            Some(_) => self.disk.remove_file(temporary),
        }
    }

    fn remove_folder(&self, folder: &Place) -> io::Result<()> {
        for name in self.disk.names(folder)? {
            let inside = folder.join(&name);
            if is_temporary(&name) { self.remove(&inside)? } else { self.disk.remove_file(&inside)? }
        }
        self.disk.remove_folder(folder)
    }
}

/// Turns "not found" into `None`.
pub(crate) fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file's time as the server's; none from a file system that knows no time.
pub(crate) fn server_time(modified: SystemTime) -> Option<ServerTime> {
    let since: Duration = modified.duration_since(UNIX_EPOCH).ok()?;
    let millis = u64::try_from(since.as_millis()).ok()?;
    (millis > 0).then(|| ServerTime::from_millis(millis))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every update under the lock is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_a_clock_gives_no_time() {
        assert_eq!(server_time(UNIX_EPOCH), None);
        assert_eq!(server_time(UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(server_time(UNIX_EPOCH + Duration::from_millis(7)), Some(ServerTime::from_millis(7)));
    }
}

//! `delete`: an entry's folder is renamed away before anything in it is removed.

use std::io;

use longshore_core::{ObjectKey, Reply, Result};

use crate::errors::{not_applied, unknown};
use crate::place::Place;
use crate::record::{TOMBSTONE, refuse_strangers};
use crate::store::{Store, absent};

impl Store {
    /// Removes an object; a missing one is a success.
    pub(crate) fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let place = Place::from(key);
        if key.is_record() {
            self.delete_record(&place.parent())?;
        } else {
            absent(self.disk.remove_file(&place)).map_err(unknown)?;
            self.settle(&place.parent())?;
        }
        Ok(Reply::new(()))
    }

    fn delete_record(&self, folder: &Place) -> Result<()> {
        let parent = folder.parent();
        let Some(names) = absent(self.disk.names(folder)).map_err(not_applied)? else {
            return self.settle(&parent);
        };
        refuse_strangers(&names)?;
        let away = parent.temporary().map_err(not_applied)?;
        match self.disk.rename(&parent, folder.name(), away.name()) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => return self.bury(folder).map_err(unknown),
            renamed => absent(renamed).map_err(unknown)?,
        };
        self.settle(&parent)?;
        self.discard(&away);
        self.sweep(&parent);
        Ok(())
    }

    /// Makes it last that a name is gone, also where somebody else removed it and may not have synced it.
    fn settle(&self, folder: &Place) -> Result<()> {
        absent(self.disk.sync_folder(folder)).map_err(unknown)?;
        Ok(())
    }

    /// The fallback where a folder cannot be renamed (on overlayfs, one of a lower layer): a tombstone takes the place of
    /// `data`. The folder stays, and is never empty, so nothing can be published over it; its name stays listed.
    fn bury(&self, folder: &Place) -> io::Result<()> {
        match self.disk.make_file(&folder.join(TOMBSTONE)).map(drop) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.disk.sync_folder(folder)?,
        }
        absent(self.disk.remove_file(&folder.join(ObjectKey::DATA)))?;
        self.disk.sync_folder(folder)
    }
}

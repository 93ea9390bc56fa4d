//! `create`: a folder with its file is made beside the final name, and published by one rename.

use std::io;
use std::time::SystemTime;

use longshore_core::{Created, Error, ErrorKind, ObjectKey, Outcome, Reply, Result};

use crate::disk::Disk;
use crate::errors::{not_applied, unknown};
use crate::place::Place;
use crate::record::Record;
use crate::store::{Store, server_time};

impl Store {
    /// Stores a created-once object, or says that something is stored there.
    pub(crate) fn create(&self, key: &ObjectKey, bytes: &[u8]) -> Result<Reply<Created>> {
        let folder = Place::from(key).parent();
        // Not the decision, which is the rename's; but who is late anyway need not write and sync first.
        if self.record(&folder)? != Record::Absent {
            return Ok(Reply::new(Created::Exists));
        }
        let (temporary, time) = self.prepare(&folder.parent(), bytes).map_err(not_applied)?;
        let created = self.publish(&temporary, &folder)?;
        if created == Created::Created {
            self.read_back(key, bytes)?;
        }
        self.sweep(&folder.parent());
        Ok(Reply { value: created, time: server_time(time) })
    }

    /// Writes the temporary folder, and makes all of it last.
    fn prepare(&self, parent: &Place, bytes: &[u8]) -> io::Result<(Place, SystemTime)> {
        let temporary = parent.temporary()?;
        self.make_in(parent, || self.disk.make_folder(&temporary))?;
        match write_record(self.disk.as_ref(), &temporary, bytes) {
            Ok(time) => Ok((temporary, time)),
            Err(error) => {
                self.discard(&temporary);
                Err(error)
            }
        }
    }

    /// The one step that decides: renames the folder to its name, and makes the name last.
    fn publish(&self, temporary: &Place, folder: &Place) -> Result<Created> {
        let parent = folder.parent();
        match self.disk.rename(&parent, temporary.name(), folder.name()) {
            Ok(()) => {}
            Err(error) if is_taken(&error) => {
                self.discard(temporary);
                return Ok(Created::Exists);
            }
            // The temporary stays. On a share this rename may still be on its way; had we emptied the folder by then, an
            // empty one would be published. The sweep renames it away first.
            Err(error) => return Err(unknown(error)),
        }
        self.disk.sync_folder(&parent).map_err(unknown)?;
        Ok(Created::Created)
    }

    fn read_back(&self, key: &ObjectKey, bytes: &[u8]) -> Result<()> {
        match self.read_whole(&Place::from(key)).map_err(unknown)? {
            stored if stored == bytes => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Corrupt,
                "the file system gave back other bytes than it was given: check the device",
            )
            .with_outcome(Outcome::Unknown)),
        }
    }

    fn read_whole(&self, file: &Place) -> io::Result<Vec<u8>> {
        let mut file = self.disk.open_file(file)?;
        let size = usize::try_from(file.size()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        file.read(0, &mut bytes)?;
        Ok(bytes)
    }
}

fn write_record(disk: &dyn Disk, folder: &Place, bytes: &[u8]) -> io::Result<SystemTime> {
    let mut file = disk.make_file(&folder.join(ObjectKey::DATA))?;
    file.write(bytes)?;
    file.sync()?;
    let time = file.modified()?;
    disk.sync_folder(folder)?;
    Ok(time)
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}

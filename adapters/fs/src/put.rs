//! `put`: a file is written beside the final name, piece by piece, and published by one rename.

use std::fmt;
use std::io;

use longshore_core::{Error, ErrorKind, ObjectKey, Outcome, Reply, Result};

use crate::disk::NewFile;
use crate::errors::{not_applied, unknown};
use crate::place::Place;
use crate::store::{Store, server_time};

/// A `put` under way: a temporary file that nobody sees.
pub(crate) struct Upload {
    target: Place,
    temporary: Place,
    file: Box<dyn NewFile>,
    len: u64,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("target", &self.target).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Store {
    /// Begins a `put`.
    pub(crate) fn begin(&self, key: &ObjectKey) -> Result<Upload> {
        let target = Place::from(key);
        self.upload_to(target).map_err(not_applied)
    }

    fn upload_to(&self, target: Place) -> io::Result<Upload> {
        let folder = target.parent();
        let temporary = folder.temporary()?;
        let file = self.make_in(&folder, || self.disk.make_file(&temporary))?;
        Ok(Upload { target, temporary, file, len: 0 })
    }

    /// Writes the next piece; a failure leaves nothing.
    pub(crate) fn append(&self, mut upload: Upload, bytes: &[u8]) -> Result<Upload> {
        if let Err(error) = upload.file.write(bytes) {
            self.abandon(upload);
            return Err(not_applied(error));
        }
        upload.len += bytes.len() as u64;
        Ok(upload)
    }

    /// Gives the `put` up.
    pub(crate) fn abandon(&self, upload: Upload) {
        drop(upload.file);
        self.discard(&upload.temporary);
    }

    /// Ends the `put`: the object becomes visible, whole and for good.
    pub(crate) fn finish(&self, mut upload: Upload) -> Result<Reply<()>> {
        let time = match upload.file.sync().and_then(|()| upload.file.modified()) {
            Ok(time) => time,
            Err(error) => {
                self.abandon(upload);
                return Err(not_applied(error));
            }
        };
        // Windows renames no open file.
        drop(upload.file);
        self.reveal(&upload.temporary, &upload.target, upload.len)?;
        self.sweep(&upload.target.parent());
        Ok(Reply { value: (), time: server_time(time) })
    }

    fn reveal(&self, temporary: &Place, target: &Place, len: u64) -> Result<()> {
        let folder = target.parent();
        if let Err(error) = self.disk.rename(&folder, temporary.name(), target.name()) {
            self.discard(temporary);
            return Err(unknown(error));
        }
        self.disk.sync_folder(&folder).map_err(unknown)?;
        let seen = self.disk.look(target).map_err(unknown)?;
        if seen.size == len && !seen.folder {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Corrupt, "the stored file has another length than was written: check the device")
            .with_expected(len, seen.size)
            .with_outcome(Outcome::Unknown))
    }
}

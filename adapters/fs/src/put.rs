//! `put`: a file is written beside the final name, piece by piece, and published by one rename.

use std::fmt;
use std::io;
use std::sync::Arc;

use longshore_core::{Error, ErrorKind, ObjectKey, Outcome, Reply, Result};

use crate::disk::NewFile;
use crate::errors::{not_applied, unknown};
use crate::place::Place;
use crate::store::{Store, server_time};

/// Bytes of one read.
const PIECE: usize = 256 << 10;

/// A `put` under way: a temporary file that nobody sees.
pub(crate) struct Upload {
    target: Place,
    temporary: Place,
    file: Box<dyn NewFile>,
    len: u64,
    /// Of what was written so far.
    hash: blake3::Hasher,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("target", &self.target).field("len", &self.len).finish_non_exhaustive()
    }
}

/// A `put` under way whose future may be dropped at any moment: then its temporary goes too.
#[derive(Debug)]
pub(crate) struct Pending {
    store: Arc<Store>,
    upload: Option<Upload>,
}

impl Pending {
    /// Begins a `put`.
    pub(crate) fn begin(store: Arc<Store>, key: &ObjectKey) -> Result<Self> {
        let upload = Some(store.begin(key)?);
        Ok(Self { store, upload })
    }

    /// Writes the next piece; a failure leaves nothing.
    pub(crate) fn append(mut self, bytes: &[u8]) -> Result<Self> {
        if let Some(upload) = self.upload.take() {
            self.upload = Some(self.store.append(upload, bytes)?);
        }
        Ok(self)
    }

    /// The whole upload, to be finished.
    pub(crate) fn into_upload(mut self) -> Option<Upload> {
        self.upload.take()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.store.abandon(upload);
        }
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
        Ok(Upload { target, temporary, file, len: 0, hash: blake3::Hasher::new() })
    }

    /// Writes the next piece; a failure leaves nothing.
    pub(crate) fn append(&self, mut upload: Upload, bytes: &[u8]) -> Result<Upload> {
        if let Err(error) = upload.file.write(bytes) {
            self.abandon(upload);
            return Err(not_applied(error));
        }
        upload.len += bytes.len() as u64;
        upload.hash.update(bytes);
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
        self.reveal(&upload.temporary, &upload.target)?;
        self.read_all_back(&upload.target, upload.len, upload.hash.finalize())?;
        self.sweep(&upload.target.parent());
        Ok(Reply { value: (), time: server_time(time) })
    }

    fn reveal(&self, temporary: &Place, target: &Place) -> Result<()> {
        let folder = target.parent();
        if let Err(error) = self.disk.rename(&folder, temporary.name(), target.name()) {
            self.discard(temporary);
            return Err(unknown(error));
        }
        self.disk.sync_folder(&folder).map_err(unknown)
    }

    fn read_all_back(&self, target: &Place, len: u64, written: blake3::Hash) -> Result<()> {
        let (size, stored) = self.hash_of(target).map_err(unknown)?;
        if (size, stored) == (len, written) {
            return Ok(());
        }
        let what = "the file system gave back other bytes than it was given: check the device";
        Err(Error::new(ErrorKind::Corrupt, what).with_outcome(Outcome::Unknown))
    }

    fn hash_of(&self, file: &Place) -> io::Result<(u64, blake3::Hash)> {
        let mut file = self.disk.open_file(file)?;
        let (size, mut hash, mut at) = (file.size()?, blake3::Hasher::new(), 0);
        let mut piece = vec![0; PIECE];
        while at < size {
            let len = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            file.read(at, &mut piece[..len])?;
            hash.update(&piece[..len]);
            at += len as u64;
        }
        Ok((size, hash.finalize()))
    }
}

//! Windows, and whatever else the standard library runs on.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{readable, root_error, seen};
use crate::disk::{Disk, NewFile, OldFile, Refused, Seen};
use crate::place::Place;

/// The operating system's file system under one root.
#[derive(Debug)]
pub(crate) struct OsDisk {
    path: PathBuf,
}

impl OsDisk {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let disk = Self { path: path.to_owned() };
        disk.root()?;
        Ok(disk)
    }

    fn root(&self) -> io::Result<PathBuf> {
        if fs::metadata(&self.path).map_err(root_error)?.is_dir() {
            Ok(self.path.clone())
        } else {
            Err(Refused::RootIsNoFolder.into())
        }
    }

    /// The path of a folder, none of whose parts is a link.
    fn folder(&self, folder: &Place) -> io::Result<PathBuf> {
        folder.parts().try_fold(self.root()?, |above, part| {
            let path = above.join(part);
            let metadata = fs::symlink_metadata(&path)?;
            match (metadata.is_dir(), metadata.is_symlink()) {
                (true, false) => Ok(path),
                (_, true) => Err(Refused::Link.into()),
                (false, false) => Err(io::ErrorKind::NotADirectory.into()),
            }
        })
    }

    fn path(&self, place: &Place) -> io::Result<PathBuf> {
        Ok(self.folder(&place.parent())?.join(place.name()))
    }
}

impl Disk for OsDisk {
    fn make_folder(&self, folder: &Place) -> io::Result<()> {
        fs::create_dir(self.path(folder)?)
    }

    fn make_file(&self, file: &Place) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(File::create_new(self.path(file)?)?))
    }

    /// Windows cannot: only the folder's absence can be told.
    fn sync_folder(&self, folder: &Place) -> io::Result<()> {
        self.folder(folder).map(drop)
    }

    fn rename(&self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
        let folder = self.folder(folder)?;
        let to = folder.join(to);
        // Windows says "access denied" where a folder that is not empty is in the way.
        fs::rename(folder.join(from), &to).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied if to.is_dir() => io::ErrorKind::DirectoryNotEmpty.into(),
            _ => error,
        })
    }

    fn remove_file(&self, file: &Place) -> io::Result<()> {
        fs::remove_file(self.path(file)?)
    }

    fn remove_folder(&self, folder: &Place) -> io::Result<()> {
        fs::remove_dir(self.path(folder)?)
    }

    fn names(&self, folder: &Place) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.folder(folder)?)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open_file(&self, file: &Place) -> io::Result<Box<dyn OldFile>> {
        let path = self.path(file)?;
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_symlink() {
            return Err(Refused::Link.into());
        }
        if !metadata.is_file() {
            return Err(Refused::NoFile.into());
        }
        readable(File::open(path)?)
    }

    fn look(&self, place: &Place) -> io::Result<Seen> {
        seen(&fs::symlink_metadata(self.path(place)?)?)
    }
}

/// Windows has no way to sync a folder: NTFS and `ReFS` journal names in the order of the calls.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every platform")]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

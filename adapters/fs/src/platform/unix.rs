//! Linux, macOS and the other Unixes.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, readlinkat, renameat, unlinkat};
use rustix::io::Errno;

use super::{readable, root_error, seen};
use crate::disk::{Disk, NewFile, OldFile, Refused, Seen};
use crate::place::Place;

/// The operating system's file system under one root.
#[derive(Debug)]
pub(crate) struct OsDisk {
    path: PathBuf,
    /// The device that the root was last seen on. An unmounted root is on another one.
    device: AtomicU64,
}

impl OsDisk {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let device = File::open(path).and_then(|root| root.metadata()).map_err(root_error)?.dev();
        let disk = Self { path: path.to_owned(), device: AtomicU64::new(device) };
        disk.root()?;
        Ok(disk)
    }

    /// Opened anew for each call: a root kept open could not be unmounted, and would outlive its removal.
    fn root(&self) -> io::Result<OwnedFd> {
        let root = File::open(&self.path).map_err(root_error)?;
        let metadata = root.metadata()?;
        if !metadata.is_dir() {
            return Err(Refused::RootIsNoFolder.into());
        }
        let root = OwnedFd::from(root);
        if metadata.dev() != self.device.load(Ordering::Relaxed) {
            self.adopt(&root, metadata.dev())?;
        }
        Ok(root)
    }

    /// An automounter gives a share that it mounts again another device number; a bare mount point holds nothing.
    fn adopt(&self, root: &OwnedFd, device: u64) -> io::Result<()> {
        if names(root)?.is_empty() {
            return Err(Refused::Unmounted.into());
        }
        self.device.store(device, Ordering::Relaxed);
        Ok(())
    }

    fn folder(&self, folder: &Place) -> io::Result<OwnedFd> {
        folder.parts().try_fold(self.root()?, |above, part| open_in(&above, part, OFlags::DIRECTORY))
    }

    fn parent(&self, place: &Place) -> io::Result<OwnedFd> {
        self.folder(&place.parent())
    }

    fn file(&self, file: &Place, flags: OFlags) -> io::Result<File> {
        Ok(open_in(&self.parent(file)?, file.name(), flags)?.into())
    }
}

impl Disk for OsDisk {
    fn make_folder(&self, folder: &Place) -> io::Result<()> {
        Ok(mkdirat(self.parent(folder)?, folder.name(), Mode::from_bits_truncate(0o777))?)
    }

    fn make_file(&self, file: &Place) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(self.file(file, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?))
    }

    fn sync_folder(&self, folder: &Place) -> io::Result<()> {
        File::from(self.folder(folder)?).sync_all()
    }

    fn rename(&self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
        let folder = self.folder(folder)?;
        Ok(renameat(&folder, from, &folder, to)?)
    }

    fn remove_file(&self, file: &Place) -> io::Result<()> {
        Ok(unlinkat(self.parent(file)?, file.name(), AtFlags::empty())?)
    }

    fn remove_folder(&self, folder: &Place) -> io::Result<()> {
        Ok(unlinkat(self.parent(folder)?, folder.name(), AtFlags::REMOVEDIR)?)
    }

    fn names(&self, folder: &Place) -> io::Result<Vec<String>> {
        names(&self.folder(folder)?)
    }

    fn open_file(&self, file: &Place) -> io::Result<Box<dyn OldFile>> {
        readable(self.file(file, OFlags::RDONLY)?)
    }

    fn look(&self, place: &Place) -> io::Result<Seen> {
        seen(&self.file(place, OFlags::RDONLY)?.metadata()?)
    }
}

/// Opens a name in a folder; a link is never followed, and a pipe never waited for.
fn open_in(above: &OwnedFd, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::from_bits_truncate(0o666)).map_err(|error| link_or(above, name, error))
}

/// The systems disagree on how opening a link fails (`ELOOP`, `ENOTDIR`, `EMLINK`), so the name is asked again.
fn link_or(above: &OwnedFd, name: &str, error: Errno) -> io::Error {
    let may_be_link = error != Errno::NOENT && error != Errno::EXIST;
    if may_be_link && readlinkat(above, name, Vec::new()).is_ok() { Refused::Link.into() } else { error.into() }
}

fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes the names in a folder outside of any store last.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

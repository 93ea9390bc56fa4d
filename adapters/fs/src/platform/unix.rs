//! Linux, macOS and the other Unixes.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, readlinkat, renameat, unlinkat};
#[cfg(target_os = "linux")]
use rustix::fs::{ResolveFlags, openat2};
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
        let root = self.root()?;
        if folder.is_root() { Ok(root) } else { open(root, folder, OFlags::DIRECTORY) }
    }

    fn parent(&self, place: &Place) -> io::Result<OwnedFd> {
        self.folder(&place.parent())
    }

    fn file(&self, file: &Place, flags: OFlags) -> io::Result<File> {
        Ok(open(self.root()?, file, flags)?.into())
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

/// Opens what lies at this place under the root, in one call where the system has one for that.
fn open(root: OwnedFd, place: &Place, flags: OFlags) -> io::Result<OwnedFd> {
    at_once(&root, place, flags).unwrap_or_else(|| walk(root, place, flags))
}

/// Linux follows no link on the whole way if it is told so. None where it does not know the call, or a sandbox does not let it
/// through: old ones refuse with `EPERM` what they do not know.
#[cfg(target_os = "linux")]
fn at_once(root: &OwnedFd, place: &Place, flags: OFlags) -> Option<io::Result<OwnedFd>> {
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_bits_truncate(0o666) } else { Mode::empty() };
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(root, place.to_string(), flags, mode, resolve) {
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::AGAIN) => None,
        Err(Errno::LOOP) => Some(Err(Refused::Link.into())),
        opened => Some(opened.map_err(io::Error::from)),
    }
}

#[cfg(not(target_os = "linux"))]
fn at_once(_: &OwnedFd, _: &Place, _: OFlags) -> Option<io::Result<OwnedFd>> {
    None
}

/// Folder by folder.
fn walk(root: OwnedFd, place: &Place, flags: OFlags) -> io::Result<OwnedFd> {
    let parent = place.parent();
    let above = parent.parts().try_fold(root, |above, part| open_in(&above, part, OFlags::DIRECTORY))?;
    open_in(&above, place.name(), flags)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// What opening said: nothing, a link, or the kind of another error.
    fn said(opened: io::Result<OwnedFd>) -> Result<(), String> {
        opened.map(drop).map_err(|error| match error.get_ref().and_then(|source| source.downcast_ref::<Refused>()) {
            Some(refused) => format!("{refused:?}"),
            None => format!("{:?}", error.kind()),
        })
    }

    /// A file system of folders, files and links; each is opened in both ways.
    #[test]
    fn in_one_call_and_folder_by_folder_is_the_same() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("folder/inner")).unwrap();
        fs::write(at("folder/inner/file"), "").unwrap();
        symlink(at("folder"), at("link")).unwrap();
        symlink(at("folder/inner/file"), at("folder/linked")).unwrap();
        symlink("nowhere", at("folder/dangling")).unwrap();
        let (read, folder) = (OFlags::RDONLY, OFlags::DIRECTORY);
        let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let cases = [
            ("folder/inner/file", read, Ok(())),
            ("folder/inner", folder, Ok(())),
            ("folder", folder, Ok(())),
            ("folder/inner/none", read, Err("NotFound")),
            ("none/file", read, Err("NotFound")),
            ("folder/inner/file", folder, Err("NotADirectory")),
            ("folder/inner/file/below", read, Err("NotADirectory")),
            ("folder/inner/file", create, Err("AlreadyExists")),
            ("folder/dangling", create, Err("AlreadyExists")),
            ("link", folder, Err("Link")),
            ("link", read, Err("Link")),
            ("link/inner/file", read, Err("Link")),
            ("link/inner", folder, Err("Link")),
            ("link/new", create, Err("Link")),
            ("folder/linked", read, Err("Link")),
            ("folder/linked/below", read, Err("Link")),
            ("folder/dangling", read, Err("Link")),
        ];
        for (path, flags, wanted) in cases {
            let place = path.split('/').fold(Place::default(), |place, part| place.join(part));
            let open_root = || OwnedFd::from(File::open(root.path()).unwrap());
            let wanted = wanted.map_err(str::to_owned);
            assert_eq!(said(walk(open_root(), &place, flags)), wanted, "{path}, folder by folder");
            // A system without that call is left to the walk.
            if let Some(opened) = at_once(&open_root(), &place, flags) {
                assert_eq!(said(opened), wanted, "{path}, in one call");
            }
        }
    }
}

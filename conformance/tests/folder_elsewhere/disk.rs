//! A disk of its own in a file.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::apart::{self, succeeds};

/// Unmounted and gone when it is dropped, or when the process ends in whatever way.
pub(crate) struct Disk {
    pub(crate) at: PathBuf,
    _folder: tempfile::TempDir,
}

impl Disk {
    /// Makes and mounts one of so many bytes; `None` where that is not allowed.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        if !apart::is_apart() {
            return None;
        }
        let folder = tempfile::tempdir_in(apart::FOLDER).ok()?;
        let (image, at) = (folder.path().join("image"), folder.path().join("disk"));
        fs::File::create(&image).ok()?.set_len(bytes).ok()?;
        fs::create_dir(&at).ok()?;
        let made = succeeds(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let mounted = made && succeeds(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        mounted.then_some(Self { at, _folder: folder })
    }
}

/// Freezes a disk for a moment; `None` where that is not possible. Whoever thaws it outlives this process, so that nothing stays
/// frozen.
pub(crate) fn freeze(at: &Path) -> Option<Child> {
    let script = r#"trap '' PIPE; fsfreeze -f "$0" || exit; echo frozen; sleep 0.2; fsfreeze -u "$0""#;
    let mut command = Command::new("setsid");
    let mut child = command.args(["sh", "-c", script]).arg(at).stdout(Stdio::piped()).spawn().ok()?;
    let mut said = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut said).ok()?;
    (said.trim() == "frozen").then_some(child)
}

/// Fills a disk up to its last byte with one file, and says which.
pub(crate) fn fill(at: &Path) -> PathBuf {
    let path = at.join("fill");
    let mut file = fs::File::create(&path).unwrap();
    for piece in [1 << 20, 1 << 10, 1] {
        // A disk without room takes what it can, and then nothing.
        while file.write_all(&vec![7; piece]).and_then(|()| file.sync_data()).is_ok() {}
    }
    path
}

impl Drop for Disk {
    fn drop(&mut self) {
        succeeds(Command::new("umount").arg(&self.at));
    }
}

//! What several of these tests need.
#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]
#![allow(dead_code, reason = "each test file uses its part of it")]

pub(crate) mod platform;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{ByteRange, ErrorKind, Folder, ObjectKey, Result, Storage};
use longshore_fs::Fs;
use tempfile::TempDir;

/// A new store in a folder of its own, which is removed with the first of the two.
pub(crate) fn store() -> (TempDir, Fs) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Fs::open(folder.path()).unwrap();
    (folder, storage)
}

pub(crate) fn key(name: impl Into<String>) -> ObjectKey {
    ObjectKey::new(name).unwrap()
}

/// An entry's name, as the core writes it.
pub(crate) fn entry(number: u64) -> ObjectKey {
    key(format!("domains/main/log/{:016}/{number:016}/data", number / 256))
}

pub(crate) async fn read(storage: &Fs, key: &ObjectKey) -> Result<Option<Vec<u8>>> {
    match storage.get(key, ByteRange::ALL).await?.value {
        Some(object) => Ok(Some(object.read(u64::MAX).await?.to_vec())),
        None => Ok(None),
    }
}

/// What each operation says.
pub(crate) async fn kinds(storage: &Fs) -> [Option<ErrorKind>; 5] {
    let segment = key("domains/main/segments/0/a");
    [
        storage.create(&entry(2), "two".into()).await.err(),
        storage.put(&segment, "body".into()).await.err(),
        storage.get(&entry(1), ByteRange::ALL).await.err(),
        storage.list(&Folder::ROOT, None).await.err(),
        storage.delete(&entry(1)).await.err(),
    ]
    .map(|error| error.map(|error| error.kind()))
}

/// Starts one test of the running program again, in a process of its own, on that store.
pub(crate) fn spawn(test: &str, root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("LONGSHORE_FS_CHILD", root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// In such a process: the store to work on.
pub(crate) fn child_root() -> Option<PathBuf> {
    std::env::var_os("LONGSHORE_FS_CHILD").map(PathBuf::from)
}

/// A small file system of its own under a folder, unmounted when dropped.
///
/// One at a time: while `mount` is being started, the new process has this one's open files, and they keep another test's
/// file system busy.
pub(crate) struct Mount {
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Mount {
    /// The reason where this user may not mount one.
    pub(crate) fn new(options: &str) -> Result<Self, String> {
        Self::of("tmpfs", options)
    }

    /// One of this kind.
    pub(crate) fn of(kind: &str, options: &str) -> Result<Self, String> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        run("mount", &["-t", kind, "-o", options, kind, text(folder.path())])
            .map(|()| Self { folder, _alone: alone })
            .map_err(|reason| format!("no file system can be mounted here: {reason}"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn remount(&self, options: &str) {
        run("mount", &["-o", &format!("remount,{options}"), text(self.path())]).unwrap();
    }

    pub(crate) fn unmount(&self) {
        run("umount", &[text(self.path())]).unwrap();
    }

    pub(crate) fn mount_again(&self) {
        run("mount", &["-t", "tmpfs", "tmpfs", text(self.path())]).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run("umount", &[text(self.path())]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

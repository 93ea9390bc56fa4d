//! A temporary place with a store and some devices, driven through the real command.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod platform;
pub(crate) mod remote;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A store, and folders beside it.
pub(crate) struct Place {
    dir: TempDir,
}

/// How a command ended.
pub(crate) struct Ended {
    /// Its exit code; none if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Asserts the exit code, and that there is one line on standard error; what JSON there is says the same.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{} {}", self.out, self.err);
        assert_eq!(self.err.trim_end().lines().count(), 1, "not one line: {}", self.err);
        assert!(self.err.starts_with("longshore: "), "{}", self.err);
        if !self.out.is_empty() {
            assert_eq!(self.json()["error"]["message"], self.err.trim_end()["longshore: ".len()..]);
        }
        self.err
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{} {}", self.out, self.err);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The command, run by a user for whom permissions count; or why there is no such user.
pub(crate) fn as_nobody(place: &Place) -> Result<Command, String> {
    platform::as_nobody(Path::new(env!("CARGO_BIN_EXE_longshore")), place.dir.path())
}

/// The command itself.
pub(crate) fn longshore() -> Command {
    Command::new(env!("CARGO_BIN_EXE_longshore"))
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A place with these devices attached to a new store.
    pub(crate) fn with(devices: &[&str]) -> Self {
        let place = Self::new();
        for device in devices {
            place.init(device, &[]).ok();
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        longshore::file_url(&self.path("store"))
    }

    pub(crate) fn init(&self, device: &str, more: &[&str]) -> Ended {
        fs::create_dir_all(self.path(device)).unwrap();
        let mut command = longshore();
        command.arg("init").arg(self.path(device)).arg(self.url()).args(["--device", device]).args(more);
        command.output().unwrap().into()
    }

    pub(crate) fn sync(&self, device: &str, more: &[&str]) -> Ended {
        self.run("sync", device, more)
    }

    /// Syncs these devices in turn; each must succeed.
    pub(crate) fn settle(&self, devices: &[&str]) {
        for device in devices {
            self.sync(device, &[]).ok();
        }
    }

    pub(crate) fn run(&self, command: &str, device: &str, more: &[&str]) -> Ended {
        longshore().args(["--json", command]).arg(self.path(device)).args(more).output().unwrap().into()
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read(self.path(path)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// Every file of a folder with its bytes, but for what is ours.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path(folder);
        let mut files = BTreeMap::new();
        walk(&root, &mut |path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read(path).unwrap());
        });
        files
    }

    #[track_caller]
    pub(crate) fn equal(&self, one: &str, two: &str) {
        let (one, two) = (self.files(one), self.files(two));
        assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
        assert!(one == two, "the bytes differ");
    }

    pub(crate) fn copy(&self, from: &str, to: &str) {
        copy(&self.path(from), &self.path(to));
    }

    /// The newest entry's file in the store, or any by its number.
    pub(crate) fn entry(&self, number: u64) -> PathBuf {
        let log = self.path("store").join("domains");
        let wanted = format!("{number:016}/data");
        let mut found = None;
        walk_all(&log, &mut |path| {
            if path.to_string_lossy().ends_with(&wanted) && path.to_string_lossy().contains("/log/") {
                found = Some(path.to_owned());
            }
        });
        found.expect("no such entry")
    }
}

fn walk(folder: &Path, see: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() && path.file_name().unwrap() != ".longshore" {
            walk(&path, see);
        } else if meta.is_file() {
            see(&path);
        }
    }
}

fn walk_all(folder: &Path, see: &mut dyn FnMut(&Path)) {
    walk(folder, see);
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
            let time = filetime::FileTime::from_last_modification_time(&fs::metadata(&path).unwrap());
            filetime::set_file_mtime(&target, time).unwrap();
        }
    }
}

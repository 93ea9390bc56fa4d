//! A folder, on this machine or on a mounted share.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{Error, ErrorKind, Result, Storage};
use longshore_conformance::doctor::{Finding, Health};

use super::Kind;
use crate::address;
use crate::hint;
use crate::mounts;

/// A store in a folder.
pub(super) struct Folder {
    url: String,
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(url: &str, path: PathBuf) -> Self {
        Self { url: url.to_owned(), path }
    }
}

impl Kind for Folder {
    fn open(&self) -> Result<Arc<dyn Storage>> {
        longshore::open_storage(&self.url)
    }

    fn open_missing_root(&self) -> Option<Result<Arc<dyn Storage>>> {
        let missing = longshore::file_url(&self.path.join("conformance-no-such-folder"));
        Some(longshore::open_storage(&missing))
    }

    fn look(&self) -> Vec<Finding> {
        let folder = address::resolved(&self.path);
        let warning = |text: String| Finding { topic: "mount", health: Health::Warning, text };
        let shared = mounts::shared_otherwise(&folder)
            .map(|why| warning(format!("the folder lies {why}: other machines may see it late, or see another one")));
        let fleeting = mounts::fleeting(&folder).map(|why| warning(format!("the folder lies {why}")));
        shared.into_iter().chain(fleeting).collect()
    }

    fn creation(&self, error: &Error) -> Option<String> {
        let create = || format!("or, for a new store, create it: mkdir -p {}", hint::path(&self.path));
        (error.kind() == ErrorKind::Missing).then(create)
    }

    fn removal(&self, names: &[String]) -> Option<String> {
        let paths: Vec<String> = names.iter().map(|name| hint::path(&self.path.join(name))).collect();
        Some(format!("rm -r {}", paths.join(" ")))
    }

    /// A storage removes objects only: empty folders stay.
    fn sweep(&self, prefix: &str) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                remove_empty(&entry.path());
            }
        }
    }
}

/// A folder with anything in it stays, whoever made it.
fn remove_empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    // The system refuses where something is in it, which then stays.
    drop(fs::remove_dir(folder));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_scratch_folders_go() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["doctor-1/a/b", "doctor-2/a", "domains/main"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("doctor-2/a/file"), "x").unwrap();
        Folder::new("", root.path().to_owned()).sweep("doctor-");
        let there = |name: &str| root.path().join(name).exists();
        assert!(!there("doctor-1") && there("doctor-2/a/file") && there("domains/main"));
    }
}

//! Where a document's file may be: never outside the folder, never through a link.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Folder;
use super::names;

/// What stands at a document's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Nothing: the name is free, or its folder is not there.
    Missing,
    /// A folder.
    Folder,
    /// Something else, or something that cannot be looked at.
    There,
}

/// The folders that were found to be real ones in this batch.
#[derive(Debug, Default)]
pub(crate) struct Checked(BTreeSet<PathBuf>);

impl Folder {
    /// What stands at the name of a document that the scan did not find. A link on the way counts as something there.
    pub(crate) fn presence(&self, id: &str) -> Presence {
        let mut path = self.root().to_owned();
        let mut parts = id.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Err(error) if is_missing(&error) => return Presence::Missing,
                Ok(meta) if meta.is_dir() && parts.peek().is_none() => return Presence::Folder,
                Ok(meta) if meta.is_dir() => {}
                // A file where a folder was: the document under it is gone.
                Ok(meta) if meta.is_file() && parts.peek().is_some() => return Presence::Missing,
                _ => return Presence::There,
            }
        }
        Presence::Missing
    }

    /// Why the document cannot be a file here, as far as its name says.
    pub(crate) fn refuses(&self, id: &str) -> Option<String> {
        let by_name = names::refused(id).map(ToOwned::to_owned);
        by_name.or_else(|| self.rules.ignores(id).then(|| "an ignore rule of this folder names it".to_owned()))
    }

    /// Whether an ignore rule of this folder names the document.
    pub(crate) fn is_ignored(&self, id: &str) -> bool {
        names::refused(id).is_none() && self.rules.ignores(id)
    }

    /// Makes the folders above a document's file. `Some` says what is in the way.
    pub(crate) fn make_parents(&self, id: &str, checked: &mut Checked) -> io::Result<Option<String>> {
        let Some((parents, _)) = id.rsplit_once('/') else { return Ok(None) };
        if checked.0.contains(Path::new(parents)) {
            return Ok(None);
        }
        let mut path = self.root().to_owned();
        for part in parents.split('/') {
            path.push(part);
            if let Some(obstacle) = make_folder(&path)? {
                return Ok(Some(format!(
                    "`{}` is {obstacle}: nothing is written through it; rename it, then sync again",
                    self.relative(&path)
                )));
            }
        }
        checked.0.insert(PathBuf::from(parents));
        Ok(None)
    }

    /// Removes the folders above a removed file that became empty.
    pub(crate) fn prune_parents(&self, id: &str) {
        let mut parents = id;
        while let Some((above, _)) = parents.rsplit_once('/') {
            parents = above;
            if fs::remove_dir(self.path(parents)).is_err() {
                return;
            }
        }
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.root()).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Whether the folder of a file lists exactly this name. On a file system that ignores case, a name may be there that
    /// was never written.
    pub(crate) fn lists(&self, id: &str) -> io::Result<bool> {
        let path = self.path(id);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(true) };
        for entry in fs::read_dir(parent)? {
            if entry?.file_name() == name {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Makes one folder; says what else is there.
fn make_folder(path: &Path) -> io::Result<Option<&'static str>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(if meta.is_dir() { None } else { Some(kind(&meta)) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(path).map(|()| None),
        Err(error) => Err(error),
    }
}

/// What this is, for a message.
pub(crate) fn kind(meta: &fs::Metadata) -> &'static str {
    if meta.is_symlink() {
        "a symbolic link"
    } else if meta.is_dir() {
        "a folder"
    } else if meta.is_file() {
        "a file"
    } else {
        "a special file"
    }
}

/// Whether the error says for sure that nothing has the name.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

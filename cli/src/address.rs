//! The store's address, as far as the command has to look into it: no passwords, and no store inside the folder.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::exit::{Exit, Failure, Result};
use crate::hint;

/// Refuses an address with a user or a password in it. The message does not repeat it.
pub(crate) fn refuse_password(url: &str) -> Result<()> {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    if !authority.contains('@') {
        return Ok(());
    }
    let what = "has a user or password in it, which would be stored and shown; take it out: a file address \
                needs none, and there is no other way yet to give one";
    Err(Failure::new(Exit::Usage, "the store's address", what))
}

/// Refuses what is no address of a store, and says what it may have been meant to be. No password is repeated.
pub(crate) fn check(url: &str) -> Result<()> {
    refuse_password(url)?;
    let refuse = |object: &str, what: String| Err(Failure::new(Exit::Usage, object, what));
    match url.split_once("://") {
        Some(("file", _)) => Ok(()),
        Some((scheme, _)) => refuse(
            url,
            format!(
                "no stores of the scheme `{scheme}` are known; give a folder, on this machine or on a mounted share, as \
                 file:///path/to/folder"
            ),
        ),
        None if url.is_empty() || url.contains('@') => {
            refuse("the store's address", "it has no scheme; write file:///path/to/folder".to_owned())
        }
        None => {
            let path = Path::new(url.strip_prefix("file:").unwrap_or(url));
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let meant = hint::quoted(&longshore::file_url(&path));
            refuse(
                url,
                format!("a store is named by its address, not by its path; if that folder is meant, write {meant}"),
            )
        }
    }
}

/// Whether a folder holds a store: by the beginning of the object that names it.
pub(crate) fn holds_store(folder: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(folder.join("format/data")).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"\x89LSH"
}

/// Refuses a place where a new store would lie among files of the user's.
pub(crate) fn refuse_strangers(url: &str) -> Result<()> {
    let Some(store) = longshore::file_url_path(url).map(|path| resolved(&path)) else { return Ok(()) };
    let refuse = |what: String| Err(Failure::new(Exit::Usage, url, what));
    if let Some(above) = store.ancestors().find(|folder| Config::exists(folder)) {
        return refuse(format!(
            "lies in {}, a folder that is attached to a store, which would be synced into the other; choose a place outside",
            above.display()
        ));
    }
    if holds_store(&store) {
        return Ok(());
    }
    let names = fs::read_dir(&store).into_iter().flatten().flatten();
    let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| !may_lie_in_store(name)) {
        Some(name) => refuse(format!(
            "is not empty and is no store: `{name}` lies there; choose an empty folder, or one that is not there yet"
        )),
        None => Ok(()),
    }
}

/// What a store, an examination of it, or an operating system puts into a folder.
fn may_lie_in_store(name: &str) -> bool {
    const WHOLE: &[&str] = &[
        "domains",
        "format",
        "probe",
        "lost+found",
        ".DS_Store",
        ".Trashes",
        ".Spotlight-V100",
        ".fseventsd",
        "System Volume Information",
        "$RECYCLE.BIN",
        "desktop.ini",
        "Thumbs.db",
    ];
    const STARTS: &[&str] = &[".tmp-", "doctor-", "conformance-", ".Trash-", ".nfs"];
    WHOLE.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
}

/// Refuses a store inside the folder, the folder inside the store, and state where either would sync it.
pub(crate) fn refuse_nesting(folder: &Path, url: &str) -> Result<()> {
    let Some(store) = longshore::file_url_path(url).map(|path| resolved(&path)) else { return Ok(()) };
    let what = if store == folder {
        "is the store's own folder; choose another place for the store"
    } else if store.starts_with(folder) {
        "holds the store, which would be synced into itself; choose a place outside for the store"
    } else if folder.starts_with(&store) {
        "lies inside the store; choose a folder outside"
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Usage, folder.display(), what))
}

/// The path without links, as far as it exists.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return match path.strip_prefix(ancestor) {
                Ok(rest) if rest.as_os_str().is_empty() => real,
                Ok(rest) => real.join(rest),
                Err(_) => real,
            };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let failure = refuse_password("https://anna:secret@host/dav").unwrap_err();
        assert!(failure.exit == Exit::Usage && !failure.to_string().contains("secret"), "{failure}");
        assert!(refuse_password("file:///home/a@b").is_ok());
    }
}

//! The store's address, as far as the command has to look into it: no passwords, and no store inside the folder.

use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure, Result};

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

/// Refuses a store inside the folder, the folder inside the store, and state where either would sync it.
pub(crate) fn refuse_nesting(folder: &Path, url: &str) -> Result<()> {
    let Some(store) = store_path(url).map(|path| resolved(&path)) else { return Ok(()) };
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

/// The path of a `file` address.
pub(crate) fn store_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    Some(PathBuf::from(decoded(path)))
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

    #[test]
    fn a_store_path_is_decoded() {
        assert_eq!(store_path("file:///a%20b/c"), Some(PathBuf::from("/a b/c")));
        assert_eq!(store_path("https://host/c"), None);
    }
}

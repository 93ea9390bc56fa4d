//! Where something lies under the root: parts joined by `/`, the root itself being empty.

use std::fmt;
use std::io;

use longshore_core::{Folder, ObjectKey};

/// A file or folder of the store, relative to its root. Unlike an [`ObjectKey`] it may be a temporary.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(String);

/// What the names of temporaries begin with. No part of an object's name can, so no object is ever taken for one.
const TEMPORARY: &str = ".tmp-";
/// The same of who uses this store through a WebDAV server; 32 digits follow.
const OVER_WEBDAV: &str = "tmp.";

impl Place {
    pub(crate) fn join(&self, name: &str) -> Self {
        if self.is_root() { Self(name.to_owned()) } else { Self(format!("{self}/{name}")) }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// A place in this folder for a temporary that nobody else has.
    pub(crate) fn temporary(&self) -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(self.join(&format!("{TEMPORARY}{:032x}", u128::from_le_bytes(bytes))))
    }

    /// The folder it lies in; the root's own is the root.
    pub(crate) fn parent(&self) -> Self {
        Self(self.0.rsplit_once('/').map(|(parent, _)| parent.to_owned()).unwrap_or_default())
    }

    /// Its last part.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl From<&ObjectKey> for Place {
    fn from(key: &ObjectKey) -> Self {
        Self(key.as_str().to_owned())
    }
}

impl From<&Folder> for Place {
    fn from(folder: &Folder) -> Self {
        Self(folder.as_str().to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this is the name of a temporary, ours or one of who uses this store through a WebDAV server.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY) || is_temporary_over_webdav(name)
}

/// Whether this is the name of a temporary of who uses this store through a WebDAV server.
pub(crate) fn is_temporary_over_webdav(name: &str) -> bool {
    let digits = name.strip_prefix(OVER_WEBDAV).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_parent_and_name() {
        let place = Place::default().join("log").join("1");
        assert_eq!((place.to_string().as_str(), place.name()), ("log/1", "1"));
        assert_eq!(place.parent(), Place::default().join("log"));
        assert_eq!(place.parent().parent(), Place::default());
        assert_eq!(Place::default().parts().count(), 0);
    }

    #[test]
    fn no_object_is_taken_for_a_temporary() {
        let temporary = Place::default().temporary().unwrap();
        assert!(is_temporary(temporary.name()));
        assert!(ObjectKey::new(temporary.name()).is_err());
        assert_ne!(temporary, Place::default().temporary().unwrap());
        let over_webdav = "tmp.0123456789abcdef0123456789abcdef";
        assert!(is_temporary(over_webdav) && ObjectKey::new(over_webdav).is_err());
        assert!(!is_temporary("tmp.notes") && !is_temporary("tmp.") && !is_temporary("0000000000000001"));
    }
}

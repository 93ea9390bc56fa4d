//! Where something lies on the server: a base address, and a path below it.

use std::fmt;

use longshore_core::{Error, ErrorKind, Folder, ObjectKey, Result};
use percent_encoding::percent_decode_str;
use url::Url;

/// The address of the store's root collection; its path ends in `/`.
#[derive(Clone, Debug)]
pub(crate) struct Base(Url);

impl Base {
    /// Of an `http` or `https` address, with or without a slash at its end.
    pub(crate) fn new(mut url: Url) -> Result<Self> {
        if url.cannot_be_a_base() || !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid("it is no address of a WebDAV folder: write webdavs://host/path"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("a folder's address has no ? and no #; write %3F and %23"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        if decoded(url.path()).contains("//") {
            return Err(invalid("its path has an empty part"));
        }
        // Neither may be repeated, nor be sent to whom the server names.
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| invalid("it is malformed"))?;
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The address of a file.
    pub(crate) fn file(&self, place: &Place) -> String {
        format!("{}{}", self.0, place.0)
    }

    /// The address of a collection. Servers differ in what they do about one without a slash at its end.
    pub(crate) fn collection(&self, place: &Place) -> String {
        if place.0.is_empty() { self.0.to_string() } else { format!("{}{}/", self.0, place.0) }
    }

    /// The path of a collection as a listing shows it, decoded and without a slash at its end.
    pub(crate) fn path(&self, place: &Place) -> String {
        format!("{}{}", decoded(self.0.path()), place.0).trim_end_matches('/').to_owned()
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// A path from a listing as it is meant. What is no UTF-8 is no name of ours.
pub(crate) fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// What the names of temporaries begin with. No part of an object's name has a dot, so no object is ever taken for one, and no
/// listing shows one; a leading dot would hide it on some servers.
const TEMPORARY: &str = "tmp.";
/// The same of who uses this store through the folder itself.
const ON_DISK: &str = ".tmp-";

/// A path below the base. Its characters need no escape: those of object names, and the dot of temporaries.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn join(&self, name: &str) -> Self {
        if self.is_root() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// The collection that it lies in; the root's own is the root.
    pub(crate) fn parent(&self) -> Self {
        Self(self.0.rsplit_once('/').map(|(parent, _)| parent.to_owned()).unwrap_or_default())
    }

    /// Whether its name is a number: then others follow it where it lies.
    pub(crate) fn is_numbered(&self) -> bool {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// A place in this collection for a temporary that nobody else has.
    pub(crate) fn temporary(&self) -> Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(ErrorKind::Internal, "the system gives no random numbers")
                .with_source(std::io::Error::other(error))
        })?;
        Ok(self.join(&format!("{TEMPORARY}{:032x}", u128::from_le_bytes(bytes))))
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

/// Whether this is the name of a temporary, ours or one of who uses this store through the folder itself.
pub(crate) fn is_temporary(name: &str) -> bool {
    let digits = name.strip_prefix(TEMPORARY).or_else(|| name.strip_prefix(ON_DISK)).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(crate) fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what).with_operation("open").with_key("the store's address")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Base {
        Base::new(url.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_base_ends_in_one_slash_and_holds_no_password() {
        for url in ["http://host/dav", "http://host/dav/", "http://user:sesame@host/dav"] {
            assert_eq!(base(url).to_string(), "http://host/dav/");
        }
        assert_eq!(base("https://host").collection(&Place::root()), "https://host/");
        for url in ["http://host/a//b", "http://host/?x=1", "http://host/#x", "ftp://host/", "data:x"] {
            assert!(Base::new(url.parse().unwrap()).is_err(), "{url}");
        }
    }

    #[test]
    fn spaces_and_other_letters_are_escaped_in_addresses_and_plain_in_paths() {
        let base = base("http://host/my notes/ü");
        let place = Place::root().join("log").join("1");
        assert_eq!(base.file(&place), "http://host/my%20notes/%C3%BC/log/1");
        assert_eq!(base.collection(&place), "http://host/my%20notes/%C3%BC/log/1/");
        assert_eq!(base.path(&place), "/my notes/ü/log/1");
        assert_eq!(base.path(&Place::root()), "/my notes/ü");
        assert_eq!(decoded("/my%20notes/%c3%bc/log/1"), base.path(&place));
    }

    #[test]
    fn a_number_is_followed_by_others() {
        let log = Place::root().join("log");
        assert!(log.join("0000000000000001").is_numbered());
        assert!(!log.is_numbered() && !log.join("0f").is_numbered() && !Place::root().is_numbered());
    }

    #[test]
    fn no_object_is_taken_for_a_temporary() {
        let temporary = Place::root().temporary().unwrap();
        assert!(is_temporary(&temporary.to_string()));
        assert!(ObjectKey::new(temporary.to_string()).is_err());
        let on_disk = ".tmp-0123456789abcdef0123456789abcdef";
        assert!(is_temporary(on_disk) && ObjectKey::new(on_disk).is_err());
        assert!(!is_temporary("tmp.notes") && !is_temporary(".tmp-notes") && !is_temporary("0000000000000001"));
        assert_eq!(temporary.parent(), Place::root());
    }
}

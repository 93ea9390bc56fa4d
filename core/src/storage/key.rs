//! Object names: short, plain, and never made of anything a user typed.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// An object's name: parts joined by `/`.
///
/// - Each part is 1 to 80 of `a`–`z`, `0`–`9`, `-` and `_`; there are 1 to 8 parts.
/// - So it is a relative path on every file system and needs no escaping in any URL.
///
/// ```
/// use longshore_core::ObjectKey;
///
/// let key = ObjectKey::new("format/data")?;
/// assert!(key.is_record());
/// assert_eq!(key.folder().unwrap().to_string(), "format");
/// assert!(ObjectKey::new("../etc/passwd").is_err());
/// assert!(ObjectKey::new("/format").is_err());
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The name of a created-once object's only file.
    pub const DATA: &'static str = "data";

    /// Checks the name; `Invalid` if it breaks a rule.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if well_formed(&name) {
            Ok(Self(name))
        } else {
            Err(Error::new(ErrorKind::Invalid, "not an object name").with_key(name))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Its last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that holds it; `None` for an object directly under the root.
    pub fn folder(&self) -> Option<Folder> {
        self.0.rsplit_once('/').map(|(folder, _)| Folder(folder.to_owned()))
    }

    /// Whether this is a created-once object: the one file `data` of its folder.
    pub fn is_record(&self) -> bool {
        self.name() == Self::DATA && self.0.contains('/')
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of objects, for listing. The root is the empty one.
///
/// ```
/// use longshore_core::Folder;
///
/// let folder = Folder::ROOT.join("domains")?.join("main")?;
/// assert_eq!(folder.to_string(), "domains/main");
/// assert_eq!(folder.object("x")?.as_str(), "domains/main/x");
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder(String);

impl Folder {
    /// The root of the store.
    pub const ROOT: Self = Self(String::new());

    /// The folder of this name under the root; `Invalid` if it breaks a rule of [`ObjectKey`].
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() {
            return Ok(Self::ROOT);
        }
        Ok(Self(ObjectKey::new(name)?.0))
    }

    /// The folder's path, empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts; none for the root.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The folder of this name in it.
    pub fn join(&self, name: impl fmt::Display) -> Result<Self> {
        Ok(Self(self.object(name)?.0))
    }

    /// The object of this name in it.
    pub fn object(&self, name: impl fmt::Display) -> Result<ObjectKey> {
        if self.0.is_empty() { ObjectKey::new(name.to_string()) } else { ObjectKey::new(format!("{}/{name}", self.0)) }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn well_formed(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let mut parts = 0;
    name.split('/').all(|part| {
        parts += 1;
        parts <= 8 && (1..=80).contains(&part.len()) && part.bytes().all(plain)
    })
}

//! Texts with limits: ids, revisions and names.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// What a text type refuses, as a message; `None` if the text is fine.
type Fault = Option<&'static str>;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text; `Invalid` says which rule it breaks.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                match $check(&text) {
                    None => Ok(Self(text)),
                    Some(fault) => Err(Error::new(ErrorKind::Invalid, fault).with_key(shortened(&text))),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }
    };
}

text! {
    /// A document's name, chosen by the app. It never becomes a file name or a path on the server.
    ///
    /// - It is UTF-8 of 1 to 1,024 bytes.
    /// - Every byte counts: `a` is not `A`, and a composed letter is not its decomposed twin.
    ///
    /// ```
    /// use longshore_core::DocumentId;
    ///
    /// assert!(DocumentId::new("../NUL/notes\n.md").is_ok());
    /// assert!(DocumentId::new("").is_err());
    /// assert!(DocumentId::new("x".repeat(1025)).is_err());
    /// ```
    DocumentId, document_id_fault
}

text! {
    /// A text from the app that travels with a document: a hint for its own conflict code, never decisive.
    ///
    /// - It is UTF-8 of at most 1,024 bytes.
    ///
    /// ```
    /// use longshore_core::Revision;
    ///
    /// assert_eq!(Revision::new("4-abc")?.as_str(), "4-abc");
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    Revision, revision_fault
}

text! {
    /// The name of an independently synced part of an app's data.
    ///
    /// - It is 1 to 64 of `a`–`z`, `0`–`9` and `-`.
    ///
    /// ```
    /// use longshore_core::DomainName;
    ///
    /// assert_eq!(DomainName::default().as_str(), "main");
    /// assert!(DomainName::new("My Project").is_err());
    /// ```
    DomainName, name_fault
}

text! {
    /// The name of a piece of metadata that an app stores beside its documents.
    ///
    /// - It is 1 to 64 of `a`–`z`, `0`–`9` and `-`.
    ///
    /// ```
    /// use longshore_core::MetadataName;
    ///
    /// assert!(MetadataName::new("schema-version").is_ok());
    /// assert!(MetadataName::new("a/b").is_err());
    /// ```
    MetadataName, name_fault
}

impl Default for DomainName {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

fn document_id_fault(text: &str) -> Fault {
    if text.is_empty() {
        Some("a document id is not empty")
    } else if text.len() > 1024 {
        Some("a document id has at most 1,024 bytes")
    } else {
        None
    }
}

fn revision_fault(text: &str) -> Fault {
    (text.len() > 1024).then_some("a revision has at most 1,024 bytes")
}

fn name_fault(text: &str) -> Fault {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    (!good).then_some("a name is 1 to 64 of a-z, 0-9 and -")
}

/// The first characters of a text, for an error that has to name it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

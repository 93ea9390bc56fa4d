//! Documents and the changes to them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DocumentId, Revision, Sequence};
use crate::error::{Error, ErrorKind, Result};

/// What an app stores and longshore keeps in step.
///
/// `body` has at most [`Document::MAX_BODY`] bytes.
///
/// ```
/// use longshore_core::Document;
///
/// let document = Document::new("notes/today", "buy milk")?;
/// assert_eq!(document.body.as_ref(), b"buy milk");
/// assert!(document.revision.is_none());
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub id: DocumentId,
    /// The app's own hint about its version.
    pub revision: Option<Revision>,
    /// Its content.
    pub body: Bytes,
}

impl Document {
    /// The most bytes a body may have: 1 GiB.
    pub const MAX_BODY: u64 = 1 << 30;

    /// A document without a revision; `Invalid` for a bad id or a body over 1 GiB.
    pub fn new(id: impl Into<String>, body: impl Into<Bytes>) -> Result<Self> {
        let document = Self { id: DocumentId::new(id)?, revision: None, body: body.into() };
        document.check()?;
        Ok(document)
    }

    /// Sets the app's hint about its version.
    pub fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// `Invalid` if the body is over 1 GiB.
    pub fn check(&self) -> Result<()> {
        if self.body.len() as u64 > Self::MAX_BODY {
            return Err(Error::new(ErrorKind::Invalid, "a document has at most 1 GiB").with_key(&self.id));
        }
        Ok(())
    }
}

// A body may be a gigabyte, and it is the user's own: neither belongs in a log.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// The committed entry that an edit started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The entry's number.
    pub sequence: Sequence,
    /// The document's revision in that entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// What a change does to its document.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// Stores this body.
    Put(Bytes),
    /// Removes the document.
    Delete,
}

impl Action {
    /// Whether it removes the document.
    pub fn is_delete(&self) -> bool {
        matches!(self, Self::Delete)
    }

    /// The body it stores.
    pub fn body(&self) -> Option<&Bytes> {
        match self {
            Self::Put(body) => Some(body),
            Self::Delete => None,
        }
    }

    /// How many body bytes it carries.
    pub fn len(&self) -> usize {
        self.body().map_or(0, Bytes::len)
    }

    /// Whether it carries no body bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Put(body) => write!(f, "Put({} bytes)", body.len()),
            Self::Delete => f.write_str("Delete"),
        }
    }
}

/// One document's change, as it stands in the outbox and in the log.
///
/// ```
/// use longshore_core::{Change, DocumentId};
///
/// let change = Change::delete(DocumentId::new("old")?);
/// assert!(change.action.is_delete());
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The document.
    pub id: DocumentId,
    /// The app's hint about the new version.
    pub revision: Option<Revision>,
    /// What the edit started from; none for a new document.
    pub base: Option<Base>,
    /// What it does.
    pub action: Action,
}

impl Change {
    /// A change that stores this document as a new one.
    pub fn put(document: Document) -> Self {
        Self { id: document.id, revision: document.revision, base: None, action: Action::Put(document.body) }
    }

    /// A change that removes this document.
    pub fn delete(id: DocumentId) -> Self {
        Self { id, revision: None, base: None, action: Action::Delete }
    }

    /// Says which committed entry the edit started from.
    pub fn with_base(mut self, base: Option<Base>) -> Self {
        self.base = base;
        self
    }

    /// The document as this change leaves it; `None` if it removes it.
    pub fn document(&self) -> Option<Document> {
        let body = self.action.body()?.clone();
        Some(Document { id: self.id.clone(), revision: self.revision.clone(), body })
    }
}

//! The folder of files: what is there, what may be written there, and how it is written.
//!
//! All of it is blocking code; the async side calls it on threads for blocking work.

pub(crate) mod examine;
pub(crate) mod ignore_rules;
pub(crate) mod names;
pub(crate) mod place;
pub(crate) mod read;
pub(crate) mod scan;
pub(crate) mod seen;
pub(crate) mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use self::ignore_rules::Rules;

/// The folder that is kept in step.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    rules: Rules,
    /// Counts temporary files, so that their names differ.
    temporaries: AtomicU64,
    /// For tests: die at the n-th file that is put in place.
    pub(crate) die_at_file: Option<u64>,
}

impl Folder {
    /// The folder of this path, which must be canonical.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { rules: Rules::new(root.clone()), root, temporaries: AtomicU64::new(0), die_at_file: None }
    }

    /// Its path.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file of this document belongs, if its name is safe ([`names::refused`]).
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }
}

/// A file, or a document, that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Skipped {
    /// The file or the document.
    pub(crate) name: String,
    /// Why, and what to do about it.
    pub(crate) why: String,
    /// Whether it is the stated policy (links, special files): then it does not show in the exit code.
    pub(crate) policy: bool,
}

impl Skipped {
    /// Left out because it cannot be synced as it is.
    pub(crate) fn problem(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), why: why.into(), policy: false }
    }

    /// Left out as promised.
    pub(crate) fn by_policy(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), why: why.into(), policy: true }
    }
}

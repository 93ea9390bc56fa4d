//! What `doctor` and `conformance` must know of the kinds of stores beyond opening one. A new kind is one more type here, and one
//! more arm in [`of`].

mod folder;

use std::sync::Arc;

use longshore::{Error, ErrorKind, Result, Storage};
use longshore_conformance::doctor::Finding;

/// A kind of store, at one address.
pub(crate) trait Kind: Send + Sync {
    /// An independent client. It may block, as a folder on a dead mount does.
    fn open(&self) -> Result<Arc<dyn Storage>>;

    /// A client of a store of this kind whose root, bucket or collection is not there; none if there can be no such.
    fn open_missing_root(&self) -> Option<Result<Arc<dyn Storage>>> {
        None
    }

    /// A client with credentials that the server does not know; none if this kind asks for none.
    fn open_with_wrong_credentials(&self) -> Option<Result<Arc<dyn Storage>>> {
        None
    }

    /// What the place of the store says about it, without writing there. It may block.
    fn look(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// Removes what scratch places with names that begin so leave beside objects. It may block.
    fn sweep(&self, _prefix: &str) {}
}

/// The kind of the store at this address.
pub(crate) fn of(url: &str) -> Arc<dyn Kind> {
    match longshore::file_url_path(url) {
        Some(path) => Arc::new(folder::Folder::new(url, path)),
        None => Arc::new(Other(url.to_owned())),
    }
}

/// A store of which nothing more is known than how to open it.
struct Other(String);

impl Kind for Other {
    fn open(&self) -> Result<Arc<dyn Storage>> {
        longshore::open_storage(&self.0)
    }
}

/// A client, opened where blocking blocks nothing else.
pub(crate) async fn open(kind: Arc<dyn Kind>) -> Result<Arc<dyn Storage>> {
    let opening = tokio::task::spawn_blocking(move || kind.open());
    opening.await.map_err(|error| Error::new(ErrorKind::Internal, "a thread ended early").with_source(error))?
}

//! What the commands must know of the kinds of stores beyond opening one. A new kind is one more type here, and one
//! more arm in [`of`].

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "webdav")]
mod collection;
mod folder;
#[cfg(any(feature = "s3", feature = "webdav"))]
mod plain_http;

#[cfg(any(feature = "s3", feature = "webdav"))]
use std::net::SocketAddr;
use std::sync::Arc;

use longshore::{Error, ErrorKind, Folder, Result, Runtime as _, Storage, TokioRuntime};
use longshore_conformance::doctor::Finding;
use longshore_conformance::litter;

use crate::exit::Failure;

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

    /// Where the server of this store listens, if its connections can be cut on their way; else why not, in one line. It may block.
    #[cfg(any(feature = "s3", feature = "webdav"))]
    fn server(&self) -> std::result::Result<SocketAddr, String> {
        Err("this store is not reached over HTTP".to_owned())
    }

    /// A client that finds its server at this address, and gives up soon on one that says nothing: as users have it in all else.
    #[cfg(any(feature = "s3", feature = "webdav"))]
    fn open_via(&self, _proxy: SocketAddr) -> Result<Arc<dyn Storage>> {
        Err(Error::new(ErrorKind::Internal, "this store is not reached over HTTP"))
    }

    /// What the place of the store says about it, without writing there. It may block.
    fn look(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// How objects that are created once come to be in a new store there, and why so; `by_fallback` if the usual method does not hold.
    fn creates(&self, _by_fallback: bool) -> Option<String> {
        None
    }

    /// What to do about an error, where more can be said than of any store. It stands in a message, so it holds no secret.
    fn next_step(&self, _error: &Error) -> Option<String> {
        None
    }

    /// How to make the place of a new store, where an error says that it is not there. Not for a store that is known: an empty place
    /// would hide that it is gone.
    fn creation(&self, _error: &Error) -> Option<String> {
        None
    }

    /// Makes the place of a store of this name below this one, where a store can be only in a place that is there. It may block.
    fn make(&self, _name: &str) -> Result<()> {
        Ok(())
    }

    /// The command that removes these scratch places.
    fn removal(&self, _names: &[String]) -> Option<String> {
        None
    }

    /// Removes what scratch places with names that begin so leave beside objects. It may block.
    fn sweep(&self, _prefix: &str) {}
}

/// The kind of the store at this address.
pub(crate) fn of(url: &str) -> Arc<dyn Kind> {
    #[cfg(feature = "s3")]
    if url.starts_with("s3://") {
        return Arc::new(bucket::Bucket::new(url));
    }
    #[cfg(feature = "webdav")]
    if url.starts_with("webdav") {
        return Arc::new(collection::Collection::new(url));
    }
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

/// A client of the store at this address, which has answered once: an address may be well formed, and yet lead nowhere.
pub(crate) async fn reach(url: &str) -> crate::exit::Result<Arc<dyn Storage>> {
    let failed = |error: Error| unreached(&error, url);
    let storage = open(of(url)).await.map_err(failed)?;
    storage.list(&Folder::ROOT, None).await.map_err(failed)?;
    Ok(storage)
}

/// A failure to reach a store that nobody here knows yet.
pub(crate) fn unreached(error: &Error, url: &str) -> Failure {
    Failure::of_store(error, url, ToOwned::to_owned).with_advice(of(url).creation(error))
}

/// What runs that were killed long ago have left in the store, in one line; nothing if there is none, or if it cannot be listed.
pub(crate) async fn left_behind(kind: &dyn Kind, storage: &dyn Storage) -> Option<String> {
    let names = storage.list(&Folder::ROOT, None).await.ok()?.value.names;
    let names = litter::abandoned(&names, TokioRuntime.wall());
    let which = match &names[..] {
        [] => return None,
        [_] => "a scratch place".to_owned(),
        _ => format!("{} scratch places", names.len()),
    };
    let remove = match kind.removal(&names) {
        Some(command) => format!("remove it with: {command}"),
        None => format!("remove by hand what lies under {}", names.join(", ")),
    };
    Some(format!("{which} of doctor or conformance, begun more than an hour ago; if no such run goes on, {remove}"))
}

/// What no other name ends with.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 8];
    TokioRuntime.random(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

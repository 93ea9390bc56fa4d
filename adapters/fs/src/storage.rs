//! The trait's methods. Each off-loads one blocking operation.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use longshore_core::{
    ByteRange, ByteStream, Capabilities, Created, DomainName, Error, ErrorKind, Folder, Listing, Object, ObjectKey,
    Outcome, Payload, Reply, Result, Runtime, Storage, StoredServer,
};

use crate::errors::not_applied;
use crate::get::Download;
use crate::platform::{OsDisk, sync_folder};
use crate::put::Pending;
use crate::replicated;
use crate::store::Store;

/// A store in a folder. Its clones are the same instance.
///
/// - Replies to writes carry the file system's time (for a share: the server's); replies to reads carry none.
/// - Its futures need a tokio runtime, whose blocking threads do the work. A dropped future's file operation still ends.
/// - A killed writer may leave temporaries (`.tmp-…`). The first write into a folder removes those older than a day by the
///   file system's own clock.
///
/// See the [crate](crate) for where a store may lie.
#[derive(Clone)]
pub struct Fs {
    store: Arc<Store>,
    root: PathBuf,
}

impl Fs {
    /// The store in this folder, which must exist. Nothing is written; it blocks for a few looks at the file system.
    ///
    /// Errors: `Missing` if no folder is there, `Denied` if it may not be read, `Unsupported` if a tool replicates it.
    ///
    /// ```
    /// use longshore_core::ErrorKind;
    /// use longshore_fs::Fs;
    ///
    /// let folder = tempfile::tempdir()?;
    /// assert!(Fs::open(folder.path()).is_ok());
    /// assert_eq!(Fs::open(folder.path().join("not-mounted")).unwrap_err().kind(), ErrorKind::Missing);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let given = root.into();
        let named = |error: io::Error| not_applied(error).with_operation("open").with_key(given.display());
        let root = absolute(&given).map_err(named)?;
        let disk = OsDisk::open(&root).map_err(named)?;
        replicated::refuse(&root.canonicalize().map_err(named)?).map_err(|error| error.with_operation("open"))?;
        Ok(Self { store: Arc::new(Store::new(disk)), root })
    }

    /// The store in this folder, which is made if only it is missing; the folder above must exist.
    ///
    /// Errors: as [`open`](Self::open); `Missing` also if the folder above is not there.
    ///
    /// ```
    /// use longshore_fs::Fs;
    ///
    /// let folder = tempfile::tempdir()?;
    /// Fs::create_root(folder.path().join("store")).unwrap();
    /// assert!(folder.path().join("store").is_dir());
    /// assert!(Fs::create_root(folder.path().join("no/store")).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn create_root(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        make_root(&root).map_err(|error| error.with_operation("open").with_key(root.display()))?;
        Self::open(root)
    }

    /// The root folder.
    ///
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// assert_eq!(longshore_fs::Fs::open(folder.path()).unwrap().root(), folder.path());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A complete server on this folder, for one domain: lease, log and metadata.
    ///
    /// ```
    /// use longshore_core::{DomainName, Server, StoreOptions, TokioRuntime};
    /// use longshore_fs::Fs;
    /// use std::sync::Arc;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let folder = tempfile::tempdir()?;
    /// let server = Fs::open(folder.path())?.server(Arc::new(TokioRuntime), &DomainName::default())?;
    /// let info = server.initialize(&StoreOptions::default()).await?;
    /// assert_eq!(server.store().await?.value, Some(info));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn server(self, runtime: Arc<dyn Runtime>, domain: &DomainName) -> Result<StoredServer> {
        StoredServer::new(Arc::new(self), runtime, domain)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        on: &impl fmt::Display,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        off_load(move || work(&store)).await.map_err(|error| error.with_operation(operation).with_key(on))
    }

    /// Writes the pieces as they come, one at a time.
    async fn receive(&self, key: &ObjectKey, payload: Payload) -> Result<Pending> {
        let mut stream = payload.into_stream();
        let (store, wanted) = (Arc::clone(&self.store), key.clone());
        let mut pending = self.blocking("put", key, move |_| Pending::begin(store, &wanted)).await?;
        loop {
            match stream.try_next().await {
                Ok(Some(bytes)) => pending = self.blocking("put", key, move |_| pending.append(&bytes)).await?,
                Ok(None) => return Ok(pending),
                Err(error) => {
                    self.blocking("put", key, move |_| {
                        drop(pending);
                        Ok(())
                    })
                    .await?;
                    return Err(error.with_outcome(Outcome::NotApplied).with_operation("put").with_key(key));
                }
            }
        }
    }
}

impl fmt::Debug for Fs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fs").field("root", &self.root).finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for Fs {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if !key.is_record() {
            return Err(invalid("a created-once object is the file `data` of its own folder", "create", key));
        }
        let wanted = key.clone();
        self.blocking("create", key, move |store| store.create(&wanted, &bytes)).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        if key.is_record() {
            return Err(invalid("a name that ends in /data is created once: use create", "put", key));
        }
        let pending = self.receive(key, payload).await?;
        self.blocking("put", key, move |store| match pending.into_upload() {
            Some(upload) => store.finish(upload),
            None => Err(Error::new(ErrorKind::Internal, "an upload was lost")),
        })
        .await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let wanted = key.clone();
        let found = self.blocking("get", key, move |store| store.get(&wanted, range)).await?;
        Ok(Reply::new(found.map(|(download, first)| object(key, download, first))))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let wanted = folder.clone();
        let after = after.map(str::to_owned);
        self.blocking("list", folder, move |store| store.list(&wanted, after.as_deref())).await.map(Reply::new)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let wanted = key.clone();
        self.blocking("delete", key, move |store| store.delete(&wanted)).await
    }
}

fn make_root(root: &Path) -> Result<()> {
    match std::fs::create_dir(root) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = "the folder that should hold the root is not there: make or mount it, then try again";
            return Err(Error::new(ErrorKind::Missing, message).with_source(error));
        }
        Err(error) => return Err(not_applied(error)),
    }
    let above = absolute(root).map_err(not_applied)?;
    sync_folder(above.parent().unwrap_or(&above)).map_err(not_applied)
}

fn invalid(message: &'static str, operation: &'static str, key: &ObjectKey) -> Error {
    Error::new(ErrorKind::Invalid, message).with_operation(operation).with_key(key)
}

/// An object whose first piece is there; the rest is read as it is asked for.
fn object(key: &ObjectKey, download: Download, first: Bytes) -> Object {
    let (size, len) = (download.size, download.left() + first.len() as u64);
    let first = stream::iter([Ok(first)]);
    if download.left() == 0 {
        return Object::new(size, len, first.boxed());
    }
    Object::new(size, len, first.chain(rest(key.clone(), download)).boxed())
}

fn rest(key: ObjectKey, download: Download) -> ByteStream {
    stream::try_unfold((key, download), |(key, mut download)| async move {
        if download.left() == 0 {
            return Ok(None);
        }
        let read = off_load(move || Ok((download.piece()?, download))).await;
        let (piece, download) = read.map_err(|error| error.with_operation("get").with_key(&key))?;
        Ok(Some((piece, (key, download))))
    })
    .boxed()
}

/// Runs blocking work on a thread for it.
async fn off_load<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(ErrorKind::Internal, "a file operation was cut short").with_source(error)),
    }
}

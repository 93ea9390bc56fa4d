//! The trait's methods, and what they share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::SERVER;
use longshore_core::{
    ByteRange, Capabilities, Created, DomainName, Error, ErrorKind, Folder, Listing, Object, ObjectKey, Payload, Reply,
    Result, Runtime, Storage, StoredServer,
};
use tokio::runtime::Handle;

use crate::builder::WebDavBuilder;
use crate::client::{Ask, Client};
use crate::folders::Folders;
use crate::place::Place;
use crate::spares::Spares;
use crate::temporary::MOVES_FILES;

/// The most characters of what a server calls itself.
const NAME: usize = 100;

/// A folder on a WebDAV server. Its clones share the connections.
///
/// Its futures need a tokio runtime with time and I/O.
#[derive(Clone)]
pub struct WebDav {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: Arc<Client>,
    /// What errors show for `http` or `https`.
    pub(crate) scheme: Option<&'static str>,
    pub(crate) folders: Folders,
    pub(crate) spares: Spares,
    pub(crate) claims: Capabilities,
    /// Names are created by moving files, not collections.
    pub(crate) moves_files: AtomicBool,
    /// The app asked for that.
    pub(crate) asked_for: bool,
    /// Collections that are known to hold something, where names are created so.
    pub(crate) full: Folders,
}

impl WebDav {
    /// Settings for the folder at this `http://` or `https://` address. See [`WebDavBuilder`].
    pub fn builder(address: impl Into<String>) -> WebDavBuilder {
        WebDavBuilder::new(address.into())
    }

    /// The storage at a `webdavs://` or `webdav://` address. Nothing is sent yet.
    ///
    /// | address | what it is |
    /// | --- | --- |
    /// | `webdavs://host/path`, `webdav+https://host/path` | over TLS |
    /// | `webdav://host/path`, `webdav+http://host/path` | in plain text, which is thereby asked for |
    ///
    /// User and password stand in the address (percent-encoded), or in `WEBDAV_USER` and `WEBDAV_PASSWORD`. `?ca=FILE` trusts one more certificate
    /// authority.
    ///
    /// Errors: `Invalid` for a malformed address, which it does not repeat.
    ///
    /// ```
    /// use longshore_webdav::WebDav;
    ///
    /// let storage = WebDav::open("webdavs://me:sesame@cloud.example.org/dav/notes")?;
    /// assert_eq!(storage.address(), "https://cloud.example.org/dav/notes/");
    /// assert!(WebDav::open("gopher://host/").is_err());
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn open(address: &str) -> Result<Self> {
        crate::address::parse(address)?.build()
    }

    /// The settings of an address, as [`open`](Self::open) takes it, to be altered.
    pub fn builder_from(address: &str) -> Result<WebDavBuilder> {
        crate::address::parse(address)
    }

    /// The folder's address, without user and password.
    pub fn address(&self) -> String {
        self.inner.client.base.to_string()
    }

    /// What software the server says that it is, in its `Server` header; none if it says nothing. It is for people to read: what
    /// this crate does depends on what servers do, never on what they are called.
    ///
    /// Errors: as of a read.
    pub async fn software(&self) -> Result<Option<String>> {
        let root = Place::root();
        let named = |error| self.inner.named(error, "software", &root);
        let ask = Ask::new("OPTIONS", self.inner.client.collection(&root));
        let answer = self.inner.client.send(ask).await.map_err(named)?;
        let software = answer.header(SERVER).map(|text| text.chars().filter(|c| !c.is_control()).take(NAME).collect());
        answer.finish().await;
        Ok(software)
    }

    /// Makes a folder in this one, with all that it lies in; one that is there already stays as it is. A store's own folder has to be there
    /// before the store is opened.
    ///
    /// Errors: `Missing` if this folder is not there, else as of a write.
    pub async fn make_folder(&self, folder: &Folder) -> Result<()> {
        let place = Place::from(folder);
        let made = self.inner.client.make_all(&self.inner.folders, &place).await;
        made.map_err(|error| self.inner.named(error, "make_folder", &place))
    }

    /// Removes the collections directly in this folder whose names begin so, and in which no file lies, however deep: a storage removes
    /// objects only, and so leaves the collections that they lay in. Nobody may be writing there.
    ///
    /// Errors: as of a listing. What the server does not remove stays.
    pub async fn remove_empty(&self, prefix: &str) -> Result<()> {
        self.inner.remove_empty(prefix).await.map_err(|error| self.inner.named(error, "remove_empty", &Place::root()))
    }

    /// How objects that are created once come to be here, and why so: an end of a sentence, for people to read.
    ///
    /// ```
    /// use longshore_core::Storage as _;
    /// use longshore_webdav::WebDav;
    ///
    /// let storage = WebDav::open("webdavs://cloud.example.org/dav")?;
    /// assert!(storage.create_method().starts_with("publishes a collection"));
    /// assert!(storage.adopt(storage.capabilities().fallback));
    /// assert!(storage.create_method().starts_with("is put beside its collection"));
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn create_method(&self) -> &'static str {
        if self.inner.moves_files() {
            "is put beside its collection, moved into it, and read back: a collection that is moved is shown late or empty here, or \
             copied, and a file that is moved was not"
        } else {
            "publishes a collection and reads it back: a server may check first and rename then, and say of two that both won, but a \
             collection that is not empty is never renamed over"
        }
    }

    /// A complete server in this folder, for one domain: lease, log and metadata.
    pub fn server(self, runtime: Arc<dyn Runtime>, domain: &DomainName) -> Result<StoredServer> {
        StoredServer::new(Arc::new(self), runtime, domain)
    }
}

impl fmt::Debug for WebDav {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebDav").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn moves_files(&self) -> bool {
        self.moves_files.load(Ordering::Acquire)
    }

    fn named(&self, error: Error, operation: &'static str, place: &Place) -> Error {
        let address = self.client.file(place);
        let address = match (self.scheme, address.split_once("://")) {
            (Some(scheme), Some((_, rest))) => format!("{scheme}://{rest}"),
            _ => address,
        };
        error.with_operation(operation).with_key(address)
    }
}

#[async_trait]
impl Storage for WebDav {
    fn capabilities(&self) -> Capabilities {
        let claims = self.inner.claims.clone();
        if self.inner.moves_files() {
            claims.with_methods(Some(MOVES_FILES), None)
        } else {
            claims.with_methods(None, Some(MOVES_FILES))
        }
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        let known = method == Some(MOVES_FILES) || (method.is_none() && !self.inner.asked_for);
        if known {
            self.inner.moves_files.store(method.is_some(), Ordering::Release);
        }
        known
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let named = |error| self.inner.named(error, "create", &Place::from(key));
        if !key.is_record() {
            return Err(named(Error::new(ErrorKind::Invalid, "only a name that ends in /data can be created once")));
        }
        self.inner.create(key, bytes).await.map_err(named)
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let named = |error| self.inner.named(error, "put", &Place::from(key));
        if key.is_record() {
            return Err(named(Error::new(ErrorKind::Invalid, "a name that ends in /data is created once, not put")));
        }
        self.inner.put(key, payload).await.map_err(named)
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.inner.get(key, range).await.map_err(|error| self.inner.named(error, "get", &Place::from(key)))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.inner.list(folder, after).await.map_err(|error| self.inner.named(error, "list", &Place::from(folder)))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.inner.delete(key).await.map_err(|error| self.inner.named(error, "delete", &Place::from(key)))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let spares = self.spares.drain();
        let Ok(runtime) = Handle::try_current() else { return };
        let client = Arc::clone(&self.client);
        runtime.spawn(async move {
            for making in spares {
                if let Ok(Ok(spare)) = making.await {
                    client.remove(client.collection(&spare)).await;
                }
            }
        });
    }
}

/// A temporary file that is removed in the background if its writer ends before it says that it is gone.
pub(crate) struct Litter {
    inner: Arc<Inner>,
    file: Option<Place>,
}

impl Litter {
    pub(crate) fn file(inner: &Arc<Inner>, file: &Place) -> Self {
        Self { inner: Arc::clone(inner), file: Some(file.clone()) }
    }

    pub(crate) fn settled(mut self) {
        self.file = None;
    }
}

impl Drop for Litter {
    fn drop(&mut self) {
        let (Some(file), Ok(runtime)) = (self.file.take(), Handle::try_current()) else { return };
        let inner = Arc::clone(&self.inner);
        runtime.spawn(async move { inner.discard_file(&file).await });
    }
}

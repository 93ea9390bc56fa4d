//! The trait's methods.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, Object, ObjectKey, Outcome, Payload, Reply,
    Result, Storage,
};
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{
    Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
    PutPayload,
};

use crate::download;
use crate::errors::{is_missing, meaning, of_answer};
use crate::exchange::{Answered, Exchange, Seen, time};
use crate::list;
use crate::upload::{self, Failed};

/// Larger objects go up in parts.
const ONE_REQUEST: u64 = 16 * 1024 * 1024;

/// A store's objects under a prefix. Its clones share the store.
///
/// See the [crate](crate) for what the store must be told. Its futures need a tokio runtime if the store's do.
#[derive(Clone)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    pages: Option<Arc<dyn PaginatedListStore>>,
    prefix: Path,
    attributes: Attributes,
    claims: Capabilities,
    /// What stands before an object's path in errors.
    address: String,
}

impl ObjectStorage {
    /// The objects of this store whose keys begin with this prefix and `/`; all of them for an empty prefix.
    ///
    /// Errors: `Invalid` for a prefix with an empty part, `.` or `..`.
    ///
    /// ```
    /// use longshore_object::ObjectStorage;
    /// use object_store::memory::InMemory;
    /// use std::sync::Arc;
    ///
    /// assert!(ObjectStorage::new(Arc::new(InMemory::new()), "my/notes").is_ok());
    /// assert!(ObjectStorage::new(Arc::new(InMemory::new()), "my//notes").is_err());
    /// ```
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self> {
        let prefix = Path::parse(prefix).map_err(|_| {
            Error::new(ErrorKind::Invalid, "the prefix has an empty part, or one that is no name")
                .with_operation("open")
                .with_key(prefix)
        })?;
        let claims = Capabilities::default().with_parallelism(16);
        Ok(Self { store, pages: None, prefix, attributes: Attributes::new(), claims, address: String::new() })
    }

    /// Lists by pages, through the same store: then a folder of any size takes little memory.
    pub fn with_pages(mut self, pages: Arc<dyn PaginatedListStore>) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Stores every object with these, such as a storage class.
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// What the store guarantees. By default that `create` is atomic, replies to reads carry no time, and 16 requests at once are
    /// welcome. The core probes it.
    pub fn with_capabilities(mut self, claims: Capabilities) -> Self {
        self.claims = claims;
        self
    }

    /// Names objects in errors by their whole address: this, `/`, the prefix, `/`, and the key. It must hold no secret.
    ///
    /// ```
    /// use longshore_core::{ObjectKey, Storage};
    /// use longshore_object::ObjectStorage;
    /// use object_store::memory::InMemory;
    /// use std::sync::Arc;
    ///
    /// # futures::executor::block_on(async {
    /// let storage = ObjectStorage::new(Arc::new(InMemory::new()), "notes")?.with_address("gs://bucket");
    /// let error = storage.create(&ObjectKey::new("not-a-record")?, "x".into()).await.unwrap_err();
    /// assert_eq!(error.key(), Some("gs://bucket/notes/not-a-record"));
    /// # Ok::<(), longshore_core::Error>(())
    /// # })?;
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    fn named(&self, error: Error, operation: &'static str, path: &Path) -> Error {
        let slash = if self.address.is_empty() { "" } else { "/" };
        error.with_operation(operation).with_key(format_args!("{}{slash}{path}", self.address))
    }

    fn invalid(&self, what: &'static str, operation: &'static str, key: &ObjectKey) -> Error {
        self.named(Error::new(ErrorKind::Invalid, what), operation, &self.path(key))
    }

    fn path(&self, key: &ObjectKey) -> Path {
        key.parts().fold(self.prefix.clone(), Path::join)
    }

    /// The object's bytes of this range.
    ///
    /// Of an object that may be large the first request asks for the beginning only, so that no answer is broken off.
    async fn get_part(&self, path: &Path, range: ByteRange, may_be_large: bool) -> Result<Reply<Option<Object>>> {
        let asked = range.start()..range.start().saturating_add(range.len().min(download::FIRST));
        let plain = range.is_all() && !may_be_large;
        let options = GetOptions { range: (!plain).then_some(GetRange::Bounded(asked)), ..GetOptions::default() };
        let (result, seen) = Exchange::watch(self.store.get_opts(path, options)).await;
        let at = time(seen.as_ref());
        match (result, seen) {
            (Ok(first), _) => {
                let size = first.meta.size;
                let wanted = first.range.start..range.within(size).end.max(first.range.end);
                let stream = download::stream(&self.store, path, first, wanted.end);
                Ok(Reply { value: Some(Object::new(size, wanted.end - wanted.start, stream)), time: at })
            }
            (Err(error), seen) if is_missing(&error, seen.as_ref()) => Ok(Reply { value: None, time: at }),
            // The range holds nothing. Where the answer does not say how large the object is, another one does.
            (Err(_), Some(Seen::Answered(Answered { status: 416, size: Some(size), .. }))) => {
                Ok(Reply { value: Some(nothing_of(size)), time: at })
            }
            (Err(_), Some(Seen::Answered(Answered { status: 416, .. }))) => self.size_only(path).await,
            (Err(error), None) if !plain => match self.head(path).await? {
                reply if reply.value.as_ref().is_some_and(|object| object.size() > range.start()) => {
                    Err(meaning(error, None))
                }
                reply => Ok(reply),
            },
            // Nobody needs ranges to read all of an object.
            (Err(_), Some(Seen::Answered(Answered { status: 200..300, .. }))) if range.is_all() && !plain => {
                Box::pin(self.get_part(path, range, false)).await
            }
            (Err(error), seen) if range.is_all() => Err(meaning(error, seen)),
            (Err(error), seen) => Err(download::no_range(seen.as_ref()).unwrap_or_else(|| meaning(error, seen))),
        }
    }

    /// Names the object in the errors of its stream too.
    fn with_name(&self, object: Object, path: Path) -> Object {
        let (size, len, this) = (object.size(), object.len(), self.clone());
        let stream = object.into_stream().map_err(move |error| this.named(error, "get", &path));
        Object::new(size, len, stream.boxed())
    }

    /// The object without its bytes.
    ///
    /// Behind HTTP it asks for the first byte: the answer to a HEAD has no body that says whether it is the object that is
    /// missing, or the bucket.
    async fn size_only(&self, path: &Path) -> Result<Reply<Option<Object>>> {
        let options = GetOptions { range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() };
        let (result, seen) = Exchange::watch(self.store.get_opts(path, options)).await;
        let at = time(seen.as_ref());
        match (result, &seen) {
            (Ok(first), _) => Ok(Reply { value: Some(nothing_of(first.meta.size)), time: at }),
            (Err(_), Some(Seen::Answered(Answered { status: 416, size, .. }))) => {
                Ok(Reply { value: Some(nothing_of(size.unwrap_or(0))), time: at })
            }
            (Err(error), _) if is_missing(&error, seen.as_ref()) => Ok(Reply { value: None, time: at }),
            // An empty object has no first byte.
            (Err(_), None | Some(Seen::Answered(Answered { status: 200, .. }))) => self.head(path).await,
            (Err(error), _) => Err(meaning(error, seen)),
        }
    }

    async fn head(&self, path: &Path) -> Result<Reply<Option<Object>>> {
        let (result, seen) = Exchange::watch(self.store.head(path)).await;
        let at = time(seen.as_ref());
        match result {
            Ok(meta) => Ok(Reply { value: Some(nothing_of(meta.size)), time: at }),
            Err(error) if is_missing(&error, seen.as_ref()) => Ok(Reply { value: None, time: at }),
            Err(error) => Err(meaning(error, seen)),
        }
    }
}

fn nothing_of(size: u64) -> Object {
    Object::new(size, 0, stream::empty().boxed())
}

/// How a failed `create` was decided, if it was.
fn decided(error: object_store::Error, seen: Option<Seen>) -> Result<Created> {
    match (&error, &seen) {
        // 304 is what some servers say to a write instead of 412; 409 with this code is Azure's 412.
        (_, Some(Seen::Answered(Answered { status: 304 | 412, .. })))
        | (object_store::Error::AlreadyExists { .. }, None) => Ok(Created::Exists),
        (_, Some(Seen::Answered(answered))) if answered.code.as_deref() == Some("BlobAlreadyExists") => {
            Ok(Created::Exists)
        }
        (_, Some(Seen::Answered(answered))) => Err(of_answer(answered)),
        _ => Err(meaning(error, seen)),
    }
}

#[async_trait]
impl Storage for ObjectStorage {
    fn capabilities(&self) -> Capabilities {
        self.claims.clone()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if !key.is_record() {
            return Err(self.invalid("a created-once object is the file `data` of its own folder", "create", key));
        }
        let options =
            PutOptions { mode: PutMode::Create, attributes: self.attributes.clone(), ..PutOptions::default() };
        let path = self.path(key);
        let call = self.store.put_opts(&path, PutPayload::from_bytes(bytes), options);
        let (result, seen) = Exchange::watch(call).await;
        let at = time(seen.as_ref());
        let value = match result {
            Ok(_) => Created::Created,
            Err(error) => decided(error, seen).map_err(|error| self.named(error, "create", &path))?,
        };
        Ok(Reply { value, time: at })
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        if key.is_record() {
            return Err(self.invalid("a name that ends in /data is created once: use create", "put", key));
        }
        let (path, len) = (self.path(key), payload.len());
        let send = async {
            let stream = payload.into_stream();
            if len > ONE_REQUEST {
                let options =
                    PutMultipartOptions { attributes: self.attributes.clone(), ..PutMultipartOptions::default() };
                return upload::in_parts(&self.store, &path, len, options, stream).await;
            }
            let bytes = upload::gather(stream)
                .await
                .map_err(|error| Failed::Source(error.with_outcome(Outcome::NotApplied)))?;
            let options = PutOptions { attributes: self.attributes.clone(), ..PutOptions::default() };
            self.store.put_opts(&path, bytes, options).await?;
            Ok(())
        };
        let (result, seen) = Exchange::watch(send).await;
        let at = time(seen.as_ref());
        match result {
            Ok(()) => Ok(Reply { value: (), time: at }),
            Err(Failed::Source(error)) => Err(self.named(error, "put", &path)),
            Err(Failed::Store(error)) => Err(self.named(meaning(error, seen), "put", &path)),
        }
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let path = self.path(key);
        let found = if range.is_empty() {
            self.size_only(&path).await
        } else {
            self.get_part(&path, range, !key.is_record()).await
        };
        let reply = found.map_err(|error| self.named(error, "get", &path))?;
        Ok(reply.map(|object| object.map(|object| self.with_name(object, path))))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let place = list::place(&self.prefix, folder);
        let (result, seen) = Exchange::watch(list::page(&*self.store, self.pages.as_ref(), &place, after)).await;
        let at = time(seen.as_ref());
        match result {
            Ok(value) => Ok(Reply { value, time: at }),
            Err(error) => Err(self.named(meaning(error, seen), "list", &place)),
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let path = self.path(key);
        let (result, seen) = Exchange::watch(self.store.delete(&path)).await;
        let at = time(seen.as_ref());
        match result {
            Ok(()) => Ok(Reply { value: (), time: at }),
            Err(error) if is_missing(&error, seen.as_ref()) => Ok(Reply { value: (), time: at }),
            Err(error) => Err(self.named(meaning(error, seen), "delete", &path)),
        }
    }
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the store prints of itself may hold a secret.
        f.debug_struct("ObjectStorage").field("prefix", &self.prefix.as_ref()).finish_non_exhaustive()
    }
}

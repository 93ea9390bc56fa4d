//! A storage that takes small objects only, and finds no room for one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, Object, ObjectKey, Payload, Reply, Result,
    Storage,
};

/// The least that an adapter may claim.
const LIMIT: u64 = 1 << 20;
/// No upload.
const NONE: u64 = u64::MAX;

/// The storage beneath, with less room. Its clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    inner: Arc<dyn Storage>,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    largest: AtomicU64,
    /// How many uploads go before the one that is refused.
    before: AtomicU64,
}

impl Narrow {
    pub(super) fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner, seen: Arc::new(Seen { largest: AtomicU64::new(0), before: AtomicU64::new(NONE) }) }
    }

    /// The most bytes that it takes.
    pub(super) fn limit(&self) -> u64 {
        self.inner.capabilities().max_object.min(LIMIT)
    }

    /// The most bytes that it was sent as one object.
    pub(super) fn largest(&self) -> u64 {
        self.seen.largest.load(Ordering::SeqCst)
    }

    /// Finds no room for the upload after so many, once.
    pub(super) fn refuse(&self, after: u64) {
        self.seen.before.store(after, Ordering::SeqCst);
    }

    fn take(&self, size: u64) -> Result<()> {
        self.seen.largest.fetch_max(size, Ordering::SeqCst);
        let refused = || Error::new(ErrorKind::Full, "no room for an object of this size (the suite says so)");
        if size <= self.limit() { Ok(()) } else { Err(refused()) }
    }

    fn take_upload(&self) -> Result<()> {
        let less = |before: u64| if before == NONE { None } else { Some(before.checked_sub(1).unwrap_or(NONE)) };
        match self.seen.before.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(0) => Err(Error::new(ErrorKind::Full, "no room (a fault that the suite injected)")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Storage for Narrow {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities().with_max_object(self.limit())
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.inner.adopt(method)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.take(bytes.len() as u64)?;
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.take(payload.len())?;
        self.take_upload()?;
        self.inner.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.inner.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.inner.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.inner.delete(key).await
    }
}

//! A storage at one of whose calls something happens.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};

/// Before the call of this number, counted from 0, something happens, once.
pub(crate) struct AtCall {
    inner: Arc<dyn Storage>,
    call: usize,
    calls: AtomicUsize,
    act: Box<dyn Fn() + Send + Sync>,
}

impl AtCall {
    pub(crate) fn new(inner: impl Storage + 'static, call: usize, act: impl Fn() + Send + Sync + 'static) -> Self {
        Self { inner: Arc::new(inner), call, calls: AtomicUsize::new(0), act: Box::new(act) }
    }

    fn count(&self) -> &dyn Storage {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.call {
            (self.act)();
        }
        &*self.inner
    }
}

impl fmt::Debug for AtCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtCall").field("inner", &self.inner).field("call", &self.call).finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for AtCall {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.count().create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.count().put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.count().get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.count().list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.count().delete(key).await
    }
}

//! A part of a store that one case has to itself: a storage under a prefix.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};

/// A storage whose every name lies under a prefix of at most two parts.
#[derive(Clone, Debug)]
pub(crate) struct Prefixed {
    inner: Arc<dyn Storage>,
    prefix: Folder,
}

impl Prefixed {
    pub(crate) fn new(inner: Arc<dyn Storage>, prefix: Folder) -> Self {
        Self { inner, prefix }
    }

    fn key(&self, key: &ObjectKey) -> Result<ObjectKey> {
        self.prefix.object(key)
    }
}

#[async_trait]
impl Storage for Prefixed {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.inner.adopt(method)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.inner.create(&self.key(key)?, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.inner.put(&self.key(key)?, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.inner.get(&self.key(key)?, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let folder = if folder.as_str().is_empty() { self.prefix.clone() } else { self.prefix.join(folder)? };
        self.inner.list(&folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.inner.delete(&self.key(key)?).await
    }
}

//! A storage whose calls wait for their turn.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};

use super::Pace;
use crate::release::Last;

#[derive(Debug)]
pub(super) struct Paced {
    pub(super) inner: Arc<dyn Storage>,
    /// Behind `inner`: fields are dropped in their order.
    pub(super) _last: Last<dyn Storage>,
    pub(super) pace: Arc<Pace>,
}

#[async_trait]
impl Storage for Paced {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.pace.turn().await;
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.pace.turn().await;
        self.inner.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.pace.turn().await;
        self.inner.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.pace.turn().await;
        self.inner.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.pace.turn().await;
        self.inner.delete(key).await
    }
}

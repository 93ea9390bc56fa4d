//! A storage that forwards every call, but for what a test bends.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Runtime as _, Storage,
};

use super::sim::Sim;

/// What is different about a storage: by itself nothing.
#[async_trait]
pub trait Bend: fmt::Debug + Send + Sync {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities()
    }

    /// Comes before every call.
    async fn before(&self) {}

    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        inner.create(key, bytes).await
    }

    async fn put(&self, inner: &dyn Storage, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        inner.put(key, payload).await
    }

    async fn get(&self, inner: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        inner.get(key, range).await
    }

    async fn list(&self, inner: &dyn Storage, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        inner.list(folder, after).await
    }

    async fn delete(&self, inner: &dyn Storage, key: &ObjectKey) -> Result<Reply<()>> {
        inner.delete(key).await
    }

    fn adopt(&self, inner: &dyn Storage, method: Option<&str>) -> bool {
        inner.adopt(method)
    }
}

/// A storage behind a [`Bend`].
#[derive(Debug)]
pub struct Forward<S, B> {
    inner: S,
    bend: B,
}

impl<S: Storage, B: Bend> Forward<S, B> {
    pub fn new(inner: S, bend: B) -> Self {
        Self { inner, bend }
    }
}

#[async_trait]
impl<S: Storage, B: Bend> Storage for Forward<S, B> {
    fn capabilities(&self) -> Capabilities {
        self.bend.capabilities(&self.inner)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.bend.before().await;
        self.bend.create(&self.inner, key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.bend.before().await;
        self.bend.put(&self.inner, key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.bend.before().await;
        self.bend.get(&self.inner, key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.bend.before().await;
        self.bend.list(&self.inner, folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.bend.before().await;
        self.bend.delete(&self.inner, key).await
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.bend.adopt(&self.inner, method)
    }
}

/// Every call takes a millisecond of virtual time, and calls side by side take it together: what passes is the number of round
/// trips in sequence. A pause of the engine would show as many.
#[derive(Debug)]
pub struct RoundTrips {
    pub sim: Sim,
    /// How many requests the storage says it takes side by side.
    pub parallelism: usize,
}

#[async_trait]
impl Bend for RoundTrips {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        inner.capabilities().with_parallelism(self.parallelism)
    }

    async fn before(&self) {
        self.sim.sleep(Duration::from_millis(1)).await;
    }
}

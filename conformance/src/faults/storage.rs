//! A storage whose calls fail by plan.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};

use super::plan::Plan;
use super::{Fault, lost};

/// The most bytes of an object that is read to be cut.
const MOST: u64 = 1 << 30;

/// A storage whose calls meet the faults of a [`Plan`].
#[derive(Clone)]
pub struct FaultStorage {
    inner: Arc<dyn Storage>,
    plan: Plan,
}

impl FaultStorage {
    /// The storage `inner`, as the client of this plan meets it.
    pub fn new(inner: Arc<dyn Storage>, plan: &Plan) -> Self {
        Self { inner, plan: plan.clone() }
    }
}

impl fmt::Debug for FaultStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultStorage").field(&self.inner).finish()
    }
}

#[async_trait]
impl Storage for FaultStorage {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.inner.adopt(method)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let fault = self.plan.begin("create", key.to_string()).await;
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        let send = move || -> BoxFuture<'static, _> {
            let (inner, key, bytes) = (Arc::clone(&inner), key.clone(), bytes.clone());
            async move { inner.create(&key, bytes).await }.boxed()
        };
        self.plan.deliver(fault, send).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let Some(fault) = self.plan.begin("put", key.to_string()).await else {
            return self.plan.undisturbed(self.inner.put(key, payload)).await;
        };
        if fault == Fault::Cut {
            return self.inner.put(key, cut_payload(payload).await?).await;
        }
        let parts: Vec<Bytes> = payload.into_stream().try_collect().await?;
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        let send = move || -> BoxFuture<'static, _> {
            let (inner, key, payload) = (Arc::clone(&inner), key.clone(), Payload::from_parts(parts.clone()));
            async move { inner.put(&key, payload).await }.boxed()
        };
        self.plan.deliver(Some(fault), send).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let fault = self.plan.begin("get", key.to_string()).await;
        match fault {
            Some(Fault::Stale) => return Ok(Reply::new(None)),
            Some(Fault::Cut) => return cut_object(self.inner.get(key, range).await?).await,
            _ => {}
        }
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        let send = move || -> BoxFuture<'static, _> {
            let (inner, key) = (Arc::clone(&inner), key.clone());
            async move { inner.get(&key, range).await }.boxed()
        };
        self.plan.deliver(fault, send).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let fault = self.plan.begin("list", folder.to_string()).await;
        let page = format!("{folder} {}", after.unwrap_or_default());
        if fault == Some(Fault::Stale) {
            return Ok(Reply::new(self.plan.listed(&page)));
        }
        let (inner, folder, after) = (Arc::clone(&self.inner), folder.clone(), after.map(str::to_owned));
        let send = move || -> BoxFuture<'static, _> {
            let (inner, folder, after) = (Arc::clone(&inner), folder.clone(), after.clone());
            async move { inner.list(&folder, after.as_deref()).await }.boxed()
        };
        let reply = self.plan.deliver(fault, send).await?;
        self.plan.remember(page, reply.value.clone());
        Ok(reply)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let fault = self.plan.begin("delete", key.to_string()).await;
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        let send = move || -> BoxFuture<'static, _> {
            let (inner, key) = (Arc::clone(&inner), key.clone());
            async move { inner.delete(&key).await }.boxed()
        };
        self.plan.deliver(fault, send).await
    }
}

/// The first half of a payload, then a broken connection.
async fn cut_payload(payload: Payload) -> Result<Payload> {
    let len = payload.len();
    let all: Vec<Bytes> = payload.into_stream().try_collect().await?;
    let all = Bytes::from(all.concat());
    let half = all.slice(..all.len() / 2);
    Ok(Payload::new(len, stream::iter([Ok(half), Err(lost())]).boxed()))
}

/// The first half of an object, then a broken connection.
async fn cut_object(reply: Reply<Option<Object>>) -> Result<Reply<Option<Object>>> {
    let Some(object) = reply.value else {
        return Err(lost());
    };
    let (size, len) = (object.size(), object.len());
    let all = object.read(MOST).await?;
    let half = all.slice(..all.len() / 2);
    let cut = Object::new(size, len, stream::iter([Ok(half), Err(lost())]).boxed());
    Ok(Reply { value: Some(cut), time: reply.time })
}

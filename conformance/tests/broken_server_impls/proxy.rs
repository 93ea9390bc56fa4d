//! A storage that hides what is done to a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Result,
    Storage,
};

/// A proxy that keeps every answer for ever, deletions or not: what is done to a store behind it is not seen.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    origin: MemoryStorage,
    kept: Arc<Mutex<BTreeMap<ObjectKey, Bytes>>>,
}

impl Proxy {
    fn keep(&self, key: &ObjectKey, bytes: &Bytes) -> Bytes {
        self.kept.lock().unwrap().entry(key.clone()).or_insert_with(|| bytes.clone()).clone()
    }
}

#[async_trait]
impl Storage for Proxy {
    fn capabilities(&self) -> Capabilities {
        self.origin.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let reply = self.origin.create(key, bytes.clone()).await?;
        if reply.value == Created::Created {
            self.keep(key, &bytes);
        }
        Ok(reply)
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let parts: Vec<Bytes> = payload.into_stream().try_collect().await?;
        let bytes = Bytes::from(parts.concat());
        self.keep(key, &bytes);
        self.origin.put(key, Payload::from(bytes)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let kept = self.kept.lock().unwrap().get(key).cloned();
        match kept {
            Some(bytes) if range == ByteRange::ALL => {
                let len = bytes.len() as u64;
                Ok(Reply::new(Some(Object::new(len, len, stream::iter([Ok(bytes)]).boxed()))))
            }
            _ => self.origin.get(key, range).await,
        }
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.origin.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.origin.delete(key).await
    }
}

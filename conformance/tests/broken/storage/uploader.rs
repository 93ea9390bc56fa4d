//! Writes that are seen too early, too late or never.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::TryStreamExt as _;
use longshore_core::{Created, Folder, Listing, MemoryStorage, ObjectKey, Payload, Reply, Result, Storage as _};

use crate::broken::wrong::{Wrong, collect, overwrite, pause, reply};

/// Lists a name while its bytes come.
#[derive(Debug)]
pub(super) struct Listed(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Listed {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Listed {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.1.lock().unwrap().insert(key.clone());
        let done = self.0.put(key, payload).await;
        self.1.lock().unwrap().remove(key);
        done
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let coming = self.1.lock().unwrap().clone();
        let inside = coming.into_iter().filter(|key| key.folder().as_ref() == Some(folder));
        let names = inside.map(|key| key.name().to_owned());
        page.value.names.extend(names.filter(|name| after.is_none_or(|after| name.as_str() > after)));
        page.value.names.sort();
        page.value.names.dedup();
        Ok(page)
    }
}

/// Swallows the error of a write now and then.
#[derive(Debug)]
pub(super) struct Forgetful(MemoryStorage, AtomicU64);

impl Forgetful {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, AtomicU64::new(0))
    }

    fn forgets(&self) -> bool {
        self.1.fetch_add(1, Ordering::SeqCst) % 7 == 6
    }
}

#[async_trait]
impl Wrong for Forgetful {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if self.forgets() { reply(&self.0, Created::Created).await } else { self.0.create(key, bytes).await }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let bytes = collect(payload).await?;
        if self.forgets() { reply(&self.0, ()).await } else { overwrite(&self.0, key, bytes).await }
    }
}

/// Stores what was put when the next write comes.
#[derive(Debug)]
pub(super) struct Lazy(MemoryStorage, Mutex<Option<(ObjectKey, Bytes)>>);

impl Lazy {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Lazy {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let bytes = collect(payload).await?;
        let before = self.1.lock().unwrap().replace((key.clone(), bytes));
        if let Some((key, bytes)) = before {
            overwrite(&self.0, &key, bytes).await?;
        }
        reply(&self.0, ()).await
    }
}

/// Writes to a temporary file that is called after the object only, and renames it.
#[derive(Debug)]
pub(super) struct Shared(MemoryStorage, Mutex<BTreeMap<ObjectKey, BytesMut>>);

impl Shared {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Shared {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.1.lock().unwrap().insert(key.clone(), BytesMut::new());
        let mut stream = payload.into_stream();
        while let Some(piece) = stream.try_next().await? {
            self.1.lock().unwrap().entry(key.clone()).or_default().extend_from_slice(&piece);
            pause().await;
        }
        let renamed = self.1.lock().unwrap().remove(key);
        match renamed {
            Some(bytes) => overwrite(&self.0, key, bytes.freeze()).await,
            None => reply(&self.0, ()).await,
        }
    }
}

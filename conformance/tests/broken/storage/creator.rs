//! Creates that go wrong by what a server or a client keeps in mind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{Created, Folder, Listing, MemoryStorage, ObjectKey, Reply, Result, Storage as _};

use crate::broken::wrong::{Wrong, overwrite, pause, reply, stored};

/// Answers `Exists` now and then, as a server that is busy with the name.
#[derive(Debug)]
pub(super) struct Wary(MemoryStorage, AtomicU64);

impl Wary {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, AtomicU64::new(0))
    }
}

#[async_trait]
impl Wrong for Wary {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if self.1.fetch_add(1, Ordering::SeqCst) % 10 == 9 {
            return reply(&self.0, Created::Exists).await;
        }
        self.0.create(key, bytes).await
    }
}

/// Takes "exists" for the answer to its own first try, if it made one.
#[derive(Debug)]
pub(super) struct Retrying(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Retrying {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Retrying {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let mut answer = self.0.create(key, bytes).await?;
        let mut mine = self.1.lock().unwrap();
        if answer.value == Created::Created {
            mine.insert(key.clone());
        } else if mine.contains(key) {
            answer.value = Created::Created;
        }
        Ok(answer)
    }
}

#[derive(Debug)]
pub(super) struct Locking(MemoryStorage, tokio::sync::Mutex<()>);

impl Locking {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, tokio::sync::Mutex::new(()))
    }
}

#[async_trait]
impl Wrong for Locking {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let _one = self.1.lock().await;
        if stored(&self.0, key).await?.is_some() {
            return reply(&self.0, Created::Exists).await;
        }
        pause().await;
        Ok(overwrite(&self.0, key, bytes).await?.map(|()| Created::Created))
    }
}

/// Decides by a list of names, which is made anew after a deletion.
#[derive(Debug)]
pub(super) struct Indexed(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Indexed {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Indexed {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if !self.1.lock().unwrap().insert(key.clone()) {
            return reply(&self.0, Created::Exists).await;
        }
        Ok(overwrite(&self.0, key, bytes).await?.map(|()| Created::Created))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.1.lock().unwrap().clear();
        self.0.delete(key).await
    }
}

/// The folder of a record is there before the record is.
#[derive(Debug)]
pub(super) struct Reserving(MemoryStorage, Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Reserving {
    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Reserving {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let folder = key.folder().unwrap();
        let (above, name) = folder.as_str().rsplit_once('/').unwrap();
        self.1.lock().unwrap().entry(above.to_owned()).or_default().insert(name.to_owned());
        pause().await;
        let answer = self.0.create(key, bytes).await;
        self.1.lock().unwrap().get_mut(above).unwrap().remove(name);
        answer
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let reserved = self.1.lock().unwrap().get(folder.as_str()).cloned().unwrap_or_default();
        page.value.names.extend(reserved.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after)));
        page.value.names.sort();
        page.value.names.dedup();
        Ok(page)
    }
}

/// What goes wrong where several create one name at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Crowd {
    /// All are told that somebody else won.
    NobodyWins,
    /// One is told that it won, and another's bytes stay.
    AnotherIsKept,
}

/// Right towards one creator at a time.
#[derive(Debug)]
pub(super) struct Crowded(MemoryStorage, Crowd, Mutex<BTreeMap<ObjectKey, usize>>);

impl Crowded {
    pub(super) fn new(right: MemoryStorage, crowd: Crowd) -> Self {
        Self(right, crowd, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Crowded {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        // Who comes when somebody has won already is told so.
        let raced = stored(&self.0, key).await?.is_none();
        *self.2.lock().unwrap().entry(key.clone()).or_default() += 1;
        pause().await;
        let alone = !raced || self.2.lock().unwrap().get(key) == Some(&1);
        let mut answer = self.0.create(key, bytes.clone()).await?;
        match self.1 {
            Crowd::NobodyWins if !alone => answer.value = Created::Exists,
            Crowd::AnotherIsKept if answer.value == Created::Exists && !alone => {
                overwrite(&self.0, key, bytes).await?;
            }
            _ => {}
        }
        pause().await;
        *self.2.lock().unwrap().entry(key.clone()).or_default() -= 1;
        Ok(answer)
    }
}

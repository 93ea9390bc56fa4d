//! Clients and servers that answer from the past.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Created, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Result, Storage as _,
};

use super::broken;
use super::hooked::cut;
use crate::broken::runs::Broken;
use crate::broken::wrong::{Wrong, client, collect, object, overwrite, reply, server, stored};

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "that nothing was there is remembered",
            || client(NothingThere::new),
            &["storage::visible::to_a_client_that_looked_before"],
        ),
        broken(
            "objects are read from a cache that deletions miss",
            || client(Cached::new),
            &["storage::delete::no_later_read_sees_it"],
        ),
        broken(
            "ranges are read from a cache that deletions miss",
            || client(CachedRanges::new),
            &["storage::delete::no_later_read_sees_it"],
        ),
        broken(
            "listings are read from a cache",
            || client(CachedList::new),
            &["storage::visible::in_a_listing_read_before", "storage::list::forgets_what_was_deleted"],
        ),
        broken(
            "another node learns of a write when the next one comes",
            || client(Node::new),
            &["storage::visible::to_a_client_that_looked_before", "storage::visible::to_a_client_that_comes_later"],
        ),
        broken("deleted names are listed", || server(Ghosts::new), &["storage::list::forgets_what_was_deleted"]),
    ]
}

#[derive(Debug)]
struct NothingThere(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl NothingThere {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for NothingThere {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        if self.1.lock().unwrap().contains(key) {
            return reply(&self.0, None).await;
        }
        let found = self.0.get(key, range).await?;
        if found.value.is_none() {
            self.1.lock().unwrap().insert(key.clone());
        }
        Ok(found)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.1.lock().unwrap().remove(key);
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.1.lock().unwrap().remove(key);
        self.0.put(key, payload).await
    }
}

#[derive(Debug)]
struct Cached(MemoryStorage, Mutex<BTreeMap<ObjectKey, Bytes>>);

impl Cached {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Cached {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let cached = self.1.lock().unwrap().get(key).cloned();
        let Some(bytes) = (if cached.is_some() { cached } else { stored(&self.0, key).await? }) else {
            return reply(&self.0, None).await;
        };
        self.1.lock().unwrap().insert(key.clone(), bytes.clone());
        reply(&self.0, Some(object(bytes.len() as u64, cut(&bytes, range)))).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.1.lock().unwrap().remove(key);
        self.0.delete(key).await
    }
}

/// As [`Cached`], of reads of a range alone.
#[derive(Debug)]
struct CachedRanges(MemoryStorage, Mutex<BTreeMap<Span, (u64, Bytes)>>);

/// An object, and the start and the end of the range.
type Span = (ObjectKey, u64, u64);

impl CachedRanges {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for CachedRanges {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        if range.is_all() {
            return self.0.get(key, range).await;
        }
        // Within an object of any length, it is another range for another start or end.
        let within = range.within(u64::MAX);
        let at = (key.clone(), within.start, within.end);
        let cached = self.1.lock().unwrap().get(&at).cloned();
        let found = match cached {
            Some(found) => Some(found),
            None => stored(&self.0, key).await?.map(|whole| (whole.len() as u64, cut(&whole, range))),
        };
        if let Some(found) = &found {
            self.1.lock().unwrap().insert(at, found.clone());
        }
        reply(&self.0, found.map(|(size, bytes)| object(size, bytes))).await
    }
}

/// Each client keeps a listing until it writes itself.
#[derive(Debug)]
struct CachedList(MemoryStorage, Mutex<BTreeMap<Folder, Vec<String>>>);

impl CachedList {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for CachedList {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.1.lock().unwrap().clear();
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.1.lock().unwrap().clear();
        self.0.put(key, payload).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.1.lock().unwrap().clear();
        self.0.delete(key).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let fresh = self.0.list(folder, None).await?;
        let mut cache = self.1.lock().unwrap();
        let names = cache.entry(folder.clone()).or_insert_with(|| fresh.value.names.clone()).clone();
        let names = names.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after)).collect();
        Ok(fresh.map(|_| Listing { names, more: false }))
    }
}

/// The folders of records stay in the listing.
#[derive(Debug)]
struct Ghosts(MemoryStorage, Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Ghosts {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Ghosts {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let folder = key.folder().unwrap();
        let (above, name) = folder.as_str().rsplit_once('/').unwrap();
        self.1.lock().unwrap().entry(above.to_owned()).or_default().insert(name.to_owned());
        self.0.create(key, bytes).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let seen = self.1.lock().unwrap().get(folder.as_str()).cloned().unwrap_or_default();
        page.value.names.extend(seen.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after)));
        page.value.names.sort();
        page.value.names.dedup();
        Ok(page)
    }
}

/// Shows what it has put itself; its next put hands the one before on to the others.
#[derive(Debug)]
struct Node(MemoryStorage, Mutex<Option<(ObjectKey, Bytes)>>);

impl Node {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }

    fn held(&self, key: &ObjectKey) -> Option<Bytes> {
        self.1.lock().unwrap().as_ref().filter(|(held, _)| held == key).map(|(_, bytes)| bytes.clone())
    }
}

#[async_trait]
impl Wrong for Node {
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

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        match self.held(key) {
            Some(bytes) => reply(&self.0, Some(object(bytes.len() as u64, cut(&bytes, range)))).await,
            None => self.0.get(key, range).await,
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.1.lock().unwrap().take_if(|(held, _)| held == key);
        self.0.delete(key).await
    }
}

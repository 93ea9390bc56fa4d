//! The readable reference: a storage in memory, with a clock that a test can set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, ServerTime, Storage,
};
use crate::error::{Error, ErrorKind, Result};

/// A storage in memory. Its clones share their objects.
///
/// It carries no time of its own: [`set_time`](Self::set_time) gives its replies one.
///
/// ```
/// use longshore_core::{MemoryStorage, ObjectKey, ServerTime, Storage};
///
/// # futures::executor::block_on(async {
/// let storage = MemoryStorage::new();
/// storage.set_time(Some(ServerTime::from_millis(5)));
/// let reply = storage.put(&ObjectKey::new("a/b")?, "body".into()).await?;
/// assert_eq!(reply.time, Some(ServerTime::from_millis(5)));
/// assert_eq!(storage.objects().len(), 1);
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStorage {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    objects: BTreeMap<ObjectKey, Bytes>,
    time: Option<ServerTime>,
}

impl MemoryStorage {
    /// An empty storage whose replies carry no time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time that replies carry from now on.
    pub fn set_time(&self, time: Option<ServerTime>) {
        self.lock().time = time;
    }

    /// A copy of all objects: a backup, or something to look at.
    pub fn objects(&self) -> BTreeMap<ObjectKey, Bytes> {
        self.lock().objects.clone()
    }

    /// Replaces all objects: what a restored backup or a vandal does to a server.
    pub fn set_objects(&self, objects: BTreeMap<ObjectKey, Bytes>) {
        self.lock().objects = objects;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // No code panics while it holds the lock, and every update is one statement.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply<T>(&self, f: impl FnOnce(&mut BTreeMap<ObjectKey, Bytes>) -> T) -> Reply<T> {
        let mut shared = self.lock();
        Reply { value: f(&mut shared.objects), time: shared.time }
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").field("objects", &self.lock().objects.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_read_time(self.lock().time.is_some())
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        Ok(self.reply(|objects| {
            if objects.contains_key(key) {
                return Created::Exists;
            }
            objects.insert(key.clone(), bytes);
            Created::Created
        }))
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let mut bytes = BytesMut::new();
        let mut stream = payload.into_stream();
        while let Some(part) = stream.try_next().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(self.reply(|objects| {
            objects.insert(key.clone(), bytes.freeze());
        }))
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let reply = self.reply(|objects| objects.get(key).cloned());
        let time = reply.time;
        let value = reply.value.map(|whole| slice(&whole, range)).transpose()?;
        Ok(Reply { value, time })
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let inside = if folder.as_str().is_empty() { String::new() } else { format!("{folder}/") };
        Ok(self.reply(|objects| {
            let names: BTreeSet<&str> = objects
                .keys()
                .filter_map(|key| key.as_str().strip_prefix(&inside))
                .filter_map(|rest| rest.split('/').next())
                .filter(|name| after.is_none_or(|after| *name > after))
                .collect();
            Listing { names: names.into_iter().map(str::to_owned).collect(), more: false }
        }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        Ok(self.reply(|objects| {
            objects.remove(key);
        }))
    }
}

fn slice(whole: &Bytes, range: ByteRange) -> Result<Object> {
    let within = range.within(whole.len() as u64);
    let too_large = |_| Error::new(ErrorKind::Internal, "an object in memory exceeds the address space");
    let start = usize::try_from(within.start).map_err(too_large)?;
    let end = usize::try_from(within.end).map_err(too_large)?;
    let part = whole.slice(start..end);
    Ok(Object::new(whole.len() as u64, part.len() as u64, stream::iter([Ok(part)]).boxed()))
}

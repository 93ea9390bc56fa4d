//! A storage that is wrong in what it makes of names, bytes or listings: no state, no waiting.

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Error, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Result,
    Storage as _,
};

use crate::broken::wrong::{Wrong, collect, object, stored};

/// What it finds: the size it gives, and the bytes of the range.
pub(crate) type Found = Option<(u64, Bytes)>;

/// One page of a listing, and whether more follow.
pub(crate) type Page = (Vec<String>, bool);

/// Each of these is right by default.
#[derive(Clone)]
pub(crate) struct Hooked {
    /// A part's name, as it is kept.
    pub(crate) part: fn(&str) -> String,
    /// Whether a name is refused.
    pub(crate) refused: fn(&ObjectKey) -> Option<Error>,
    /// What is kept of the bytes; none if nothing is.
    pub(crate) kept: fn(Bytes) -> Option<Bytes>,
    /// What a read finds where these bytes are stored.
    pub(crate) found: fn(Option<Bytes>, ByteRange) -> Result<Found>,
    /// One page of these names.
    pub(crate) page: fn(Vec<String>, Option<&str>) -> Result<Page>,
    /// What it says of itself.
    pub(crate) claims: fn(Capabilities) -> Capabilities,
}

impl Hooked {
    pub(crate) const RIGHT: Self = Self {
        part: str::to_owned,
        refused: |_| None,
        kept: Some,
        found: |stored, range| Ok(stored.map(|bytes| (bytes.len() as u64, cut(&bytes, range)))),
        page: |names, after| Ok((later(names, after), false)),
        claims: |claims| claims,
    };

    pub(crate) fn over(self, memory: MemoryStorage) -> impl Wrong {
        Over { hooks: self, memory }
    }
}

/// The range's bytes.
pub(crate) fn cut(bytes: &Bytes, range: ByteRange) -> Bytes {
    let within = range.within(bytes.len() as u64);
    bytes.slice(usize::try_from(within.start).unwrap()..usize::try_from(within.end).unwrap())
}

/// The names after this one.
pub(crate) fn later(mut names: Vec<String>, after: Option<&str>) -> Vec<String> {
    names.retain(|name| after.is_none_or(|after| name.as_str() > after));
    names
}

struct Over {
    hooks: Hooked,
    memory: MemoryStorage,
}

impl std::fmt::Debug for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Over")
    }
}

impl Over {
    /// The name it is kept under. The suite's own prefix stays.
    fn name(&self, name: &str) -> Result<ObjectKey> {
        let parts = name.split('/').enumerate();
        let kept: Vec<_> =
            parts.map(|(at, part)| if at < 2 { part.to_owned() } else { (self.hooks.part)(part) }).collect();
        ObjectKey::new(kept.join("/"))
    }

    fn key(&self, key: &ObjectKey) -> Result<ObjectKey> {
        (self.hooks.refused)(key).map_or_else(|| self.name(key.as_str()), Err)
    }
}

#[async_trait]
impl Wrong for Over {
    fn right(&self) -> &MemoryStorage {
        &self.memory
    }

    fn capabilities(&self) -> Capabilities {
        (self.hooks.claims)(self.memory.capabilities())
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        match (self.hooks.kept)(bytes) {
            Some(bytes) => self.memory.create(&self.key(key)?, bytes).await,
            None => Ok(Reply::new(Created::Created)),
        }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        match (self.hooks.kept)(collect(payload).await?) {
            Some(bytes) => self.memory.put(&self.key(key)?, bytes.into()).await,
            None => Ok(Reply::new(())),
        }
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let key = self.name(key.as_str())?;
        let found = (self.hooks.found)(stored(&self.memory, &key).await?, range)?;
        let reply = self.memory.get(&key, range).await?;
        Ok(reply.map(|_| found.map(|(size, bytes)| object(size, bytes))))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let folder = if folder.as_str().is_empty() {
            folder.clone()
        } else {
            Folder::new(self.name(folder.as_str())?.as_str())?
        };
        let reply = self.memory.list(&folder, None).await?;
        let (names, more) = (self.hooks.page)(reply.value.names.clone(), after)?;
        Ok(reply.map(|_| Listing { names, more }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.memory.delete(&self.name(key.as_str())?).await
    }
}

/// A harness over hooks: those that differ from the right ones.
macro_rules! hooked {
    ($($hook:ident: $value:expr),+) => {
        || crate::broken::wrong::server(|memory| {
            crate::broken::storage::hooked::Hooked { $($hook: $value,)+ ..crate::broken::storage::hooked::Hooked::RIGHT }.over(memory)
        })
    };
}
pub(super) use hooked;

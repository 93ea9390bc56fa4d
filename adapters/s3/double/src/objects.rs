//! What is stored, and how a write is decided.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// How long a creator that looked waits for another one to do the same.
const TOGETHER: Duration = Duration::from_millis(100);

/// What the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It does as AWS does.
    Sound,
    /// It looks whether the key is free, and writes later: when another creator has looked as well, or after a while if none comes. The
    /// status codes are right, but of creators that race several win.
    RacesCreates,
    /// It does not know `If-None-Match`: each write overwrites, and is answered with 200.
    IgnoresConditions,
    /// Of a body that breaks off it keeps what has come.
    KeepsHalf,
}

/// How a write was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    Written,
    Exists,
}

/// The objects of the bucket, and the parts of uploads that are not complete.
#[derive(Debug)]
pub(crate) struct Objects {
    kind: Kind,
    stored: Mutex<BTreeMap<String, Bytes>>,
    /// How many creators of a key have found it free, and not written yet.
    looked: watch::Sender<BTreeMap<String, usize>>,
    uploads: Mutex<Uploads>,
    trouble: Mutex<Trouble>,
    /// Bytes of all bodies that have come.
    received: AtomicU64,
}

/// What a test makes go wrong from now on.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// How many requests are answered before the bucket is gone; none if it stays.
    pub(crate) bucket_left: Option<u64>,
    /// The status and the code with which each write is refused.
    pub(crate) writes: Option<(u16, String)>,
    /// The same, with which each request is refused.
    pub(crate) all: Option<(u16, String)>,
    /// Of the parts of uploads nothing is kept.
    pub(crate) forgets_parts: bool,
}

#[derive(Debug, Default)]
struct Uploads {
    last: u64,
    parts: BTreeMap<u64, BTreeMap<u32, Bytes>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects {
    pub(crate) fn new(kind: Kind) -> Self {
        let looked = watch::Sender::default();
        let (uploads, trouble) = Default::default();
        Self { kind, stored: Mutex::default(), looked, uploads, trouble, received: AtomicU64::new(0) }
    }

    pub(crate) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        lock(&self.trouble)
    }

    /// Counts a request. Says whether the bucket is there for it.
    pub(crate) fn has_bucket(&self) -> bool {
        let mut trouble = self.trouble();
        match &mut trouble.bucket_left {
            None => true,
            Some(0) => {
                lock(&self.stored).clear();
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    pub(crate) fn store(&self, key: &str, bytes: Bytes) {
        lock(&self.stored).insert(key.to_owned(), bytes);
    }

    pub(crate) fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    pub(crate) fn keeps_half(&self) -> bool {
        self.kind == Kind::KeepsHalf
    }

    pub(crate) async fn put(&self, key: String, bytes: Bytes, only_new: bool) -> Decided {
        let only_new = only_new && self.kind != Kind::IgnoresConditions;
        if only_new && self.kind == Kind::RacesCreates {
            return self.look_and_write_later(key, bytes).await;
        }
        let mut stored = lock(&self.stored);
        if only_new && stored.contains_key(&key) {
            return Decided::Exists;
        }
        stored.insert(key, bytes);
        Decided::Written
    }

    async fn look_and_write_later(&self, key: String, bytes: Bytes) -> Decided {
        if lock(&self.stored).contains_key(&key) {
            return Decided::Exists;
        }
        self.looked.send_modify(|looked| *looked.entry(key.clone()).or_default() += 1);
        let mut looking = self.looked.subscribe();
        let met = |looked: &BTreeMap<String, usize>| {
            looked.get(&key).is_some_and(|creators| *creators > 1) || lock(&self.stored).contains_key(&key)
        };
        drop(tokio::time::timeout(TOGETHER, looking.wait_for(met)).await);
        lock(&self.stored).insert(key.clone(), bytes);
        self.looked.send_modify(|looked| {
            looked.remove(&key);
        });
        Decided::Written
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        lock(&self.stored).get(key).cloned()
    }

    pub(crate) fn delete(&self, key: &str) {
        lock(&self.stored).remove(key);
    }

    /// The keys that begin with the prefix and come after `after`, ascending, until `enough` says so.
    pub(crate) fn keys(&self, prefix: &str, after: &str, mut each: impl FnMut(&str, usize) -> bool) {
        let stored = lock(&self.stored);
        let from = prefix.max(after).to_owned();
        for (key, bytes) in stored.range(from..).skip_while(|(key, _)| key.as_str() <= after) {
            if !key.starts_with(prefix) || !each(key, bytes.len()) {
                return;
            }
        }
    }

    pub(crate) fn begin_upload(&self) -> u64 {
        let mut uploads = lock(&self.uploads);
        uploads.last += 1;
        let id = uploads.last;
        uploads.parts.insert(id, BTreeMap::new());
        id
    }

    pub(crate) fn open_uploads(&self) -> usize {
        lock(&self.uploads).parts.len()
    }

    pub(crate) fn add_part(&self, id: u64, number: u32, bytes: Bytes) -> bool {
        let kept = if self.trouble().forgets_parts { Bytes::new() } else { bytes };
        lock(&self.uploads).parts.get_mut(&id).map(|parts| parts.insert(number, kept)).is_some()
    }

    /// The parts of an upload, joined; the upload is gone.
    pub(crate) fn end_upload(&self, id: u64) -> Option<Bytes> {
        let parts = lock(&self.uploads).parts.remove(&id)?;
        Some(parts.into_values().collect::<Vec<_>>().concat().into())
    }
}

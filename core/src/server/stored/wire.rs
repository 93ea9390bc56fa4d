//! The way to the storage: counted, traced, and retried in one place.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tracing::{Instrument as _, debug, debug_span};

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Runtime, jittered};
use crate::sabotage::{Mistake, on};
use crate::server::Traffic;
use crate::storage::{ByteRange, Capabilities, Created, Flaw, Folder, Listing, ObjectKey, Payload, Reply, Storage};

/// How often a request is sent at the most.
const TRIES: u32 = 5;
/// The pause after the first failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// The longest that a server may ask us to wait before we give its error to the caller instead.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// Pages of one listing at the most, of whatever size: a listing that always has another name is an error, not a hang.
const MOST_PAGES: usize = 100_000;

pub(super) struct Wire {
    storage: Arc<dyn Storage>,
    runtime: Arc<dyn Runtime>,
    requests: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    /// The store was read, or made: the storage creates by its method.
    settled: AtomicBool,
}

impl Wire {
    pub(super) fn new(storage: Arc<dyn Storage>, runtime: Arc<dyn Runtime>) -> Self {
        let zero = || AtomicU64::new(0);
        let settled = AtomicBool::new(false);
        Self { storage, runtime, requests: zero(), bytes_up: zero(), bytes_down: zero(), settled }
    }

    pub(super) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.storage.capabilities()
    }

    /// Has the storage create by this method from now on, or by its usual one, if it can.
    pub(super) fn adopt(&self, method: Option<&str>) -> bool {
        self.storage.adopt(method)
    }

    pub(super) fn settled(&self) {
        self.settled.store(true, Ordering::Release);
    }

    /// Whether there is no doubt about the method by which the storage creates.
    pub(super) fn is_settled(&self) -> bool {
        let claims = self.capabilities();
        self.settled.load(Ordering::Acquire) || (claims.method.is_none() && claims.fallback.is_none())
    }

    pub(super) fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { requests: read(&self.requests), bytes_up: read(&self.bytes_up), bytes_down: read(&self.bytes_down) }
    }

    /// One `create`, sent once.
    pub(super) async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let size = bytes.len();
        self.check_size(size as u64).map_err(|error| error.with_operation("create").with_key(key))?;
        self.counted("create", key, size, self.storage.create(key, bytes)).await
    }

    /// Stores an object with a unique name.
    pub(super) async fn put(&self, key: &ObjectKey, parts: &[Bytes]) -> Result<Reply<()>> {
        let size: usize = parts.iter().map(Bytes::len).sum();
        self.check_size(size as u64).map_err(|error| error.with_operation("put").with_key(key))?;
        let send = || self.counted("put", key, size, self.storage.put(key, Payload::from_parts(parts.to_vec())));
        self.retried(send).await
    }

    /// Reads a whole object of at most `limit` bytes.
    pub(super) async fn get(&self, key: &ObjectKey, limit: u64) -> Result<Reply<Option<Bytes>>> {
        self.retried(|| self.counted("get", key, 0, self.read(key, limit))).await
    }

    async fn read(&self, key: &ObjectKey, limit: u64) -> Result<Reply<Option<Bytes>>> {
        let Reply { value, time } = self.storage.get(key, ByteRange::ALL).await?;
        let bytes = match value {
            Some(object) => Some(object.read(limit).await.map_err(broken_off)?),
            None => None,
        };
        self.bytes_down.fetch_add(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64), Ordering::Relaxed);
        Ok(Reply { value: bytes, time })
    }

    pub(super) async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let reply = self.retried(|| self.counted("list", folder, 0, self.storage.list(folder, after))).await?;
        let moves_on = reply.value.names.last().is_some_and(|last| after.is_none_or(|after| last.as_str() > after));
        if reply.value.more && !moves_on {
            return Err(endless(folder));
        }
        Ok(reply)
    }

    /// Shows all names of a folder, page by page, until one of the pages gives what is looked for.
    pub(super) async fn walk<T>(
        &self,
        folder: &Folder,
        mut look: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut after = None::<String>;
        for _ in 0..MOST_PAGES {
            let page = self.list(folder, after.as_deref()).await?.value;
            if let Some(found) = look(&page.names) {
                return Ok(Some(found));
            }
            match page.names.last() {
                Some(last) if page.more => after = Some(last.clone()),
                _ => return Ok(None),
            }
        }
        Err(endless(folder))
    }

    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.retried(|| self.counted("delete", key, 0, self.storage.delete(key))).await
    }

    /// `Unsupported` if the storage takes no object of this size: it is not sent.
    pub(super) fn check_size(&self, size: u64) -> Result<()> {
        let limit = self.capabilities().max_object;
        if size <= limit || on(Mistake::OversizeSent) {
            return Ok(());
        }
        let what = format!(
            "it has {size} bytes and the store takes at most {limit} as one object; use a store that takes larger ones: \
             nothing was sent"
        );
        Err(Error::new(ErrorKind::Unsupported, what))
    }

    async fn counted<T>(
        &self,
        operation: &'static str,
        key: &(impl fmt::Display + Sync),
        size: usize,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes_up.fetch_add(size as u64, Ordering::Relaxed);
        let span = debug_span!("storage", operation, %key, size);
        let result = request.instrument(span).await;
        result.map_err(|error| error.with_operation(operation).with_key(key))
    }

    /// Repeats a request that may be repeated while it fails in a way that passes.
    async fn retried<T, F: Future<Output = Result<T>>>(&self, send: impl Fn() -> F) -> Result<T> {
        let mut tried = 1;
        loop {
            let error = match send().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let Some(pause) = self.pause_after(&error, tried) else {
                return Err(error);
            };
            debug!(%error, tried, "trying again");
            self.runtime.sleep(pause).await;
            tried += 1;
        }
    }

    /// How long to wait before the next try after this failure; `None` if there should be none.
    pub(super) fn pause_after(&self, error: &Error, tried: u32) -> Option<Duration> {
        if error.kind() != ErrorKind::Unavailable {
            return None;
        }
        let own = self.pause(tried)?;
        let asked = error.retry_after().filter(|_| !on(Mistake::RetryAfterIgnored));
        let pause = asked.map_or(own, |asked| asked.max(own));
        (pause <= MAX_PAUSE).then_some(pause)
    }

    /// How long to wait before the next try; `None` after the last.
    pub(super) fn pause(&self, tried: u32) -> Option<Duration> {
        (tried < TRIES).then(|| jittered(self.runtime(), FIRST_PAUSE * (1 << (tried - 1))))
    }
}

/// A body that broke off on its way is a failed call like any other, and no damage.
fn broken_off(error: Error) -> Error {
    if on(Mistake::BrokenOffIsDamage) { Error::new(ErrorKind::Corrupt, "the object is incomplete") } else { error }
}

fn endless(folder: &Folder) -> Error {
    Error::from(Flaw::EndlessListing).with_operation("list").with_key(folder)
}

//! What a backend provides: the trait an adapter author writes.
//!
//! A storage holds immutable objects under names. Names and bytes are all it knows: the log, the lease and the metadata
//! are `core`'s business, built once over this trait ([`StoredServer`](crate::StoredServer)).
//!
//! # The rules
//! 1. **A write is all or nothing.** No reader ever sees half an object, also when the connection or the writer dies.
//! 2. **After an acknowledged write, every read sees it.** Where a mount caches missing names, a read may be late; it never
//!    shows something else.
//! 3. **`create` is decided by the server**, never by check-then-write in the client.
//! 4. **A write ends as done, `Exists`, `NotApplied` or `Unknown`.** A lost reply is [`Outcome::Unknown`](crate::Outcome), not
//!    a failure. An adapter never retries a `create` by itself, nor lets the library under it do so: "exists" on a second try
//!    may be its own first. The core reads back and decides.
//! 5. **Dropping a future at any await is an interruption like any other.**
//! 6. **`delete` of a missing object succeeds; `get` of one is `None`.** A missing bucket, root or credential is an error
//!    ([`Missing`](crate::ErrorKind::Missing), [`Denied`](crate::ErrorKind::Denied)), never "empty".
//! 7. **Every reply that can carry the server's own time does** ([`Reply::time`]). Correctness never rests on a client's wall
//!    clock, nor on entity tags.
//! 8. **What a server claims is probed by behaviour** at first use. That probe is the core's; an adapter writes none.
//!
//! # What is not promised
//! An order between two writes that are under way at once; a listing that is complete at any one moment; how soon a `delete`
//! frees space; that a write whose outcome is `Unknown` will not land later.
//!
//! # A wrong adapter and a right one
//! ```text
//! wrong:  if !exists(key) { write(key, bytes) }        two writers both pass the check; one write is lost
//! wrong:  retry(3, || create_on_server(key, bytes))     the second try meets the first: "exists" for our own write
//! right:  link(temporary, key)                          the kernel decides, once; an error afterwards is `Unknown`
//! ```

mod flaw;
mod key;
mod memory;
mod payload;

pub use flaw::Flaw;
pub use key::{Folder, ObjectKey};
pub use memory::MemoryStorage;
pub use payload::{ByteRange, ByteStream, Object, Payload};

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The server's own clock, in milliseconds since 1970-01-01T00:00:00Z.
///
/// It only ever compares with other times of the same server.
///
/// ```
/// use longshore_core::ServerTime;
/// use std::time::Duration;
///
/// let earlier = ServerTime::from_millis(1_000);
/// let later = ServerTime::from_millis(61_000);
/// assert_eq!(later.since(earlier), Duration::from_secs(60));
/// assert_eq!(earlier.since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerTime(u64);

impl ServerTime {
    /// The time that many milliseconds after 1970 began.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970 began.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A server's answer, with the server's time where it carried one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<T> {
    /// The answer.
    pub value: T,
    /// The server's clock when it answered: never this machine's, never guessed.
    pub time: Option<ServerTime>,
}

impl<T> Reply<T> {
    /// An answer without a time.
    pub const fn new(value: T) -> Self {
        Self { value, time: None }
    }

    /// An answer with the server's time.
    pub const fn at(value: T, time: ServerTime) -> Self {
        Self { value, time: Some(time) }
    }

    /// Another value with the same time.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { value: f(self.value), time: self.time }
    }
}

/// How a `create` was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The name was free; these bytes are stored under it, durably.
    Created,
    /// Something is stored, or being stored, under the name. It may be this very call's own work: read it back.
    Exists,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The names in the folder (of objects and of folders), without the folder, ascending by bytes.
    pub names: Vec<String>,
    /// Whether names after the last one may follow on another page.
    pub more: bool,
}

/// What a storage guarantees. Nothing here is taken on trust: the core probes it.
///
/// That a read sees every acknowledged write is no capability: without it a storage breaks rule 2, and the probe and the suite
/// refuse it. A read that is late all the same, as behind a mount's cache, costs a sync and no document: what it shows missing is
/// looked at again or refused, and never taken for deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// `create` is decided atomically by the server. Without it a store is refused.
    pub atomic_create: bool,
    /// Replies to reads carry the server's time, so that most polls need one request.
    pub read_time: bool,
    /// The most bytes one object may have, 1 MiB or more. Nothing larger is sent: commits are cut to fit, and a document that
    /// cannot fit by itself is refused by name while all others go.
    pub max_object: u64,
    /// How many requests may be under way at once, 1 or more.
    pub parallelism: usize,
    /// The name of the method by which `create` works now, if it is not the adapter's usual one: a store made by it requires it of all
    /// its clients, for good, since two methods need not exclude each other.
    pub method: Option<&'static str>,
    /// The method to [adopt](Storage::adopt) for a new store if the present one does not pass the probe; most adapters have none.
    pub fallback: Option<&'static str>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            atomic_create: true,
            read_time: false,
            max_object: u64::MAX,
            parallelism: 8,
            method: None,
            fallback: None,
        }
    }
}

impl Capabilities {
    /// Says whether `create` is atomic.
    pub fn with_atomic_create(mut self, atomic: bool) -> Self {
        self.atomic_create = atomic;
        self
    }

    /// Says whether replies to reads carry the server's time.
    pub fn with_read_time(mut self, carried: bool) -> Self {
        self.read_time = carried;
        self
    }

    /// Sets the most bytes one object may have.
    pub fn with_max_object(mut self, bytes: u64) -> Self {
        self.max_object = bytes;
        self
    }

    /// Sets how many requests may be under way at once.
    pub fn with_parallelism(mut self, requests: usize) -> Self {
        self.parallelism = requests.max(1);
        self
    }

    /// Names the method by which `create` works, and the one to try where it fails the probe.
    pub fn with_methods(mut self, method: Option<&'static str>, fallback: Option<&'static str>) -> Self {
        (self.method, self.fallback) = (method, fallback);
        self
    }
}

/// A backend's primitives. See the [module](self) for the rules that bind them.
///
/// ```
/// use bytes::Bytes;
/// use longshore_core::{ByteRange, Created, MemoryStorage, ObjectKey, Storage};
///
/// # futures::executor::block_on(async {
/// let storage: &dyn Storage = &MemoryStorage::new();
/// let key = ObjectKey::new("domains/main/log/0000000000000000/0000000000000001/data")?;
/// assert_eq!(storage.create(&key, Bytes::from("mine")).await?.value, Created::Created);
/// assert_eq!(storage.create(&key, Bytes::from("yours")).await?.value, Created::Exists);
/// let object = storage.get(&key, ByteRange::ALL).await?.value.expect("it was created");
/// assert_eq!(object.read(1024).await?, "mine");
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync {
    /// What this storage guarantees. It does no I/O.
    fn capabilities(&self) -> Capabilities;

    /// Stores `bytes` under `key` if nothing is stored there, or says that something is.
    ///
    /// - **Effect**: at most one of any number of racing creators gets `Created`, and its bytes stay for good.
    /// - **On return**: after `Created` the object is durable and visible to every reader. The reply carries the server's
    ///   time if it can.
    /// - **An error leaves** nothing (`NotApplied`) or an open question (`Unknown`): also a late landing is possible.
    /// - **Idempotency**: none. Send it once; the core repeats it after it has read back.
    /// - **Cancellation**: a dropped future is `Unknown`.
    /// - **Limits**: `key` ends in `/data` and is the only object of its folder; `bytes` has at most 1 MiB.
    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>>;

    /// Stores an object whose name is unique by construction.
    ///
    /// - **Effect**: the object is there whole, or not at all. The same name always comes with the same bytes.
    /// - **On return**: durable and visible to every reader.
    /// - **An error leaves** nothing, or the whole object.
    /// - **Idempotency**: free to repeat with the same bytes.
    /// - **Cancellation**: leaves nothing, the whole object, or a temporary that the adapter cleans up later.
    /// - **Limits**: `key` does not end in `/data`; up to 1 GiB and some, streamed: hold no more than a few MiB of it.
    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>>;

    /// Reads an object, whole or a range of it, as a stream; `None` if it is missing.
    ///
    /// - **Effect**: none.
    /// - **Errors**: a missing root, bucket or credential is an error, never `None`. A stream that ends before its length
    ///   ends with an error.
    /// - **Limits**: a range that reaches past the end is cut to it; one that starts there is empty.
    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>>;

    /// Lists the names directly in a folder, ascending, after `after`; one page.
    ///
    /// - **Effect**: none. A folder that does not exist is an empty listing; a missing root is an error.
    /// - **On return**: every object whose write was acknowledged before the call is listed, on this page or a later one.
    ///   Temporaries are not.
    /// - **Limits**: any page size from 1 up; [`Listing::more`] asks the caller to come again with the last name.
    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>>;

    /// Removes an object; a missing one is a success.
    ///
    /// - **On return**: no later read sees it.
    /// - **An error leaves** the object whole, or nothing of it.
    /// - **Idempotency**: free to repeat. Its name is never used again.
    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>>;

    /// Creates by this method from now on, or by the usual one, if the adapter can, and says whether it does. It does no I/O.
    ///
    /// A store's `format` may require one. Most adapters know one method only, and leave this as it is: then such a store is refused.
    fn adopt(&self, method: Option<&str>) -> bool {
        method.is_none()
    }
}

const _: fn(&dyn Storage) = |_| {};

#[async_trait]
impl<S: Storage + ?Sized> Storage for std::sync::Arc<S> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        (**self).create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        (**self).put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        (**self).get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        (**self).list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        (**self).delete(key).await
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        (**self).adopt(method)
    }
}

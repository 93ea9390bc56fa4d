//! A storage adapter to copy: objects in one SQLite database.
//!
//! It is small and real: `docs/write-an-adapter.md` says what the rules ask, and `tests/conformance.rs` shows that it keeps them. What to take from it: `create` is one statement that the database decides; an object becomes visible in one
//! transaction after all its bytes are there; every error says what it left behind.

mod errors;
mod sql;

/// The blocks of `docs/write-an-adapter.md`, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/write-an-adapter.md")]
struct Guide;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, Object, ObjectKey, Payload, Reply, Result,
    Storage,
};
use rusqlite::Connection;

use crate::sql::{PART, Stored};

/// Objects in one SQLite database. Its clones share a connection.
#[derive(Clone)]
pub struct SqliteStorage {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStorage {
    /// Opens the database of this path; `Missing` if it is not there: a database that was lost must not look like an empty one.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with(sql::open(path, false))
    }

    /// As [`open`](Self::open), but makes the database where there is none.
    pub fn create_database(path: &Path) -> Result<Self> {
        Self::with(sql::open(path, true))
    }

    fn with(opened: rusqlite::Result<Connection>) -> Result<Self> {
        let connection = opened.map_err(|error| errors::of(error).with_operation("open"))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs blocking work where it blocks nothing else. A dropped future does not stop it: it happens whole.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: impl fmt::Display,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            // A panic in between rolled its transaction back.
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let done =
            done.await.map_err(|error| Error::new(ErrorKind::Internal, "a call did not end").with_source(error))?;
        done.map_err(|error| errors::of(error).with_operation(operation).with_key(key))
    }

    /// Sends the bytes ahead, in parts that nobody can see yet.
    async fn upload(&self, upload: i64, key: &ObjectKey, payload: Payload) -> Result<u64> {
        let (mut stream, mut part, mut parts, mut size) = (payload.into_stream(), BytesMut::new(), 0, 0);
        loop {
            let next = stream.try_next().await?;
            let ended = next.is_none();
            part.extend_from_slice(&next.unwrap_or_default());
            while part.len() >= PART || (ended && !part.is_empty()) {
                let full = part.split_to(part.len().min(PART)).freeze();
                size += full.len() as u64;
                self.run("put", key, move |connection| sql::add_part(connection, upload, parts, &full)).await?;
                parts += 1;
            }
            if ended {
                return Ok(size);
            }
        }
    }

    /// The bytes of a stored object from `start` on, part by part as they are asked for.
    fn download(&self, key: &ObjectKey, stored: Stored, range: std::ops::Range<u64>) -> longshore_core::ByteStream {
        let (this, key) = (self.clone(), key.clone());
        stream::try_unfold(range, move |left| {
            let (this, key) = (this.clone(), key.clone());
            async move {
                if left.is_empty() {
                    return Ok(None);
                }
                let at = left.start / PART as u64;
                let part = this.run("get", &key, move |connection| sql::part(connection, stored.upload, at)).await?;
                // Deleted while it was read.
                let part =
                    part.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the object went while it was read"))?;
                let (from, to) = (left.start % PART as u64, (left.end - at * PART as u64).min(PART as u64));
                let bytes = part.slice(usize_of(from)..usize_of(to));
                Ok(Some((bytes, at * PART as u64 + to..left.end)))
            }
        })
        .boxed()
    }
}

/// Below `PART`, so it fits.
fn usize_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(PART)
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStorage")
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    fn capabilities(&self) -> Capabilities {
        // The database has no clock of its own: its functions ask this machine's. So replies carry no time.
        Capabilities::default().with_atomic_create(true).with_read_time(false)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let name = key.to_string();
        let created = self.run("create", key, move |connection| sql::create(connection, &name, &bytes)).await?;
        Ok(Reply::new(if created { Created::Created } else { Created::Exists }))
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let upload = self.run("put", key, |connection| sql::new_upload(connection)).await?;
        let sent = self.upload(upload, key, payload).await;
        let name = key.to_string();
        let published = match sent {
            Ok(size) => self.run("put", key, move |connection| sql::publish(connection, &name, upload, size)).await,
            Err(error) => Err(error),
        };
        if published.is_err() {
            // Parts that no object names are litter; the first error counts.
            drop(self.run("put", key, move |connection| sql::forget(connection, upload)).await);
        }
        published.map(Reply::new)
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let name = key.to_string();
        let stored = self.run("get", key, move |connection| sql::find(connection, &name)).await?;
        Ok(Reply::new(stored.map(|stored| {
            let within = range.within(stored.size);
            let len = within.end - within.start;
            Object::new(stored.size, len, self.download(key, stored, within))
        })))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let (inside, after) = (folder.to_string(), after.unwrap_or_default().to_owned());
        let names = self.run("list", folder, move |connection| sql::list(connection, &inside, &after)).await?;
        let more = names.len() as u64 == sql::PAGE.cast_unsigned();
        Ok(Reply::new(Listing { names, more }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let name = key.to_string();
        self.run("delete", key, move |connection| sql::delete(connection, &name)).await.map(Reply::new)
    }
}

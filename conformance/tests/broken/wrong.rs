//! What broken storages are made of: a right one in memory, and a trait that passes to it what is not wrong.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_conformance::{Harness, Scratch};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload,
    Reply, Result, Runtime as _, ServerTime, Storage, TokioRuntime,
};

/// A storage that is right but for what it overrides.
#[async_trait]
pub(crate) trait Wrong: fmt::Debug + Send + Sync + 'static {
    /// The right one under it.
    fn right(&self) -> &MemoryStorage;

    fn capabilities(&self) -> Capabilities {
        self.right().capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.right().create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.right().put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.right().get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.right().list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.right().delete(key).await
    }
}

#[derive(Debug)]
struct Plain<W>(W);

#[async_trait]
impl<W: Wrong> Storage for Plain<W> {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.0.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.0.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.0.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.0.delete(key).await
    }
}

/// The time of a right server.
pub(crate) fn now() -> ServerTime {
    ServerTime::from_millis(1_700_000_000_000 + TokioRuntime.now().as_millis())
}

/// Nothing is wrong with it, and its replies carry the time. What is made wrong carries none, but where its time is what is wrong.
#[derive(Debug)]
struct Sound(MemoryStorage);

impl Wrong for Sound {
    fn right(&self) -> &MemoryStorage {
        self.0.set_time(Some(now()));
        &self.0
    }
}

/// Every client talks to this one server.
pub(crate) fn server<W: Wrong>(make: fn(MemoryStorage) -> W) -> Harness {
    let one: Arc<dyn Storage> = Arc::new(Plain(make(MemoryStorage::new())));
    harness(move || Arc::clone(&one))
}

/// Each client has a state of its own over one right server.
pub(crate) fn client<W: Wrong>(make: fn(MemoryStorage) -> W) -> Harness {
    let shared = MemoryStorage::new();
    harness(move || Arc::new(Plain(make(shared.clone()))))
}

/// Nothing is wrong with it.
pub(crate) fn sound() -> Harness {
    let shared = MemoryStorage::new();
    harness(move || Arc::new(Plain(Sound(shared.clone()))))
}

fn harness(open: impl Fn() -> Arc<dyn Storage> + Send + Sync + 'static) -> Harness {
    let open = move |_: Scratch| std::future::ready(Ok(open()));
    Harness::storage("broken", open)
        .in_this_process()
        .missing_root(|_| refusing(ErrorKind::Missing))
        .wrong_credentials(|_| refusing(ErrorKind::Denied))
}

fn refusing(kind: ErrorKind) -> std::future::Ready<Result<Arc<dyn Storage>>> {
    std::future::ready(Ok(Arc::new(Refusing(kind))))
}

/// A storage that refuses every call, as a right adapter does where the root is missing or the credentials are wrong.
#[derive(Debug)]
pub(crate) struct Refusing(pub(crate) ErrorKind);

impl Refusing {
    pub(crate) fn error(&self) -> Error {
        Error::new(self.0, "refused")
    }
}

#[async_trait]
impl Storage for Refusing {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn create(&self, _: &ObjectKey, _: Bytes) -> Result<Reply<Created>> {
        Err(self.error())
    }

    async fn put(&self, _: &ObjectKey, _: Payload) -> Result<Reply<()>> {
        Err(self.error())
    }

    async fn get(&self, _: &ObjectKey, _: ByteRange) -> Result<Reply<Option<Object>>> {
        Err(self.error())
    }

    async fn list(&self, _: &Folder, _: Option<&str>) -> Result<Reply<Listing>> {
        Err(self.error())
    }

    async fn delete(&self, _: &ObjectKey) -> Result<Reply<()>> {
        Err(self.error())
    }
}

/// Lets whoever else is ready go first.
pub(crate) async fn pause() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

/// A payload's bytes.
pub(crate) async fn collect(payload: Payload) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    let mut stream = payload.into_stream();
    while let Some(piece) = stream.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// Stores bytes whatever is there.
pub(crate) async fn overwrite(memory: &MemoryStorage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<()>> {
    memory.put(key, bytes.into()).await
}

/// The whole object.
pub(crate) async fn stored(memory: &MemoryStorage, key: &ObjectKey) -> Result<Option<Bytes>> {
    match memory.get(key, ByteRange::ALL).await?.value {
        Some(object) => Ok(Some(object.read(u64::MAX).await?)),
        None => Ok(None),
    }
}

/// All names in a folder.
pub(crate) async fn listed(memory: &MemoryStorage, folder: &Folder) -> Result<Vec<String>> {
    Ok(memory.list(folder, None).await?.value.names)
}

/// A reply with the server's time.
pub(crate) async fn reply<T>(memory: &MemoryStorage, value: T) -> Result<Reply<T>> {
    Ok(memory.list(&Folder::ROOT, Some("zz")).await?.map(|_| value))
}

/// An object of which a range was read, whatever its size is said to be.
pub(crate) fn object(size: u64, bytes: Bytes) -> Object {
    Object::new(size, bytes.len() as u64, stream::iter([Ok(bytes)]).boxed())
}

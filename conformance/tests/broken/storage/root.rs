//! Missing roots and wrong credentials that go unnoticed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_conformance::{Harness, Scratch};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload,
    Reply, Result, Storage,
};

use super::broken;
use crate::broken::runs::Broken;
use crate::broken::wrong::Refusing;

const READERS: &str = "storage::root::a_missing_one_is_an_error_to_readers";
const WRITERS: &str = "storage::root::a_missing_one_is_an_error_to_writers";
const DENIED_READS: &str = "storage::root::wrong_credentials_read_nothing";
const DENIED_WRITES: &str = "storage::root::wrong_credentials_write_nothing";

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "a missing root is an empty store",
            || without_root(Lets { get: true, list: true, ..NOTHING }),
            &[READERS],
        ),
        broken("a missing root lists nothing", || without_root(Lets { list: true, ..NOTHING }), &[READERS]),
        broken("a missing root holds nothing", || without_root(Lets { get: true, ..NOTHING }), &[READERS]),
        broken(
            "a missing root is made by the first write",
            || without_root(Lets { write: true, ..NOTHING }),
            &[WRITERS],
        ),
        broken("a delete under a missing root succeeds", || without_root(Lets { delete: true, ..NOTHING }), &[WRITERS]),
        broken("a missing root seems to be busy", || refused(Some(ErrorKind::Unavailable), None), &[READERS, WRITERS]),
        broken(
            "wrong credentials seem to be a missing root",
            || refused(None, Some(ErrorKind::Missing)),
            &[DENIED_READS, DENIED_WRITES],
        ),
        broken("anybody may read", || with_credentials(Lets { get: true, ..NOTHING }), &[DENIED_READS]),
        broken("anybody sees an empty listing", || with_credentials(Lets { list: true, ..NOTHING }), &[DENIED_READS]),
        broken("anybody may write", || with_credentials(Lets { write: true, ..NOTHING }), &[DENIED_WRITES]),
        broken(
            "a denied write lands all the same",
            || with_credentials(Lets { land: true, ..NOTHING }),
            &[DENIED_WRITES],
        ),
        broken(
            "a denied delete lands all the same",
            || with_credentials(Lets { land_delete: true, ..NOTHING }),
            &[DENIED_WRITES],
        ),
    ]
}

/// What a storage lets through that should refuse all.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a hole of its own")]
struct Lets {
    get: bool,
    list: bool,
    write: bool,
    delete: bool,
    /// Refused, but done.
    land: bool,
    land_delete: bool,
}

const NOTHING: Lets = Lets { get: false, list: false, write: false, delete: false, land: false, land_delete: false };

type Opened = std::future::Ready<Result<Arc<dyn Storage>>>;

fn opened(storage: impl Storage + 'static) -> Opened {
    std::future::ready(Ok(Arc::new(storage)))
}

fn refused(missing: Option<ErrorKind>, denied: Option<ErrorKind>) -> Harness {
    let shared = MemoryStorage::new();
    Harness::storage("broken", move |_: Scratch| opened(shared.clone()))
        .in_this_process()
        .missing_root(move |_| opened(Refusing(missing.unwrap_or(ErrorKind::Missing))))
        .wrong_credentials(move |_| opened(Refusing(denied.unwrap_or(ErrorKind::Denied))))
}

fn without_root(lets: Lets) -> Harness {
    refused(None, None)
        .missing_root(move |_| opened(Leaky { lets, right: MemoryStorage::new(), kind: ErrorKind::Missing }))
}

fn with_credentials(lets: Lets) -> Harness {
    let shared = MemoryStorage::new();
    let right = shared.clone();
    Harness::storage("broken", move |_: Scratch| opened(shared.clone()))
        .in_this_process()
        .missing_root(|_| opened(Refusing(ErrorKind::Missing)))
        .wrong_credentials(move |_| opened(Leaky { lets, right: right.clone(), kind: ErrorKind::Denied }))
}

#[derive(Debug)]
struct Leaky {
    lets: Lets,
    right: MemoryStorage,
    kind: ErrorKind,
}

impl Leaky {
    fn error<T>(&self) -> Result<T> {
        Err(Error::new(self.kind, "refused"))
    }
}

#[async_trait]
impl Storage for Leaky {
    fn capabilities(&self) -> Capabilities {
        self.right.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if self.lets.land {
            self.right.create(key, Bytes::new()).await?;
        }
        if self.lets.write { self.right.create(key, bytes).await } else { self.error() }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        if self.lets.write { self.right.put(key, payload).await } else { self.error() }
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        if self.lets.get { self.right.get(key, range).await } else { self.error() }
    }

    async fn list(&self, _: &Folder, _: Option<&str>) -> Result<Reply<Listing>> {
        if self.lets.list { Ok(Reply::new(Listing::default())) } else { self.error() }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        if self.lets.land_delete {
            self.right.delete(key).await?;
        }
        if self.lets.delete { self.right.delete(key).await } else { self.error() }
    }
}

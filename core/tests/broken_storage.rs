//! Storages that say yes and do something else. Each of these has been seen on a real server; a store is not initialised on any
//! of them, and the error says why.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, DomainName, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey,
    Payload, Reply, Result, Server, Storage, StoreOptions, StoredServer,
};
use support::sim::Sim;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// It keeps every rule.
    None,
    /// It keeps every rule; who loses while another writes is told nothing but that something failed.
    LosersAreToldNothing,
    /// The condition is ignored: the last writer wins, and everybody is told "created".
    IgnoresCondition,
    /// The right status, and the bytes of the loser.
    OverwritesAndSaysExists,
    /// Check, then write: two that race both win.
    ChecksThenWrites,
    /// Everything exists already.
    AlwaysExists,
    /// A read shows the state of a while ago.
    ReadsLate,
    /// New names are not listed.
    ListsLate,
    /// Deleted objects stay.
    KeepsDeleted,
    /// It says so itself.
    AdmitsIt,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStorage,
    flaw: Flaw,
    first_read: AtomicBool,
}

async fn let_others_run() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

impl Broken {
    async fn overwrite(&self, key: &ObjectKey, bytes: Bytes, answer: Created) -> Result<Reply<Created>> {
        let reply = self.inner.put(key, bytes.into()).await?;
        Ok(reply.map(|()| answer))
    }
}

#[async_trait]
impl Storage for Broken {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_atomic_create(self.flaw != Flaw::AdmitsIt)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let taken = self.inner.get(key, ByteRange::ALL).await?.value.is_some();
        match self.flaw {
            Flaw::IgnoresCondition => self.overwrite(key, bytes, Created::Created).await,
            Flaw::OverwritesAndSaysExists if taken => self.overwrite(key, bytes, Created::Exists).await,
            Flaw::ChecksThenWrites if !taken => {
                let_others_run().await;
                self.overwrite(key, bytes, Created::Created).await
            }
            Flaw::LosersAreToldNothing if !taken => {
                let_others_run().await;
                let reply = self.inner.create(key, bytes).await?;
                let lost = || Error::new(ErrorKind::Unavailable, "the server answered 500");
                if reply.value == Created::Exists { Err(lost()) } else { Ok(reply) }
            }
            Flaw::AlwaysExists => Ok(Reply::new(Created::Exists)),
            _ => self.inner.create(key, bytes).await,
        }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.inner.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let probing = key.as_str().starts_with("probe/");
        if self.flaw == Flaw::ReadsLate && probing && !self.first_read.swap(true, Ordering::SeqCst) {
            return Ok(Reply::new(None));
        }
        self.inner.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        if self.flaw == Flaw::ListsLate {
            return Ok(Reply::new(Listing::default()));
        }
        self.inner.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        if self.flaw == Flaw::KeepsDeleted {
            return Ok(Reply::new(()));
        }
        self.inner.delete(key).await
    }
}

fn initialize(flaw: Flaw) -> (MemoryStorage, Result<longshore_core::StoreInfo>) {
    let inner = MemoryStorage::new();
    let broken = Broken { inner: inner.clone(), flaw, first_read: AtomicBool::new(false) };
    let sim = Sim::new(1);
    let server = StoredServer::new(Arc::new(broken), sim.runtime(), &DomainName::default()).unwrap();
    let options = StoreOptions::default();
    let result = sim.run(server.initialize(&options), || false).unwrap();
    (inner, result)
}

#[test]
fn each_is_refused_with_its_reason() {
    let flaws = [
        (Flaw::IgnoresCondition, "creates a name that is taken"),
        (Flaw::OverwritesAndSaysExists, "replaced the first"),
        (Flaw::ChecksThenWrites, "more than one"),
        (Flaw::AlwaysExists, "new name that it is taken"),
        (Flaw::ReadsLate, "cannot be read"),
        (Flaw::ListsLate, "not listed"),
        (Flaw::KeepsDeleted, "deleted can still be read"),
        (Flaw::AdmitsIt, "says itself"),
    ];
    for (flaw, reason) in flaws {
        let (storage, result) = initialize(flaw);
        let error = result.expect_err("it must be refused");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{flaw:?}: {error}");
        assert!(error.to_string().contains(reason), "{flaw:?}: {error}");
        let left: Vec<String> = storage.objects().keys().map(ToString::to_string).collect();
        assert!(!left.iter().any(|key| key.starts_with("format")), "{flaw:?} was initialised: {left:?}");
    }
}

#[test]
fn a_sound_one_is_accepted_and_nothing_of_the_probe_is_left() {
    for sound in [Flaw::None, Flaw::LosersAreToldNothing] {
        let (storage, result) = initialize(sound);
        result.unwrap();
        let keys: Vec<String> = storage.objects().keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["format/data"], "{sound:?}");
    }
}

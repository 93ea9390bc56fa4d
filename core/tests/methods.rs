//! An adapter that knows two methods to create: the probe of a new store chooses, and its `format` holds all clients to it.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Capabilities, Created, DomainName, Error, ErrorKind, LockRequest, MemoryStorage, ObjectKey, Outcome, Reply, Result,
    Server, Storage, StoreInfo, StoreOptions, StoredServer,
};
use support::forward::{Bend, Forward};
use support::sim::Sim;

const SECOND: &str = "second-method";

/// How the usual method fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usual {
    Holds,
    /// It replaces what is there.
    Replaces,
    /// It is never heard of.
    IsSilent,
    /// It is not heard of once, as when a connection breaks.
    IsSilentOnce,
    /// We may not write.
    IsDenied,
}

/// Creates by a usual method that fails as told, or by a second one that holds.
#[derive(Debug)]
struct TwoMethods {
    usual: Usual,
    second: AtomicBool,
    second_holds: bool,
    /// The app asked for the second method.
    asked_for: bool,
    once: AtomicBool,
}

#[async_trait]
impl Bend for TwoMethods {
    fn capabilities(&self, inner: &dyn Storage) -> Capabilities {
        let second = self.second.load(Ordering::SeqCst);
        inner.capabilities().with_methods(second.then_some(SECOND), (!second).then_some(SECOND))
    }

    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let replaced = |bytes: Bytes| async move {
            inner.delete(key).await?;
            inner.create(key, bytes).await
        };
        if self.second.load(Ordering::SeqCst) {
            return if self.second_holds { inner.create(key, bytes).await } else { replaced(bytes).await };
        }
        let silent = || Error::new(ErrorKind::Unavailable, "no answer").with_outcome(Outcome::Unknown);
        match self.usual {
            Usual::Replaces => replaced(bytes).await,
            Usual::IsSilent => Err(silent()),
            Usual::IsSilentOnce if !self.once.swap(true, Ordering::SeqCst) => Err(silent()),
            Usual::IsDenied => Err(Error::new(ErrorKind::Denied, "read only")),
            Usual::Holds | Usual::IsSilentOnce => inner.create(key, bytes).await,
        }
    }

    fn adopt(&self, _: &dyn Storage, method: Option<&str>) -> bool {
        let known = method == Some(SECOND) || (method.is_none() && !self.asked_for);
        if known {
            self.second.store(method.is_some(), Ordering::SeqCst);
        }
        known
    }
}

fn client(memory: &MemoryStorage, usual: Usual) -> Arc<Forward<MemoryStorage, TwoMethods>> {
    client_with(memory, usual, true)
}

fn client_with(memory: &MemoryStorage, usual: Usual, second_holds: bool) -> Arc<Forward<MemoryStorage, TwoMethods>> {
    let (second, once) = (AtomicBool::default(), AtomicBool::default());
    Arc::new(Forward::new(memory.clone(), TwoMethods { usual, second, second_holds, asked_for: false, once }))
}

fn server(storage: Arc<dyn Storage>, sim: &Sim) -> StoredServer {
    StoredServer::new(storage, sim.runtime(), &DomainName::default()).unwrap()
}

fn initialize(storage: Arc<dyn Storage>) -> Result<StoreInfo> {
    let sim = Sim::new(1);
    let options = StoreOptions::default();
    sim.run(server(storage, &sim).initialize(&options), || false).unwrap()
}

#[test]
fn the_second_is_chosen_only_where_the_first_does_not_hold() {
    let cases = [
        (Usual::Holds, None),
        (Usual::Replaces, Some(SECOND)),
        (Usual::IsSilent, Some(SECOND)),
        (Usual::IsSilentOnce, None),
    ];
    for (usual, chosen) in cases {
        let storage = client(&MemoryStorage::new(), usual);
        initialize(storage.clone()).unwrap();
        assert_eq!(storage.capabilities().method, chosen, "{usual:?}");
    }
    // No other method gives us a right that we do not have.
    let storage = client(&MemoryStorage::new(), Usual::IsDenied);
    assert_eq!(initialize(storage.clone()).unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(storage.capabilities().method, None);
}

#[test]
fn where_neither_holds_the_first_reason_is_told() {
    let storage = client_with(&MemoryStorage::new(), Usual::Replaces, false);
    let error = initialize(storage.clone()).unwrap_err();
    assert_eq!(storage.capabilities().method, None, "it is asked of the usual method again");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("creates a name that is taken"), "{error}");
}

#[test]
fn all_clients_of_the_store_use_the_same() {
    let memory = MemoryStorage::new();
    let info = initialize(client(&memory, Usual::Replaces)).unwrap();
    // This one would pass the probe by the usual method.
    let other = client(&memory, Usual::Holds);
    assert_eq!(initialize(other.clone()).unwrap(), info);
    assert_eq!(other.capabilities().method, Some(SECOND));
    // One that knows no second method is kept out.
    let error = initialize(Arc::new(memory)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(SECOND), "{error}");
}

#[test]
fn the_second_is_refused_where_the_store_is_made_by_the_first() {
    let memory = MemoryStorage::new();
    initialize(Arc::new(memory.clone())).unwrap();
    let (second, once) = (AtomicBool::new(true), AtomicBool::default());
    let asked = TwoMethods { usual: Usual::Holds, second, second_holds: true, asked_for: true, once };
    let storage: Arc<dyn Storage> = Arc::new(Forward::new(memory.clone(), asked));
    assert_eq!(initialize(storage.clone()).unwrap_err().kind(), ErrorKind::Unsupported);
    let sim = Sim::new(1);
    let error = sim.run(server(storage, &sim).lock(&LockRequest::new("test")), || false).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "nor is a lease taken by it");
    // One that only happens to be at the second goes back to the first.
    let storage = client(&memory, Usual::Holds);
    assert!(storage.adopt(Some(SECOND)));
    initialize(storage.clone()).unwrap();
    assert_eq!(storage.capabilities().method, None);
}

/// By the second method a folder stands there before what lies in it.
#[test]
fn an_empty_folder_of_the_name_format_is_no_damaged_store() {
    let memory = MemoryStorage::new();
    let hidden = ObjectKey::new("format/none/data").unwrap();
    Sim::new(1).run(memory.create(&hidden, "x".into()), || false).unwrap().unwrap();
    initialize(Arc::new(memory)).unwrap();
}

#[test]
fn a_lease_is_not_taken_by_another_method_before_the_store_was_read() {
    let memory = MemoryStorage::new();
    initialize(client(&memory, Usual::Replaces)).unwrap();
    let storage = client(&memory, Usual::Replaces);
    let sim = Sim::new(1);
    let server = server(storage.clone(), &sim);
    sim.run(server.lock(&LockRequest::new("test")), || false).unwrap().unwrap();
    assert_eq!(storage.capabilities().method, Some(SECOND));
}

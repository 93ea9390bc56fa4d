//! A request fails: the core repeats it where that helps, and only there. A kind too many, and a wrong password is sent five times; a try
//! too few, and a short outage is the user's; a pause too short, and a busy server is hit again by all its clients at once; a
//! `create` repeated blindly, and its own first try is taken for another's.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use longshore_core::{
    ByteRange, Change, Created, Document, DomainName, Error, ErrorKind, Folder, Hash, Listing, MemoryStorage,
    MetadataName, Object, ObjectKey, Outcome, Payload, Prepared, Reply, Result, Sequence, Server, Storage,
    StoreOptions, StoredServer, Written,
};
use support::sim::Sim;
use support::{Bend, Forward, Rng};

/// Every kind, and whether a request that fails so is sent again.
const KINDS: [(ErrorKind, bool); 12] = [
    (ErrorKind::Conflict, false),
    (ErrorKind::Fenced, false),
    (ErrorKind::Locked, false),
    (ErrorKind::Unavailable, true),
    (ErrorKind::Denied, false),
    (ErrorKind::Missing, false),
    (ErrorKind::Replaced, false),
    (ErrorKind::Full, false),
    (ErrorKind::Unsupported, false),
    (ErrorKind::Invalid, false),
    (ErrorKind::Corrupt, false),
    (ErrorKind::Internal, false),
];

type Failure = Box<dyn Fn() -> Error + Send + Sync>;

/// One operation fails so many times; every call is written down with its time.
struct Failing {
    sim: Sim,
    operation: &'static str,
    failure: Failure,
    /// Whether a write takes effect although it fails.
    lands: bool,
    left: Mutex<u32>,
    calls: Arc<Mutex<Vec<(&'static str, u64)>>>,
}

impl std::fmt::Debug for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.operation)
    }
}

impl Failing {
    /// The failure of this call, if it fails.
    fn next(&self, operation: &'static str) -> Option<Error> {
        self.calls.lock().unwrap().push((operation, self.sim.millis()));
        let mut left = self.left.lock().unwrap();
        if operation != self.operation || *left == 0 {
            return None;
        }
        *left -= 1;
        Some((self.failure)())
    }
}

#[async_trait]
impl Bend for Failing {
    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        match self.next("create") {
            None => inner.create(key, bytes).await,
            Some(error) => {
                if self.lands {
                    inner.create(key, bytes).await?;
                }
                Err(error)
            }
        }
    }

    async fn put(&self, inner: &dyn Storage, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.next("put").map_or(Ok(()), Err)?;
        inner.put(key, payload).await
    }

    async fn get(&self, inner: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.next("get").map_or(Ok(()), Err)?;
        inner.get(key, range).await
    }

    async fn list(&self, inner: &dyn Storage, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.next("list").map_or(Ok(()), Err)?;
        inner.list(folder, after).await
    }

    async fn delete(&self, inner: &dyn Storage, key: &ObjectKey) -> Result<Reply<()>> {
        self.next("delete").map_or(Ok(()), Err)?;
        inner.delete(key).await
    }
}

struct Scene {
    sim: Sim,
    server: StoredServer,
    calls: Arc<Mutex<Vec<(&'static str, u64)>>>,
}

impl Scene {
    fn new(
        seed: u64,
        operation: &'static str,
        failures: u32,
        failure: impl Fn() -> Error + Send + Sync + 'static,
    ) -> Self {
        Self::landing(seed, operation, failures, false, failure)
    }

    fn landing(
        seed: u64,
        operation: &'static str,
        failures: u32,
        lands: bool,
        failure: impl Fn() -> Error + Send + Sync + 'static,
    ) -> Self {
        let (sim, calls) = (Sim::new(seed), Arc::<Mutex<Vec<_>>>::default());
        let (failure, left) = (Box::new(failure), Mutex::new(failures));
        let bend = Failing { sim: sim.clone(), operation, failure, lands, left, calls: calls.clone() };
        let storage = Arc::new(Forward::new(MemoryStorage::new(), bend));
        let server = StoredServer::new(storage, sim.runtime(), &DomainName::default()).unwrap();
        Self { sim, server, calls }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.sim.run(work, || false).unwrap()
    }

    /// Something that calls the operation once, if it does not fail.
    fn call(&self, operation: &'static str) -> Result<()> {
        match operation {
            "get" => self.run(self.server.store()).map(drop),
            "list" => self.run(self.server.floor()).map(drop),
            "put" => self.run(self.server.put(0, stream::iter([Ok(large())]).boxed())).map(drop),
            _ => self.run(self.server.changes_write(&entry())).map(drop),
        }
    }

    /// When the operation was called.
    fn times(&self, operation: &str) -> Vec<u64> {
        self.calls.lock().unwrap().iter().filter(|(called, _)| *called == operation).map(|(_, time)| *time).collect()
    }

    fn operations(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().iter().map(|(operation, _)| *operation).collect()
    }

    /// The pauses between the calls of the operation.
    fn pauses(&self, operation: &str) -> Vec<u64> {
        self.times(operation).windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// A change that goes up as one segment.
fn large() -> Change {
    let mut dice = Rng::new(1);
    let body: Vec<u8> = (0..80_000).flat_map(|_| dice.next().to_le_bytes()).collect();
    Change::put(Document::new("large", body).unwrap())
}

fn entry() -> Prepared {
    let bytes = Bytes::from("an entry");
    Prepared { sequence: Sequence::FIRST, hash: Hash::of(&bytes), bytes }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "busy")
}

fn asking(time: Duration) -> impl Fn() -> Error {
    move || unavailable().with_retry_after(time)
}

const REPEATABLE: [&str; 3] = ["get", "list", "put"];

#[test]
fn only_what_may_pass_is_sent_again() {
    for operation in REPEATABLE {
        for (kind, retried) in KINDS {
            let scene = Scene::new(1, operation, u32::MAX, move || Error::new(kind, "no"));
            let error = scene.call(operation).unwrap_err();
            assert_eq!((error.kind(), error.operation()), (kind, Some(operation)));
            assert_eq!(scene.times(operation).len(), if retried { 5 } else { 1 }, "{operation}: {kind}");
        }
    }
}

/// A probe's only deletes: of an object created twice, and of one for each of its ten races.
#[test]
fn deletes_are_sent_again_too() {
    for (kind, retried) in KINDS {
        let scene = Scene::new(1, "delete", 1, move || Error::new(kind, "no"));
        assert_eq!(scene.run(scene.server.probe()).is_ok(), retried, "{kind}");
        if retried {
            assert_eq!(scene.times("delete").len(), 11 + 1);
        }
    }
}

#[test]
fn the_fifth_try_may_still_succeed() {
    for operation in REPEATABLE {
        for failures in 1..=5 {
            let scene = Scene::new(2, operation, failures, unavailable);
            assert_eq!(scene.call(operation).is_ok(), failures < 5, "{operation}: {failures} failures");
        }
    }
}

#[test]
fn pauses_double_and_are_jittered() {
    let mut seen = BTreeSet::new();
    for seed in 0..50 {
        for operation in ["get", "list"] {
            let scene = Scene::new(seed, operation, u32::MAX, unavailable);
            scene.call(operation).unwrap_err();
            let pauses = scene.pauses(operation);
            assert_eq!(pauses.len(), 4);
            for (pause, most) in pauses.iter().zip([400, 800, 1600, 3200]) {
                assert!((most / 2..=most).contains(pause), "{pauses:?} of seed {seed}");
            }
            seen.insert(pauses[3]);
        }
    }
    assert!(seen.len() > 30, "fifty clients that fail at once do not come back at once: {seen:?}");
    let (first, last) = (*seen.first().unwrap(), *seen.last().unwrap());
    assert!(last - first > 1000, "from {first} to {last}");
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    for operation in REPEATABLE {
        for seconds in [4, 20] {
            let scene = Scene::new(3, operation, u32::MAX, asking(Duration::from_secs(seconds)));
            scene.call(operation).unwrap_err();
            assert_eq!(scene.pauses(operation), [seconds * 1000; 4], "{operation}");
        }
    }
}

#[test]
fn a_short_pause_that_a_server_asks_for_does_not_shorten_ours() {
    let asked = 700;
    for seed in 0..20 {
        let scene = Scene::new(seed, "get", u32::MAX, asking(Duration::from_millis(asked)));
        scene.call("get").unwrap_err();
        let pauses = scene.pauses("get");
        for (pause, most) in pauses.iter().zip([400, 800, 1600, 3200]) {
            assert!((asked.max(most / 2)..=asked.max(most)).contains(pause), "{pauses:?} of seed {seed}");
        }
    }
}

/// A caller learns of a long pause at once, and decides itself whether to wait.
#[test]
fn a_pause_too_long_is_the_callers() {
    for operation in REPEATABLE {
        let asked = Duration::from_millis(20_001);
        let scene = Scene::new(4, operation, u32::MAX, asking(asked));
        let error = scene.call(operation).unwrap_err();
        assert_eq!(error.retry_after(), Some(asked));
        assert_eq!(scene.times(operation).len(), 1, "{operation}");
    }
}

/// A create fails in every way there is: it is sent again only if that may pass, and never in doubt without a look.
#[test]
fn a_create_is_never_repeated_in_doubt_without_a_look() {
    for (kind, retried) in KINDS {
        for outcome in [Outcome::Unknown, Outcome::NotApplied] {
            let failure = move || Error::new(kind, "no").with_outcome(outcome);
            let scene = Scene::new(5, "create", u32::MAX, failure);
            let error = scene.call("create").unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (kind, outcome));
            let creates = if retried { 5 } else { 1 };
            let expected = match outcome {
                Outcome::Unknown => ["create", "get"].repeat(creates),
                Outcome::NotApplied => ["create"].repeat(creates),
            };
            assert_eq!(scene.operations(), expected, "{kind} {outcome:?}");
        }
    }
}

/// Once a try may have landed, it may still land later: every further one is followed by a look, also if it surely did nothing.
#[test]
fn a_doubt_stays() {
    let tries = Mutex::new(0);
    let failure = move || {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        unavailable().with_outcome(if *tries == 2 { Outcome::Unknown } else { Outcome::NotApplied })
    };
    let scene = Scene::new(6, "create", u32::MAX, failure);
    assert_eq!(scene.call("create").unwrap_err().outcome(), Outcome::Unknown);
    assert_eq!(scene.operations(), ["create", "create", "get", "create", "get", "create", "get", "create", "get"]);
}

#[test]
fn a_create_that_landed_is_found_and_not_repeated() {
    let scene = Scene::landing(7, "create", 1, true, unavailable);
    assert_eq!(scene.run(scene.server.changes_write(&entry())).unwrap().value, Written::Committed);
    assert_eq!(scene.operations(), ["create", "get"]);
}

/// "Exists" while nothing is shown: a look after each, five in all, then the floor.
#[test]
fn a_name_that_is_taken_and_shows_nothing_is_looked_at_each_time() {
    #[derive(Debug)]
    struct Hidden(Arc<Mutex<Vec<&'static str>>>);

    #[async_trait]
    impl Bend for Hidden {
        async fn create(&self, _: &dyn Storage, _: &ObjectKey, _: Bytes) -> Result<Reply<Created>> {
            self.0.lock().unwrap().push("create");
            Ok(Reply::new(Created::Exists))
        }

        async fn get(&self, inner: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
            self.0.lock().unwrap().push("get");
            inner.get(key, range).await
        }
    }

    let (sim, calls) = (Sim::new(8), Arc::<Mutex<Vec<_>>>::default());
    let memory = MemoryStorage::new();
    let server = |storage| StoredServer::new(storage, sim.runtime(), &DomainName::default()).unwrap();
    sim.run(server(Arc::new(memory.clone())).initialize(&StoreOptions::default()), || false).unwrap().unwrap();
    let server = server(Arc::new(Forward::new(memory, Hidden(calls.clone()))));
    let error = sim.run(server.changes_write(&entry()), || false).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Unknown));
    assert_eq!(*calls.lock().unwrap(), ["create", "get"].repeat(5));

    // What is not shown may be this very version, whose first answer was lost.
    let name = MetadataName::new("settings").unwrap();
    let written = sim.run(server.metadata_write(&name, None, "x".into()), || false).unwrap();
    let error = written.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Unknown));
}

/// The same pauses as for other requests, and as long as the server asks.
#[test]
fn a_create_waits_as_other_requests_do() {
    let scene = Scene::new(9, "create", u32::MAX, unavailable);
    scene.call("create").unwrap_err();
    for (pause, most) in scene.pauses("create").iter().zip([400, 800, 1600, 3200]) {
        assert!((most / 2..=most).contains(pause));
    }
    let scene = Scene::new(9, "create", u32::MAX, asking(Duration::from_secs(9)));
    scene.call("create").unwrap_err();
    assert_eq!(scene.pauses("create"), [9000; 4]);
    let scene = Scene::new(9, "create", u32::MAX, asking(Duration::from_secs(21)));
    scene.call("create").unwrap_err();
    assert_eq!(scene.times("create").len(), 1);
}

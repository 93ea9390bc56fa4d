//! A machine falls asleep between its look at the records and its create. Meanwhile others write records, and those that they
//! superseded are trimmed: the number that was free is free again. That it can be created proves nothing. (I7)
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Created, DomainName, ErrorKind, LockRequest, Locked, MemoryStorage, MetadataName, MetadataVersion, ObjectKey,
    Outcome, Reply, Result, Server, Storage, StoredServer,
};
use support::sim::Sim;
use support::{Bend, Forward};

type Objects = BTreeMap<ObjectKey, Bytes>;

/// Before its first create the machine sleeps, and the store becomes what others make of it.
#[derive(Debug)]
struct Asleep {
    sim: Sim,
    storage: MemoryStorage,
    meanwhile: Mutex<Option<(Duration, Objects)>>,
}

#[async_trait]
impl Bend for Asleep {
    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if let Some((time, objects)) = self.meanwhile.lock().unwrap().take() {
            self.sim.advance(time);
            self.storage.set_objects(objects);
        }
        inner.create(key, bytes).await
    }
}

const LATE: Duration = Duration::from_secs(1800);

struct Scene {
    sim: Sim,
    storage: MemoryStorage,
}

impl Scene {
    fn new() -> Self {
        Self { sim: Sim::new(80), storage: MemoryStorage::new() }
    }

    fn server(&self, storage: impl Storage + 'static) -> StoredServer {
        StoredServer::new(Arc::new(storage), self.sim.runtime(), &DomainName::default()).unwrap()
    }

    fn awake(&self) -> StoredServer {
        self.server(self.storage.clone())
    }

    /// A server that sleeps for so long before its first create, and wakes up to these objects.
    fn asleep(&self, time: Duration, objects: Objects) -> StoredServer {
        let meanwhile = Mutex::new(Some((time, objects)));
        let bend = Asleep { sim: self.sim.clone(), storage: self.storage.clone(), meanwhile };
        self.server(Forward::new(self.storage.clone(), bend))
    }

    fn write(&self, server: &StoredServer, expected: Option<u64>, text: &'static str) -> Result<MetadataVersion> {
        let expected = expected.map(|version| MetadataVersion::new(version).unwrap());
        let name = MetadataName::new("schema").unwrap();
        self.sim.run(server.metadata_write(&name, expected, Bytes::from(text)), || false).unwrap()
    }

    fn read(&self) -> Bytes {
        let name = MetadataName::new("schema").unwrap();
        self.sim.run(self.awake().metadata_read(&name), || false).unwrap().unwrap().unwrap().bytes
    }
}

/// Everything but what has the number 1.
fn trimmed(storage: &MemoryStorage) -> Objects {
    let mut objects = storage.objects();
    objects.retain(|key, _| !key.as_str().ends_with("0000000000000001/data"));
    objects
}

#[test]
fn a_version_that_was_used_and_trimmed_is_not_written() {
    let scene = Scene::new();
    scene.write(&scene.awake(), None, "one").unwrap();
    scene.write(&scene.awake(), Some(1), "two").unwrap();
    let after = trimmed(&scene.storage);
    scene.storage.set_objects(Objects::new());
    let error = scene.write(&scene.asleep(LATE, after), None, "mine").expect_err("nobody will ever read it");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::Unknown), "{error}");
    assert_eq!(scene.read(), "two");
}

#[test]
fn a_late_version_counts_if_it_is_the_newest() {
    let scene = Scene::new();
    let server = scene.asleep(LATE, Objects::new());
    assert_eq!(scene.write(&server, None, "mine").unwrap().get(), 1);
    assert_eq!(scene.read(), "mine");
}

#[test]
fn a_token_that_was_used_and_trimmed_grants_nothing() {
    let scene = Scene::new();
    let (awake, request) = (scene.awake(), LockRequest::new("test"));
    let lock = |server: &StoredServer| match scene.sim.run(server.lock(&request), || false).unwrap().unwrap() {
        Locked::Granted(lease) => lease,
        Locked::Held(held) => panic!("{held:?}"),
    };
    let first = lock(&awake);
    scene.sim.run(awake.unlock(&first), || false).unwrap().unwrap();
    let after = trimmed(&scene.storage);
    scene.storage.set_objects(Objects::new());
    assert_eq!(lock(&scene.asleep(LATE, after)).token.get(), 3, "tokens only grow");
}

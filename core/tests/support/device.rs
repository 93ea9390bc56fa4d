//! Devices that write, sync, die and come back, on one storage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::{
    Answer, Client, Conflict, Document, DocumentId, DomainName, Error, LockPolicy, MemoryReplica, MemoryStorage,
    ObjectKey, Result, Storage, StoredServer, SyncReport, Version,
};

use super::fault::{Fault, FaultStorage};
use super::forward::{Forward, RoundTrips};
use super::sim::Sim;

/// Sides of conflicts that apps were told of: document and body, `None` for a deletion.
pub type Told = Arc<Mutex<BTreeSet<(DocumentId, Option<Bytes>)>>>;

/// A storage and a clock that several devices share.
pub struct World {
    pub sim: Sim,
    pub storage: MemoryStorage,
    /// What a compaction deleted, for the verdict.
    pub archive: Mutex<BTreeMap<ObjectKey, Bytes>>,
    timed: bool,
    /// Every side of every conflict that an app was told of: document and body, `None` for a deletion.
    pub told: Told,
    /// Every write any app made.
    pub written: Arc<Mutex<Vec<(DocumentId, Bytes)>>>,
    /// Every body that a user had in front of them when they replaced or deleted it.
    pub replaced: Arc<Mutex<BTreeSet<Bytes>>>,
}

/// One device: a replica, and a process that may be gone.
pub struct Device {
    pub replica: MemoryReplica,
    pub storage: FaultStorage,
    pub policy: LockPolicy,
    /// If its calls take time: how many it makes side by side. See [`RoundTrips`].
    pub slow: Option<usize>,
    sim: Sim,
    told: Told,
    written: Arc<Mutex<Vec<(DocumentId, Bytes)>>>,
    replaced: Arc<Mutex<BTreeSet<Bytes>>>,
    client: Option<Client>,
}

/// A body that no other write has.
pub fn body(device: &str, number: usize) -> String {
    format!("{device}-{number}")
}

impl World {
    /// A world whose server's replies carry its time, or do not.
    pub fn new(seed: u64, timed: bool) -> Self {
        let (told, written, replaced) = (Arc::default(), Arc::default(), Arc::default());
        let (archive, storage) = (Mutex::default(), MemoryStorage::new());
        Self { sim: Sim::new(seed), storage, archive, timed, told, written, replaced }
    }

    pub fn device(&self, name: &'static str) -> Device {
        self.device_on(name, MemoryReplica::new())
    }

    pub fn device_on(&self, name: &'static str, replica: MemoryReplica) -> Device {
        Device {
            replica,
            storage: FaultStorage::new(self.storage.clone(), self.sim.clone(), name, self.timed),
            policy: LockPolicy::Contended,
            slow: None,
            sim: self.sim.clone(),
            told: self.told.clone(),
            written: self.written.clone(),
            replaced: self.replaced.clone(),
            client: None,
        }
    }
}

/// Joins both edits; an edit survives a deletion. So every run ends without open conflicts.
fn merge(told: &Told, conflict: &Conflict) -> Answer {
    let body = |version: &Version| match version {
        Version::Present(document) => Some(document.body.clone()),
        Version::Deleted => None,
    };
    let (local, remote) = (body(&conflict.local), body(&conflict.remote));
    told.lock().unwrap().extend([(conflict.id.clone(), local.clone()), (conflict.id.clone(), remote.clone())]);
    match (local, remote) {
        (None, _) => Answer::TakeRemote,
        (Some(_), None) => Answer::KeepLocal,
        (Some(local), Some(remote)) => {
            let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
            let mut parts: Vec<String> = [text(&local), text(&remote)]
                .iter()
                .flat_map(|t| t.split('+').map(str::to_owned).collect::<Vec<_>>())
                .collect();
            parts.sort();
            parts.dedup();
            let body = Bytes::from(parts.join("+"));
            if body == local {
                Answer::KeepLocal
            } else if body == remote {
                Answer::TakeRemote
            } else {
                Answer::Merge { revision: None, body }
            }
        }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.storage.fmt(f)
    }
}

impl Device {
    fn replace(&self, id: &str) {
        self.replaced.lock().unwrap().extend(self.get(id).map(Bytes::from));
    }

    pub fn put(&self, id: &str, body: &str) {
        self.replace(id);
        self.written.lock().unwrap().push((DocumentId::new(id).unwrap(), Bytes::from(body.to_owned())));
        block_on(self.replica.put(Document::new(id, body.to_owned()).unwrap())).unwrap();
    }

    pub fn put_many(&self, documents: Vec<Document>) {
        let mut written = self.written.lock().unwrap();
        written.extend(documents.iter().map(|document| (document.id.clone(), document.body.clone())));
        block_on(self.replica.write(documents.into_iter().map(longshore_core::Change::put).collect())).unwrap();
    }

    pub fn delete(&self, id: &str) {
        self.replace(id);
        block_on(self.replica.delete(DocumentId::new(id).unwrap())).unwrap();
    }

    pub fn get(&self, id: &str) -> Option<String> {
        let document = block_on(self.replica.get(&DocumentId::new(id).unwrap())).unwrap()?;
        Some(String::from_utf8(document.body.to_vec()).unwrap())
    }

    pub fn documents(&self) -> BTreeMap<DocumentId, Bytes> {
        let ids = block_on(self.replica.list(None, usize::MAX)).unwrap();
        let get = |id: &DocumentId| block_on(self.replica.get(id)).unwrap().unwrap().body;
        ids.iter().map(|id| (id.clone(), get(id))).collect()
    }

    /// The server as this device reaches it.
    pub fn server(&self) -> StoredServer {
        let storage: Arc<dyn Storage> = match self.slow {
            Some(parallelism) => {
                let trips = RoundTrips { sim: self.sim.clone(), parallelism };
                Arc::new(Forward::new(self.storage.clone(), trips))
            }
            None => Arc::new(self.storage.clone()),
        };
        StoredServer::new(storage, self.sim.runtime(), &DomainName::default()).unwrap()
    }

    /// A client without a resolver, or with the merging one, as a freshly started process makes it.
    pub fn new_client(&self, resolving: bool) -> Client {
        let builder = Client::builder_on(self.sim.runtime(), Arc::new(self.server()), Arc::new(self.replica.clone()));
        let builder = builder.lock_policy(self.policy);
        if !resolving {
            return builder.build();
        }
        let told = self.told.clone();
        builder.resolver(move |conflict: &Conflict| merge(&told, conflict)).build()
    }

    /// The client of the running process.
    pub fn client(&mut self) -> &Client {
        if self.client.is_none() {
            self.client = Some(self.new_client(true));
        }
        self.client.as_ref().unwrap()
    }

    /// The process ends; the next sync starts a new one.
    pub fn restart(&mut self) {
        self.client = None;
        self.storage.revive();
    }

    /// Syncs to its end. `None` if the process died on the way.
    pub fn try_sync(&mut self) -> Option<Result<SyncReport>> {
        self.client();
        let (client, storage) = (self.client.as_ref().unwrap(), self.storage.clone());
        self.sim.run(client.sync(), || storage.dead())
    }

    pub fn sync(&mut self) -> SyncReport {
        self.try_sync()
            .expect("nobody dies here")
            .unwrap_or_else(|error| panic!("{error:?}\n{}", self.storage.trace().join("\n")))
    }

    pub fn sync_error(&mut self) -> Error {
        self.try_sync().expect("nobody dies here").expect_err("this sync must fail")
    }

    /// Syncs, but drops the future after so many polls. Whether it came to its end before.
    pub fn sync_dropped_after(&mut self, polls: usize) -> bool {
        self.client();
        let (client, mut left) = (self.client.as_ref().unwrap(), polls);
        let mut stop = || {
            left = left.saturating_sub(1);
            left == 0
        };
        self.sim.run(client.sync(), &mut stop).is_some()
    }

    /// Object bytes that this device's running process has sent.
    pub fn sync_bytes(&mut self) -> usize {
        self.storage.sent()
    }

    /// Virtual time.
    pub fn millis(&self) -> u64 {
        self.sim.millis()
    }

    pub fn arm(&self, call: u64, fault: Fault) {
        self.storage.arm(call, fault);
    }
}

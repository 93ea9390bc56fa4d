//! Several clients want the same number, the same version, the same new store at the same time: one gets it, the others learn
//! so, and every change arrives.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Client, Created, DomainName, Error, ErrorKind, Folder, Listing, MetadataName, ObjectKey, Reply, Result, Server,
    Storage, StoreOptions, StoredServer,
};
use support::sim::Task;
use support::{Bend, Device, Forward, World, body, verdict};

fn never() -> Box<dyn Fn() -> bool> {
    Box::new(|| false)
}

/// Syncs all at once, until each has come to its end.
fn sync_all(world: &World, devices: &mut [Device]) {
    let tasks = devices.iter_mut().map(|device| {
        let client = device.client();
        let task: Task<'_> = Box::pin(async move {
            client.sync().await.unwrap();
        });
        (task, never())
    });
    world.sim.run_all(tasks.collect());
}

#[test]
fn five_that_sync_at_once_end_with_the_union() {
    for seed in 0..50 {
        let world = World::new(seed, seed % 2 == 0);
        let mut devices: Vec<Device> = ["a", "b", "c", "d", "e"].map(|name| world.device(name)).into();
        for round in 0..4 {
            for (at, device) in devices.iter().enumerate() {
                device.put(&format!("of/{at}"), &body(["a", "b", "c", "d", "e"][at], round));
                device.put("shared", &body(["a", "b", "c", "d", "e"][at], 100 + round));
            }
            sync_all(&world, &mut devices);
        }
        for _ in 0..3 {
            for device in &mut devices {
                device.sync();
            }
        }
        verdict::sound(&world, &devices.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_counter_in_metadata_adds_up() {
    let world = World::new(11, true);
    let mut first = world.device("a");
    first.put("doc", "1");
    first.sync();
    let name = MetadataName::new("counter").unwrap();
    let lost = AtomicU64::new(0);
    let devices: Vec<Device> = ["a", "b", "c", "d"].map(|name| world.device(name)).into();
    let clients: Vec<_> = devices.iter().map(|device| device.new_client(false)).collect();
    let tasks = clients.iter().map(|client| {
        let (name, lost) = (&name, &lost);
        let task: Task<'_> = Box::pin(async move {
            let mut done = 0;
            while done < 25 {
                let now = client.metadata_read(name).await.unwrap();
                let count: u64 =
                    now.as_ref().map_or(0, |now| std::str::from_utf8(&now.bytes).unwrap().parse().unwrap());
                let next = (count + 1).to_string().into();
                match client.metadata_write(name, now.map(|now| now.version), next).await {
                    Ok(_) => done += 1,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        (task, never())
    });
    world.sim.run_all(tasks.collect());
    let newest = world.sim.run(clients[0].metadata_read(&name), || false).unwrap().unwrap().unwrap();
    assert_eq!(newest.bytes, "100");
    assert_eq!(newest.version.get(), 100);
    assert!(lost.into_inner() > 0, "they raced");
}

#[test]
fn all_that_initialise_at_once_agree_on_one_store() {
    for seed in 0..50 {
        let world = World::new(seed, true);
        let servers: Vec<StoredServer> = ["a", "b", "c"]
            .map(|name| {
                let storage = Arc::new(world.device(name).storage.clone());
                StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap()
            })
            .into();
        let ids = std::sync::Mutex::new(Vec::new());
        let tasks = servers.iter().map(|server| {
            let ids = &ids;
            let task: Task<'_> = Box::pin(async move {
                let info = server.initialize(&StoreOptions::default()).await.unwrap();
                ids.lock().unwrap().push(info.id);
            });
            (task, never())
        });
        world.sim.run_all(tasks.collect());
        let ids = ids.into_inner().unwrap();
        assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "seed {seed}: {ids:?}");
    }
}

#[test]
fn two_syncs_of_one_replica_do_not_run_at_once() {
    let world = World::new(12, true);
    let device = world.device("a");
    let (one, other) = (device.new_client(false), device.new_client(false));
    let results = std::sync::Mutex::new(Vec::new());
    let tasks = [&one, &other].map(|client| {
        let results = &results;
        let task: Task<'_> = Box::pin(async move {
            let result = client.sync().await.map(drop).map_err(|error| error.kind());
            results.lock().unwrap().push(result);
        });
        (task, never())
    });
    world.sim.run_all(tasks.into());
    let results = results.into_inner().unwrap();
    assert!(results.contains(&Err(ErrorKind::Locked)) && results.contains(&Ok(())), "{results:?}");
}

/// Another device commits just before each of the first creates of an entry; and nobody may look at the lease.
#[derive(Debug)]
struct Beaten {
    rival: Mutex<Device>,
    left: AtomicU64,
    lease: ErrorKind,
}

#[async_trait]
impl Bend for Beaten {
    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let left = self.left.load(Ordering::Relaxed);
        if key.as_str().contains("/log/") && left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            let mut rival = self.rival.lock().unwrap();
            rival.put("theirs", &left.to_string());
            rival.sync();
        }
        inner.create(key, bytes).await
    }

    async fn list(&self, inner: &dyn Storage, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        if folder.to_string().contains("/lease") {
            return Err(Error::new(self.lease, "nobody may look at the lease"));
        }
        inner.list(folder, after).await
    }
}

/// No data hangs on the lease: who loses race after race goes on without, whatever is wrong with it.
#[test]
fn a_lease_that_cannot_be_had_stops_no_push() {
    for lease in [ErrorKind::Unavailable, ErrorKind::Denied, ErrorKind::Corrupt] {
        let world = World::new(13, true);
        let mut first = world.device("a");
        first.put("doc", "1");
        first.sync();
        let bend = Beaten { rival: Mutex::new(world.device("b")), left: AtomicU64::new(4), lease };
        let storage = Forward::new(world.storage.clone(), bend);
        let server = StoredServer::new(Arc::new(storage), world.sim.runtime(), &DomainName::default()).unwrap();
        let client = Client::builder_on(world.sim.runtime(), Arc::new(server), Arc::new(first.replica.clone())).build();
        first.put("doc", "2");
        let report = world.sim.run(client.sync(), || false).unwrap().unwrap();
        assert_eq!((report.pushed, report.races_lost), (1, 4), "{lease:?}");
        verdict::sound(&world, &[&first]);
    }
}

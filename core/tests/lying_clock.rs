//! A proxy in front of the server answers once with a clock that is years ahead. The replica must not believe for years that it was
//! in step a moment ago: entries are trimmed meanwhile, and "nothing here" would pass for "nothing new". (§5, head time)

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::{
    Client, Document, DomainName, ErrorKind, MemoryReplica, MemoryStorage, Result, ServerTime, StoredServer, SyncReport,
};
use support::sim::Sim;

const DAY: u64 = 24 * 3600 * 1000;

fn sync(sim: &Sim, storage: &MemoryStorage, replica: &MemoryReplica, day: u64) -> Result<SyncReport> {
    sim.advance(Duration::from_secs(3600));
    storage.set_time(Some(ServerTime::from_millis(day * DAY)));
    let server = StoredServer::new(Arc::new(storage.clone()), sim.runtime(), &DomainName::default()).unwrap();
    let client = Client::builder_on(sim.runtime(), Arc::new(server), Arc::new(replica.clone())).build();
    sim.run(client.sync(), || false).unwrap()
}

fn put(replica: &MemoryReplica, id: &str) {
    block_on(replica.put(Document::new(id, format!("body of {id}")).unwrap())).unwrap();
}

#[test]
fn one_reply_from_the_future_is_forgotten_with_the_next() {
    let (sim, storage) = (Sim::new(42), MemoryStorage::new());
    let (a, b) = (MemoryReplica::new(), MemoryReplica::new());
    put(&a, "one");
    sync(&sim, &storage, &a, 100).unwrap();
    sync(&sim, &storage, &b, 100).unwrap();
    sync(&sim, &storage, &b, 4000).unwrap();
    sync(&sim, &storage, &b, 101).unwrap();

    // Weeks pass. Others commit, compact, and are about to trim entry 1 when this replica comes back.
    for id in ["two", "three"] {
        put(&a, id);
        sync(&sim, &storage, &a, 102).unwrap();
    }
    let mut objects = storage.objects();
    objects.retain(|key, _| {
        !["2/data", "3/data"].iter().any(|end| key.as_str().contains("/log/") && key.as_str().ends_with(end))
    });
    let snapshot = longshore_core::ObjectKey::new("domains/main/snapshot/0000000000000003/data").unwrap();
    objects.insert(snapshot, Bytes::from_static(b"no snapshot"));
    storage.set_objects(objects.clone());

    put(&b, "mine");
    let error = sync(&sim, &storage, &b, 140).expect_err("entries were trimmed beneath it");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(storage.objects(), objects, "nothing was written over trimmed numbers");
}

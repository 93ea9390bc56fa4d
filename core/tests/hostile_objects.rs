//! A server is not always a friend: a listing that never ends, a record that names the last number there is, an entry that declares
//! a segment of more bytes than exist. Each is an error in bounded time and memory, never a panic and never a wrong document. (I11)

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use longshore_core::format::{Frame, Kind};
use longshore_core::{
    DomainName, ErrorKind, Folder, Listing, LockRequest, MetadataName, ObjectKey, Reply, Result, Server, Storage,
    StoredServer,
};
use serde_json::{Value, json};
use support::sim::Sim;
use support::{Bend, Device, Forward, World};

const LAST: &str = "9999999999999999";

fn insert(world: &World, key: &str, kind: Kind, header: Value) {
    let mut objects = world.storage.objects();
    let mut header = header;
    header["key"] = json!(key);
    objects.insert(ObjectKey::new(key).unwrap(), Frame::encode(kind, &header, &[]).unwrap());
    world.storage.set_objects(objects);
}

fn one_entry() -> (World, Device) {
    let world = World::new(50, true);
    let mut device = world.device("a");
    device.put("doc", "1");
    device.sync();
    (world, device)
}

fn server(world: &World) -> StoredServer {
    let storage = Arc::new(world.storage.clone());
    StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap()
}

/// A valid entry 2 with this kind and these segments.
fn entry(world: &World, extra: &Value) {
    let first =
        &world.storage.objects()[&ObjectKey::new("domains/main/log/0000000000000000/0000000000000001/data").unwrap()];
    let mut header = json!({
        "client": "00".repeat(16),
        "attempt": 1,
        "previous": longshore_core::Hash::of(first).to_string(),
        "kind": "changes",
    });
    header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    insert(world, "domains/main/log/0000000000000000/0000000000000002/data", Kind::Entry, header);
}

#[test]
fn segments_of_absurd_lengths() {
    for lengths in [vec![u64::MAX, u64::MAX], vec![u64::MAX]] {
        let (world, mut device) = one_entry();
        let segments: Vec<Value> = lengths
            .iter()
            .map(|length| {
                let name = format!("domains/main/segments/{:016}/{:016}-{}", 0, 1, "ab".repeat(16));
                json!({ "name": name, "length": length, "hash": "00".repeat(32) })
            })
            .collect();
        entry(&world, &json!({ "segments": segments }));
        let error = device.sync_error();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.key().unwrap().contains("domains/main"), "{error}");
    }
}

#[test]
fn entries_that_no_writer_makes() {
    let change = |id: &str, action: &str, length: u64| json!({ "id": id, "action": action, "length": length });
    let bad = [
        json!({ "changes": [change("x", "put", 1)] }),
        json!({ "changes": [change("x", "put", u64::MAX), change("y", "put", 1)] }),
        json!({ "changes": [change("x", "delete", 1)] }),
        json!({ "changes": [change("", "put", 0)] }),
        json!({ "changes": [change(&"x".repeat(1025), "put", 0)] }),
        json!({ "attempt": 0 }),
        json!({ "lease": u64::MAX }),
        json!({ "time": -1 }),
        json!({ "kind": "changes", "segments": [{ "name": "../../etc/passwd", "length": 1, "hash": "00".repeat(32) }] }),
    ];
    for extra in bad {
        let (world, mut device) = one_entry();
        entry(&world, &extra);
        let error = device.sync_error();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{extra}: {error}");
        assert_eq!(device.documents().len(), 1);
    }
}

/// Nobody deletes what is here because the domain ended there. A plan says so, too, before a sync does.
#[test]
fn a_domain_that_was_dropped() {
    let (world, mut device) = one_entry();
    entry(&world, &json!({ "kind": "drop" }));
    device.restart();
    let planned = world.sim.run(device.new_client(false).plan(), || false).unwrap();
    for error in [planned.unwrap_err(), device.sync_error()] {
        assert_eq!(error.kind(), ErrorKind::Replaced, "{error}");
    }
    assert_eq!(device.documents().len(), 1);
}

#[test]
fn an_entry_from_the_end_of_time_stops_nobody() {
    let (world, mut device) = one_entry();
    entry(
        &world,
        &json!({ "time": u64::MAX, "changes": [{ "id": "x", "action": "put" }, { "id": "x", "action": "delete" }] }),
    );
    device.put("mine", "2");
    device.sync();
    let mut other = world.device("b");
    other.sync();
    assert_eq!(other.documents(), device.documents());
    assert!(other.get("x").is_none(), "of an id that comes twice the last change counts");
}

#[test]
fn a_lease_record_with_the_last_number() {
    let (world, mut device) = one_entry();
    let key = format!("domains/main/lease/{LAST}/data");
    let header = json!({ "token": 9_999_999_999_999_999_u64, "nonce": "00".repeat(16), "kind": "release", "ttl": 0, "purpose": "" });
    insert(&world, &key, Kind::Lease, header);
    let (server, request) = (server(&world), LockRequest::new("test"));
    let error = world.sim.run(server.lock(&request), || false).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    device.put("doc", "2");
    assert_eq!(device.sync().pushed, 1, "no data hangs on the lease");
}

#[test]
fn a_record_that_says_it_is_another() {
    let (world, _) = one_entry();
    let key = "domains/main/lease/0000000000000007/data";
    let header = json!({ "token": 3, "nonce": "00".repeat(16), "kind": "release", "ttl": 0, "purpose": "" });
    insert(&world, key, Kind::Lease, header);
    let (server, request) = (server(&world), LockRequest::new("test"));
    let error = world.sim.run(server.lock(&request), || false).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(key)), "{error}");

    let name = MetadataName::new("schema").unwrap();
    let key = "domains/main/meta/schema/0000000000000007/data";
    insert(&world, key, Kind::Metadata, json!({ "name": "other", "version": 3, "nonce": "00".repeat(16) }));
    let error = world.sim.run(server.metadata_read(&name), || false).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(key)), "{error}");
}

/// A server that does not know how to list from a name on: it gives its first page again and again.
#[derive(Debug)]
struct Circle {
    empty: bool,
    lists: AtomicU64,
}

#[async_trait]
impl Bend for Circle {
    async fn list(&self, inner: &dyn Storage, folder: &Folder, _: Option<&str>) -> Result<Reply<Listing>> {
        assert!(self.lists.fetch_add(1, Ordering::SeqCst) < 100, "it lists for ever");
        let mut reply = inner.list(folder, None).await?;
        if self.empty {
            reply.value.names.clear();
        }
        reply.value.more = true;
        Ok(reply)
    }
}

#[test]
fn a_listing_that_never_ends() {
    for empty in [false, true] {
        let (world, _) = one_entry();
        insert(&world, "domains/main/snapshot/0000000000000001/data", Kind::Snapshot, json!({}));
        let sim = Sim::new(1);
        let storage = Forward::new(world.storage.clone(), Circle { empty, lists: AtomicU64::new(0) });
        let server = StoredServer::new(Arc::new(storage), sim.runtime(), &DomainName::default()).unwrap();
        let error = sim.run(server.floor(), || false).unwrap().expect_err("what follows is not known");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(!error.to_string().is_empty());
    }
}

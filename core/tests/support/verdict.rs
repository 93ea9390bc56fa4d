//! What must be true at the end of every run.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::{
    Change, ClientId, Content, DocumentId, DomainName, Entry, MemoryStorage, Sequence, Server, StoredServer,
};

use super::device::{Device, World};

/// A server that has everything that ever was in the store, what was trimmed included.
fn server(world: &World) -> StoredServer {
    let all = MemoryStorage::new();
    let mut objects = world.archive.lock().unwrap().clone();
    objects.extend(world.storage.objects());
    all.set_objects(objects);
    StoredServer::new(std::sync::Arc::new(all), world.sim.runtime(), &DomainName::default()).unwrap()
}

/// Who wrote each entry, in order.
pub fn writers(world: &World) -> Vec<ClientId> {
    entries(world).into_iter().map(|(entry, _)| entry.client).collect()
}

/// Every entry there ever was, with its changes.
pub fn entries(world: &World) -> Vec<(Entry, Vec<Change>)> {
    let server = server(world);
    let mut entries = Vec::new();
    let mut previous = block_on(server.store()).unwrap().value.expect("the store is there").hash;
    let mut number = Sequence::FIRST;
    while let Some(entry) = block_on(server.changes_read(number, 1)).unwrap().remove(0).value {
        assert_eq!(entry.previous, previous, "the chain breaks at entry {number}");
        previous = entry.hash;
        let read = |segment| block_on(server.segment(segment)).expect("I8: a named segment can be read");
        let changes = match &entry.content {
            Content::Changes(list) => list.clone(),
            Content::Segments(segments) => segments.iter().flat_map(read).collect(),
            Content::Snapshot { .. } | Content::Collect => Vec::new(),
            other => panic!("nobody wrote {other:?}"),
        };
        entries.push((entry, changes));
        number = number.next().unwrap();
    }
    entries
}

/// Everything the log ever said, in order.
pub fn log(world: &World) -> Vec<Change> {
    entries(world).into_iter().flat_map(|(_, changes)| changes).collect()
}

/// The documents that the log leaves.
pub fn fold(changes: &[Change]) -> BTreeMap<DocumentId, Bytes> {
    let mut documents = BTreeMap::new();
    for change in changes {
        match change.action.body() {
            Some(body) => documents.insert(change.id.clone(), body.clone()),
            None => documents.remove(&change.id),
        };
    }
    documents
}

/// All devices are in step, with the log and with each other, and nothing is left over. (I5)
pub fn in_step(world: &World, devices: &[&Device]) {
    let expected = fold(&log(world));
    for (at, device) in devices.iter().enumerate() {
        assert_eq!(block_on(device.new_client(false).status()).unwrap().pending, 0, "device {at} has pending changes");
        assert_eq!(device.documents(), expected, "device {at} differs from the log");
    }
}

/// No body was committed twice (every write in a test has a body of its own). (I3)
pub fn committed_once(world: &World) {
    let mut seen = BTreeSet::new();
    for change in log(world) {
        if let Some(body) = change.action.body() {
            assert!(seen.insert((change.id.clone(), body.clone())), "{:?} committed twice", change.id);
        }
    }
}

/// Every write is in the log, or its user replaced it before it could be pushed, or an app was told of it. (I2, I4)
pub fn nothing_dropped(world: &World) {
    let replaced = world.replaced.lock().unwrap();
    let logged: BTreeSet<(DocumentId, Bytes)> =
        log(world).iter().filter_map(|change| Some((change.id.clone(), change.action.body()?.clone()))).collect();
    let told = world.told.lock().unwrap();
    for (id, body) in world.written.lock().unwrap().iter() {
        let known = logged.contains(&(id.clone(), body.clone()))
            || told.contains(&(id.clone(), Some(body.clone())))
            || replaced.contains(body);
        assert!(known, "the write {body:?} of {id:?} was dropped silently");
    }
}

pub fn sound(world: &World, devices: &[&Device]) {
    in_step(world, devices);
    committed_once(world);
    nothing_dropped(world);
}

//! What must be true at the end of every run.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::{Change, ClientId, Content, DocumentId, DomainName, Sequence, Server, StoredServer};

use super::device::{Device, World};

fn server(world: &World) -> StoredServer {
    let storage = std::sync::Arc::new(world.storage.clone());
    StoredServer::new(storage, world.sim.runtime(), &DomainName::default()).unwrap()
}

/// Who wrote each entry, in order.
pub fn writers(world: &World) -> Vec<ClientId> {
    let replies = block_on(server(world).changes_read(Sequence::FIRST, 100)).unwrap();
    replies.into_iter().map_while(|reply| Some(reply.value?.client)).collect()
}

/// Everything the log says, in order.
pub fn log(world: &World) -> Vec<Change> {
    let server = server(world);
    let mut changes = Vec::new();
    let mut previous = block_on(server.store()).unwrap().value.expect("the store is there").hash;
    let mut number = Sequence::FIRST;
    while let Some(entry) = block_on(server.changes_read(number, 1)).unwrap().remove(0).value {
        assert_eq!(entry.previous, previous, "the chain breaks at entry {number}");
        previous = entry.hash;
        match entry.content {
            Content::Changes(list) => changes.extend(list),
            Content::Segments(segments) => {
                for segment in &segments {
                    changes.extend(block_on(server.segment(segment)).expect("I8: a named segment can be read"));
                }
            }
            other => panic!("nobody wrote {other:?}"),
        }
        number = number.next().unwrap();
    }
    changes
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

//! A mount that caches missing names shows an entry a moment late, while the one behind it is there already. Each such gap is waited
//! for; only one that stays is damage, however many there were before.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Client, Created, DomainName, Folder, Listing, MemoryReplica, MemoryStorage, Object,
    ObjectKey, Payload, Reply, Result, Storage, StoredServer,
};
use support::World;

/// Every second entry is missing when it is first asked for.
#[derive(Debug)]
struct Late {
    inner: MemoryStorage,
    asked: Mutex<BTreeSet<ObjectKey>>,
}

#[async_trait]
impl Storage for Late {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.inner.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let number = key.parts().rev().nth(1).and_then(|name| name.parse::<u64>().ok());
        let late = key.as_str().contains("/log/") && number.is_some_and(|number| number > 2 && number % 2 == 1);
        if late && self.asked.lock().unwrap().insert(key.clone()) {
            return Ok(self.inner.get(key, range).await?.map(|_| None));
        }
        self.inner.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.inner.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.inner.delete(key).await
    }
}

#[test]
fn gaps_that_close_are_no_damage() {
    let world = World::new(70, true);
    let mut a = world.device("a");
    for n in 0..40 {
        a.put(&format!("doc/{n}"), "body");
        a.sync();
    }
    let storage = Late { inner: world.storage.clone(), asked: Mutex::default() };
    let server = StoredServer::new(Arc::new(storage), world.sim.runtime(), &DomainName::default()).unwrap();
    let replica = MemoryReplica::new();
    let client = Client::builder_on(world.sim.runtime(), Arc::new(server), Arc::new(replica.clone())).build();
    let report = world.sim.run(client.sync(), || false).unwrap().unwrap();
    assert_eq!(report.pulled, 40);
    assert_eq!(replica.documents().len(), 40);
}

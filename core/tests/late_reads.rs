//! A mount that caches missing names shows an entry a moment late, while the one behind it is there already. Each such gap is waited
//! for; only one that stays is damage, however many there were before.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use longshore_core::{
    ByteRange, Client, DomainName, MemoryReplica, Object, ObjectKey, Reply, Result, Storage, StoredServer,
};
use support::{Bend, Forward, World};

/// Every second entry is missing when it is first asked for.
#[derive(Debug, Default)]
struct Late(Mutex<BTreeSet<ObjectKey>>);

#[async_trait]
impl Bend for Late {
    async fn get(&self, inner: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let number = key.parts().rev().nth(1).and_then(|name| name.parse::<u64>().ok());
        let late = key.as_str().contains("/log/") && number.is_some_and(|number| number > 2 && number % 2 == 1);
        let reply = inner.get(key, range).await?;
        Ok(if late && self.0.lock().unwrap().insert(key.clone()) { reply.map(|_| None) } else { reply })
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
    let storage = Forward::new(world.storage.clone(), Late::default());
    let server = StoredServer::new(Arc::new(storage), world.sim.runtime(), &DomainName::default()).unwrap();
    let replica = MemoryReplica::new();
    let client = Client::builder_on(world.sim.runtime(), Arc::new(server), Arc::new(replica.clone())).build();
    let report = world.sim.run(client.sync(), || false).unwrap().unwrap();
    assert_eq!(report.pulled, 40);
    assert_eq!(replica.documents().len(), 40);
}

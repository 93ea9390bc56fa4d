//! A run touches nothing outside its own folder `conformance-…`, and leaves nothing in it: an author may run it against a bucket in
//! use.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_conformance::{Harness, Size, Suite};
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Result,
    Storage,
};

/// Writes down every name that it is asked for outside the folder of a run.
#[derive(Clone, Debug, Default)]
struct Watched {
    right: MemoryStorage,
    outside: Arc<Mutex<BTreeSet<String>>>,
}

impl Watched {
    fn note(&self, call: &str, name: &str) -> &MemoryStorage {
        let first = name.split('/').next().unwrap_or_default();
        let number = first.strip_prefix("conformance-").unwrap_or_default();
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !number
            .split_once('-')
            .is_some_and(|(time, number)| time.len() == 11 && number.len() == 16 && is_hex(time) && is_hex(number))
        {
            self.outside.lock().unwrap().insert(format!("{call} {name:?}"));
        }
        &self.right
    }
}

#[async_trait]
impl Storage for Watched {
    fn capabilities(&self) -> Capabilities {
        self.right.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.note("create", key.as_str()).create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.note("put", key.as_str()).put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.note("get", key.as_str()).get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.note("list", folder.as_str()).list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.note("delete", key.as_str()).delete(key).await
    }
}

#[test]
fn nothing_outside_its_place_is_touched_and_nothing_stays_in_it() {
    let theirs = BTreeMap::from([(ObjectKey::new("records/theirs/data").unwrap(), Bytes::from_static(b"theirs"))]);
    let watched = Watched::default();
    watched.right.set_objects(theirs.clone());
    let shared = watched.clone();
    let harness = Harness::storage("watched", move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    });
    let reports = Suite::new(harness.in_this_process()).size(Size::Quick).run().unwrap();
    let failed: Vec<_> = reports.iter().filter(|report| report.verdict.is_failed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let outside = watched.outside.lock().unwrap();
    assert!(outside.is_empty(), "{outside:#?}");
    assert_eq!(watched.right.objects(), theirs);
}

//! `object_store`'s own memory passes the suite.

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, run};
use longshore_core::Storage;
use longshore_object::ObjectStorage;
use object_store::memory::InMemory;

fn main() -> ExitCode {
    let shared = Arc::new(InMemory::new());
    let harness = Harness::storage("object memory", move |_| {
        let store = shared.clone();
        async move { Ok(Arc::new(ObjectStorage::new(store, "a-prefix/of-two")?) as Arc<dyn Storage>) }
    });
    run(harness.in_this_process())
}

//! The storage in memory passes the suite.

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, run};
use longshore_core::{MemoryStorage, ServerTime, Storage};

fn main() -> ExitCode {
    let shared = MemoryStorage::new();
    shared.set_time(Some(ServerTime::from_millis(1_700_000_000_000)));
    let open = move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    run(Harness::storage("memory", open).in_this_process())
}

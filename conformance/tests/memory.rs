//! The storage in memory passes the suite.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use longshore_conformance::{Harness, run};
use longshore_core::{MemoryStorage, Runtime as _, ServerTime, Storage, TokioRuntime};

/// The storage has no time of its own.
fn set_time(shared: &MemoryStorage) {
    shared.set_time(Some(ServerTime::from_millis(1_700_000_000_000 + TokioRuntime.now().as_millis())));
}

fn main() -> ExitCode {
    let shared = MemoryStorage::new();
    set_time(&shared);
    let clock = shared.clone();
    let ticking = std::thread::Builder::new().spawn(move || {
        loop {
            std::thread::park_timeout(Duration::from_millis(10));
            set_time(&clock);
        }
    });
    drop(ticking.expect("a thread for the clock"));
    let open = move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    run(Harness::storage("memory", open).in_this_process())
}

//! A server whose clock is its own passes the suite: no case moves that clock on, or takes virtual time for its time.
//!
//! `LONGSHORE_SIZE=full` waits in earnest for leases to run out.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_conformance::{Harness, Site, run};
use longshore_core::{MemoryStorage, Server, StoredServer, TokioRuntime};

fn main() -> ExitCode {
    let stores = Arc::new(Mutex::new(BTreeMap::<String, MemoryStorage>::new()));
    let removed = Arc::clone(&stores);
    let open = move |site: Site| {
        let store = stores.lock().unwrap_or_else(PoisonError::into_inner).entry(site.store).or_default().clone();
        async move {
            let server = StoredServer::new(Arc::new(store), Arc::new(TokioRuntime), &site.domain)?;
            Ok(Arc::new(server) as Arc<dyn Server>)
        }
    };
    let harness = Harness::server("real-time", open).in_this_process().in_real_time();
    run(harness.removing(move |site: Site| {
        removed.lock().unwrap_or_else(PoisonError::into_inner).remove(&site.store);
        async { Ok(()) }
    }))
}

//! The adapter passes the suite.

use std::process::ExitCode;
use std::sync::Arc;

use adapter_template::SqliteStorage;
use longshore_conformance::{Harness, Scratch, run};
use longshore_core::{Result, Storage};

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(SqliteStorage::create_database(&scratch.path().join("store.db"))?))
}

async fn open_missing(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(SqliteStorage::open(&scratch.path().join("missing.db"))?))
}

fn main() -> ExitCode {
    run(Harness::storage("sqlite", open).missing_root(open_missing))
}

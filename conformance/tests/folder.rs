//! A folder passes the suite.

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, Scratch, run};
use longshore_core::{Result, Storage};
use longshore_fs::Fs;

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(Fs::create_root(scratch.path().join("store"))?))
}

async fn open_missing(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(Fs::open(scratch.path().join("missing"))?))
}

fn main() -> ExitCode {
    run(Harness::storage("folder", open).missing_root(open_missing))
}

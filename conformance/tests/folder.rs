//! A folder passes the suite.

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, Scratch, run};
use longshore_core::{Error, ErrorKind, Result, Storage};
use longshore_fs::Fs;

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(Fs::create_root(scratch.path().join("store"))?))
}

/// A root that goes while it is in use: an unplugged disk.
async fn open_missing(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    let root = tempfile::tempdir_in(scratch.path())
        .map_err(|error| Error::new(ErrorKind::Full, "no folder").with_source(error))?;
    let storage = Fs::open(root.path())?;
    drop(root);
    Ok(Arc::new(storage))
}

fn main() -> ExitCode {
    run(Harness::storage("folder", open).missing_root(open_missing))
}

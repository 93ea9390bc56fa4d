//! `object_store`'s folder passes the suite.

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, Scratch, run};
use longshore_core::{Error, ErrorKind, Result, Storage};
use longshore_object::ObjectStorage;
use object_store::local::LocalFileSystem;

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    let failed = |error| Error::new(ErrorKind::Missing, "no folder").with_source(error);
    let root = scratch.path().join("store");
    std::fs::create_dir_all(&root).map_err(|error| Error::new(ErrorKind::Full, "no folder").with_source(error))?;
    let store = LocalFileSystem::new_with_prefix(root).map_err(failed)?.with_automatic_cleanup(true).with_fsync(true);
    Ok(Arc::new(ObjectStorage::new(Arc::new(store), "")?))
}

fn main() -> ExitCode {
    run(Harness::storage("object folder", open))
}

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, Scratch, run};
use longshore_core::Storage;
use longshore_shelf::Shelf;

fn main() -> ExitCode {
    let shelf = Shelf::default();
    let open = move |_: Scratch| {
        let client = shelf.clone();
        async move { Ok(Arc::new(client) as Arc<dyn Storage>) }
    };
    run(Harness::storage("shelf", open).in_this_process())
}

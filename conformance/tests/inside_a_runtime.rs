//! A program that runs the suite may be asynchronous itself. The suite brings threads of its own, in the processes that it kills
//! too: they are this very program, which comes to the suite inside its runtime.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::sync::Arc;

use longshore_conformance::{Harness, Scratch, Size, Suite, Verdict};
use longshore_core::{Result, Storage};
use longshore_fs::Fs;

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(Fs::create_root(scratch.path().join("store"))?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let suite = Suite::new(Harness::storage("folder", open)).size(Size::Quick).seed(1);
    let cases = ["storage::create::a_second_one", "crash::in_the_middle_of_a_push"];
    let reports = cases.into_iter().fold(suite, Suite::only).run().unwrap();
    assert_eq!(reports.len(), 2);
    for report in reports {
        assert_eq!(report.verdict, Verdict::Passed, "{}", report.case.name());
        println!("{} ... ok", report.case.name());
    }
}

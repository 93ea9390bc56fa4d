//! S3 over real HTTP passes the suite: against a server in this process.

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, run};
use longshore_core::{Result, Storage};
use longshore_s3::S3;
use longshore_s3_double::{Double, Kind};

fn open(endpoint: &str, bucket: &str, key: &str) -> Result<Arc<dyn Storage>> {
    let builder =
        S3::builder(bucket).with_prefix("a/prefix+of ours, grün").with_endpoint(endpoint).with_allow_http(true);
    Ok(Arc::new(builder.with_credentials(key, "any", None).build()?))
}

fn main() -> ExitCode {
    let server = match Double::start(Kind::Sound) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("no server: {error}");
            return ExitCode::FAILURE;
        }
    };
    let opener = |bucket: &'static str, key: &'static str| {
        let endpoint = server.endpoint();
        move |_| std::future::ready(open(&endpoint, bucket, key))
    };
    // Its `Date` is real and the suite's time is not. They never meet: a client compares the server's time with nothing but
    // the server's time.
    let harness = Harness::storage("s3 double", opener(Double::BUCKET, Double::ACCESS_KEY))
        .missing_root(opener("missing", Double::ACCESS_KEY))
        .wrong_credentials(opener(Double::BUCKET, "stranger"))
        .in_this_process();
    run(harness)
}

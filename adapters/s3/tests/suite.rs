//! A real server passes the suite: the one at the address in `LONGSHORE_S3`.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use longshore_conformance::{Harness, run};
use longshore_core::{Result, Storage};
use longshore_s3::S3;

fn open(address: &str) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(S3::open(address)?))
}

fn main() -> ExitCode {
    let Ok(address) = std::env::var("LONGSHORE_S3") else {
        let how = "no server: scripts/servers/with-s3.sh ceph-rgw cargo test -p longshore-s3 --test suite";
        let trial = Trial::test(how, || Ok(())).with_ignored_flag(true);
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    };
    run(Harness::storage(address.clone(), move |_| std::future::ready(open(&address))))
}

//! WebDAV over real HTTP passes the suite: against a server in this process.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::{Harness, run};
use longshore_core::{Result, Storage};
use longshore_webdav::WebDav;
use longshore_webdav_double::Double;

fn open(url: &str, password: &str) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(WebDav::builder(url).with_password(Double::USER, password).build()?))
}

fn main() -> ExitCode {
    let server = Double::start().unwrap();
    let opener = |path: &str, password: &'static str| {
        let url = server.url(path);
        move |_| std::future::ready(open(&url, password))
    };
    // Its `Date` is real and the suite's time is not. They never meet: a client compares the server's time with nothing but
    // the server's time.
    let harness = Harness::storage("dav-server", opener("store", Double::PASSWORD))
        .missing_root(opener("missing", Double::PASSWORD))
        .wrong_credentials(opener("store", "wrong"))
        .in_this_process();
    run(harness)
}

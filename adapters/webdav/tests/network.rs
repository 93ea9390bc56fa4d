//! Connections that break, stand still or carry nonsense, between WebDAV and a server that is right: but it writes in place, so that what
//! a cut upload brought stays there.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use longshore_conformance::{CaseReport, Group, Harness, Size, Suite, Verdict};
use longshore_core::{Result, Storage};
use longshore_webdav::{HttpOptions, WebDav};
use longshore_webdav_double::Double;

/// Not less: on a busy machine this server needs a while for some of its answers.
const IDLE: Duration = Duration::from_secs(2);

fn open(address: SocketAddr, http: HttpOptions) -> Result<Arc<dyn Storage>> {
    let builder = WebDav::builder(format!("http://{address}/store"));
    Ok(Arc::new(builder.with_password(Double::USER, Double::PASSWORD).with_http(http).build()?))
}

#[test]
fn whatever_the_network_does_is_told_as_it_is() {
    let server = Double::start().unwrap();
    let address = server.address();
    let harness = Harness::storage("dav-server", move |_| ready(open(address, HttpOptions::default())))
        .in_this_process()
        .over_network(address, |_, proxy| ready(open(proxy, HttpOptions::default().with_idle_timeout(IDLE))));
    let tell = |report: &CaseReport| println!("{} {:?}", report.case.name(), report.took);
    let reports = Suite::new(harness).size(Size::Quick).only("network::").run_with(tell).unwrap();
    let cases = Suite::cases().into_iter().filter(|case| case.group() == Group::Network).count();
    let failed: Vec<_> = reports.iter().filter(|report| report.verdict != Verdict::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(reports.len(), cases);
}

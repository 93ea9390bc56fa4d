//! Connections that break, stand still or carry nonsense, between S3 and a server that is right.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use longshore_conformance::{Group, Harness, Suite, Verdict};
use longshore_core::{Result, Storage};
use longshore_http::HttpOptions;
use longshore_s3::S3;
use longshore_s3_double::{Double, Kind};

/// As the suite asks for: at most a second.
const IDLE: Duration = Duration::from_secs(2);

fn open(address: SocketAddr, http: HttpOptions) -> Result<Arc<dyn Storage>> {
    let builder = S3::builder(Double::BUCKET).with_endpoint(format!("http://{address}")).with_allow_http(true);
    Ok(Arc::new(builder.with_credentials(Double::ACCESS_KEY, "any", None).with_http(http).build()?))
}

#[test]
fn whatever_the_network_does_is_told_as_it_is() {
    let server = Double::start(Kind::Sound).unwrap();
    let address = server.address();
    let harness = Harness::storage("s3 double", move |_| ready(open(address, HttpOptions::default())))
        .in_this_process()
        .over_network(address, |_, proxy| ready(open(proxy, HttpOptions::default().with_idle_timeout(IDLE))));
    let tell = |report: &longshore_conformance::CaseReport| println!("{} {:?}", report.case.name(), report.took);
    let reports = Suite::new(harness).only("network::").run_with(tell).unwrap();
    let cases = Suite::cases().into_iter().filter(|case| case.group() == Group::Network).count();
    let failed: Vec<_> = reports.iter().filter(|report| report.verdict != Verdict::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(reports.len(), cases);
}

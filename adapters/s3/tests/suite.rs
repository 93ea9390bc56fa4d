//! A real server passes the suite: the one that `scripts/servers/with-s3.sh` started.
//!
//! Of several gateways each client takes the next one, as devices behind a balancer do; all that `GATEWAYS` counts must be there. With `LONGSHORE_S3_KILL` the daemons of these names
//! are killed and started again: `rgw`, `osd`, `osd.0`, or several with spaces between. `LONGSHORE_S3_KILL_PART` names some for which
//! the others stand in, such as `osd.1` of three. Connections to the first gateway are cut.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use longshore_conformance::{Commands, Harness, run};
use longshore_core::{Error, Result, Storage};
use longshore_s3::{HttpOptions, S3};

/// As the suite asks for: at most a second.
const IDLE: Duration = Duration::from_millis(800);

/// The endpoints of all gateways; none if there is no server.
fn endpoints() -> Vec<String> {
    let more = (2..).map_while(|number| std::env::var(format!("AWS_ENDPOINT_{number}")).ok());
    std::env::var("AWS_ENDPOINT").into_iter().chain(more).collect()
}

/// Where the server listens, if it is named by its number.
fn listens(endpoint: &str) -> Option<SocketAddr> {
    endpoint.strip_prefix("http://")?.trim_end_matches('/').parse().ok()
}

/// A client whose requests go to a proxy before the server. It signs the name under which it asks, so it is to ask the proxy.
fn open_via(address: &str, proxy: SocketAddr) -> Result<Arc<dyn Storage>> {
    let builder = S3::builder_from(address)?.with_endpoint(format!("http://{proxy}")).with_allow_http(true);
    Ok(Arc::new(builder.with_http(HttpOptions::default().with_idle_timeout(IDLE)).build()?))
}

/// How the daemons that this variable names are killed, and started again, if it is set. Who wants them killed and does not say how
/// must not see a run without it pass.
fn killed_by(variable: &str) -> std::result::Result<Option<Commands>, String> {
    let Some(names) = std::env::var_os(variable) else { return Ok(None) };
    let path = |name| {
        let missing = || format!("{variable} is set and {name} is not: start the server by scripts/servers/with-s3.sh");
        std::env::var_os(name).ok_or_else(missing)
    };
    let (script, folder) = (path("LONGSHORE_S3_SCRIPT")?, path("LONGSHORE_S3_DIR")?);
    let names = names.to_string_lossy().into_owned();
    let kill = [&*script, OsStr::new("kill"), &*folder].into_iter().chain(names.split(' ').map(OsStr::new));
    Ok(Some(Commands::new(kill, [&*script, OsStr::new("revive"), &*folder])))
}

/// Who asks for several gateways must not see a run over one of them pass.
fn all_are_here(endpoints: &[String]) -> std::result::Result<(), String> {
    let Ok(asked) = std::env::var("GATEWAYS") else { return Ok(()) };
    let given = endpoints.len();
    if asked == given.to_string() { Ok(()) } else { Err(format!("GATEWAYS={asked}, and there are {given} endpoints")) }
}

/// What runs it over a server: as it is; with two gateways; with all of it killed, and a part of it.
const HOW: [&str; 4] = [
    "scripts/servers/with-s3.sh ceph-rgw cargo test -p longshore-s3 --test suite",
    "OSDS=3 SIZE=3 GATEWAYS=2 scripts/servers/with-s3.sh ceph-rgw cargo test -p longshore-s3 --test suite",
    "STORE=bluestore LONGSHORE_S3_KILL='rgw osd mon' scripts/servers/with-s3.sh ceph-rgw cargo test -p longshore-s3 --test suite -- \
     crash::of_the_server",
    "OSDS=3 SIZE=3 GATEWAYS=2 STORE=bluestore LONGSHORE_S3_KILL_PART=osd.1 scripts/servers/with-s3.sh ceph-rgw \
     cargo test -p longshore-s3 --test suite -- crash::of_a_part_of_the_server",
];

fn main() -> ExitCode {
    suite().unwrap_or_else(|why| {
        eprintln!("{why}");
        ExitCode::FAILURE
    })
}

fn suite() -> std::result::Result<ExitCode, String> {
    let (killed, part) = (killed_by("LONGSHORE_S3_KILL")?, killed_by("LONGSHORE_S3_KILL_PART")?);
    let endpoints = endpoints();
    all_are_here(&endpoints)?;
    let (Ok(address), false) = (std::env::var("LONGSHORE_S3"), endpoints.is_empty()) else {
        let trials = HOW.map(|how| Trial::test(format!("no server: {how}"), || Ok(())).with_ignored_flag(true));
        return Ok(libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code());
    };
    let (next, stranger, near) = (Arc::new(AtomicUsize::new(0)), address.clone(), address.clone());
    let server = listens(&endpoints[0]);
    let open = {
        let (address, endpoints) = (address.clone(), endpoints);
        move || {
            let endpoint = &endpoints[next.fetch_add(1, Ordering::SeqCst) % endpoints.len()];
            Ok::<_, Error>(S3::builder_from(&address)?.with_endpoint(endpoint))
        }
    };
    let missing = open.clone();
    let harness = Harness::storage(address, move |_| {
        let storage = open().and_then(|builder| Ok(Arc::new(builder.build()?) as Arc<dyn Storage>));
        std::future::ready(storage)
    });
    let harness = harness.missing_root(move |_| {
        let builder = missing().map(|builder| builder.with_bucket("no-such-bucket-of-ours"));
        std::future::ready(builder.and_then(|builder| Ok(Arc::new(builder.build()?) as Arc<dyn Storage>)))
    });
    let harness = harness.wrong_credentials(move |_| {
        let builder = S3::builder_from(&stranger).map(|builder| builder.with_credentials("stranger", "secret", None));
        std::future::ready(builder.and_then(|builder| Ok(Arc::new(builder.build()?) as Arc<dyn Storage>)))
    });
    let harness = match server {
        Some(server) => harness.over_network(server, move |_, proxy| std::future::ready(open_via(&near, proxy))),
        None => harness,
    };
    let harness = match killed {
        Some(daemons) => harness.killable(daemons),
        None => harness,
    };
    Ok(run(match part {
        Some(daemons) => harness.killable_part(daemons),
        None => harness,
    }))
}

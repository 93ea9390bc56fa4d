//! How often a server is refused that cannot be trusted: by the probe at the first use of a store, and by the doctor.
//!
//! ```text
//! scripts/servers/with-s3.sh s3s-fs cargo run -p longshore-s3 --example hostile -- ROUNDS LEAST
//! ```
//!
//! It prints the counts and what was seen. It fails where one of the two refused the server in fewer than LEAST of the ROUNDS.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use longshore_conformance::doctor::{Finding, Health, examine};
use longshore_core::{DomainName, ErrorKind, Result, Storage, TokioRuntime};
use longshore_s3::S3;

/// How often something was seen.
#[derive(Default)]
struct Seen(BTreeMap<String, u32>);

impl Seen {
    fn add(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, times)| writeln!(f, "  {times} times: {what}"))
    }
}

/// Why the first use of a store there is refused; `None` where it is not.
async fn probe(address: &str) -> Result<Option<String>> {
    let server = S3::open(address)?.server(Arc::new(TokioRuntime), &DomainName::default())?;
    match server.probe().await {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Some(error.message().to_owned())),
        Err(error) => Err(error),
    }
}

/// What the doctor has against it.
async fn doctor(address: &str) -> Vec<Finding> {
    let address = address.to_owned();
    let open = move || -> futures::future::BoxFuture<'static, _> {
        let storage = S3::open(&address).map(|storage| Arc::new(storage) as Arc<dyn Storage>);
        Box::pin(std::future::ready(storage))
    };
    let mut findings = examine(&open).await;
    findings.retain(|finding| finding.health == Health::Bad);
    findings
}

/// Says how often it was refused, and whether that is often enough.
fn judge(who: &str, (refused, least, rounds): (u32, u32, u32), seen: &Seen) -> bool {
    print!("{who}: refused in {refused} of {rounds}, to be at least {least}\n{seen}");
    refused >= least
}

async fn run(address: &str, rounds: u32, least: u32) -> Result<bool> {
    let (mut refused, mut seen) = (0, Seen::default());
    for _ in 0..rounds {
        if let Some(why) = probe(address).await? {
            refused += 1;
            seen.add(why);
        }
    }
    let probed = judge("first use", (refused, least, rounds), &seen);
    let (mut refused, mut seen) = (0, Seen::default());
    for _ in 0..rounds {
        let findings = doctor(address).await;
        refused += u32::from(!findings.is_empty());
        for finding in findings {
            seen.add(finding.to_string());
        }
    }
    Ok(judge("doctor", (refused, least, rounds), &seen) && probed)
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().ok());
    let (Some(Some(rounds)), Some(Some(least)), Ok(address)) =
        (arguments.next(), arguments.next(), std::env::var("LONGSHORE_S3"))
    else {
        eprintln!("with-s3.sh SERVER cargo run -p longshore-s3 --example hostile -- ROUNDS LEAST");
        return ExitCode::from(2);
    };
    match run(&address, rounds, least).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

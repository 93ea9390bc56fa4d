//! `longshore doctor`: whether a store can hold data safely.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join3};
use longshore::{Error, ErrorKind};
use longshore_conformance::doctor::{Finding, Health, examine};
use serde_json::json;

use super::text::print_json;
use crate::address;
use crate::args::Doctor;
use crate::exit::{Exit, Result, one_line};
use crate::output::say;
use crate::stores::{self, Kind};

/// How long a first opening may take that shows whether the address is right,
const OPENING: Duration = Duration::from_millis(500);
/// how long a look at the store's place may take; it goes on beside the examination,
const LOOKING: Duration = Duration::from_secs(5);
/// and how long the sweeping after it, so that all is said within ten seconds.
const SWEEPING: Duration = Duration::from_millis(400);

pub(super) async fn run(args: &Doctor, json: bool) -> Result<Exit> {
    address::check(&args.url)?;
    let kind = stores::of(&args.url);
    // A wrong address is no finding about a store.
    if let Ok(Err(error)) = tokio::time::timeout(OPENING, stores::open(Arc::clone(&kind))).await {
        return Err(stores::unreached(&error, &args.url));
    }
    let mut findings = findings(&kind).await;
    findings.extend(creation(&findings, &*kind));
    advise(&mut findings, &*kind);
    name_store(&mut findings, &args.url);
    let worst = worst(&findings);
    if json {
        print_json(&json!({ "health": worst.as_str(), "findings": findings.iter().map(as_json).collect::<Vec<_>>() }));
    } else {
        print(&findings, worst);
    }
    Ok(exit(&findings))
}

/// All that is found out in ten seconds. Whatever may block has a thread of its own, which is left to itself if it does.
async fn findings(kind: &Arc<dyn Kind>) -> Vec<Finding> {
    let opener = Arc::clone(kind);
    let open = move || -> BoxFuture<'static, _> { Box::pin(stores::open(Arc::clone(&opener))) };
    let (mut findings, looked, left) = join3(examine(&open), look(Arc::clone(kind)), left_behind(kind)).await;
    findings.extend(looked);
    findings.extend(left);
    // Who is not let in has left nothing, and asks no more: servers lock accounts.
    if !findings.iter().any(|finding| finding.topic == "credentials") {
        sweep(Arc::clone(kind)).await;
    }
    findings
}

async fn look(kind: Arc<dyn Kind>) -> Vec<Finding> {
    let looking = tokio::task::spawn_blocking(move || kind.look());
    // A place that cannot even be looked at does not answer the examination either, which says so.
    tokio::time::timeout(LOOKING, looking).await.ok().and_then(std::result::Result::ok).unwrap_or_default()
}

/// What killed runs have left. Beside the examination, which needs the time.
async fn left_behind(kind: &Arc<dyn Kind>) -> Option<Finding> {
    let looking = async {
        let storage = stores::open(Arc::clone(kind)).await.ok()?;
        stores::left_behind(&**kind, &*storage).await
    };
    let text = tokio::time::timeout(LOOKING, looking).await.ok()??;
    Some(Finding { topic: "left behind", health: Health::Note, text })
}

async fn sweep(kind: Arc<dyn Kind>) {
    let sweeping = tokio::task::spawn_blocking(move || kind.sweep("doctor-"));
    // What is left are empty folders.
    drop(tokio::time::timeout(SWEEPING, sweeping).await);
}

/// How a new store would create, where it could.
fn creation(findings: &[Finding], kind: &dyn Kind) -> Option<Finding> {
    if worst(findings) >= Health::Unknown {
        return None;
    }
    let by_fallback = findings.iter().any(|finding| finding.topic == "method");
    Some(Finding { topic: "create", health: Health::Note, text: kind.creates(by_fallback)? })
}

/// What is wrong ends with what to do about it.
fn advise(findings: &mut [Finding], kind: &dyn Kind) {
    for finding in findings.iter_mut().filter(|finding| finding.health >= Health::Unknown) {
        let error = match finding.topic {
            "credentials" => ErrorKind::Denied,
            "address" => ErrorKind::Invalid,
            "reachable" if finding.health == Health::Bad => ErrorKind::Missing,
            "reachable" => ErrorKind::Unavailable,
            _ => continue,
        };
        if let Some(step) = kind.next_step(&Error::new(error, finding.text.clone())) {
            // A message that tells the next step has it after this.
            if !finding.text.contains("; ") {
                finding.text = format!("{}; {step}", finding.text);
            }
        }
    }
}

/// What is wrong begins with the store that it is about.
fn name_store(findings: &mut [Finding], url: &str) {
    for finding in findings.iter_mut().filter(|finding| finding.health >= Health::Unknown) {
        finding.text = format!("{url}: {}", finding.text);
    }
}

/// The health of all together. Notes are worth knowing, and take nothing away.
fn worst(findings: &[Finding]) -> Health {
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Unknown);
    if worst == Health::Note { Health::Good } else { worst }
}

/// How the command ends: by the first thing that is bad, or else by what could not be found out.
fn exit(findings: &[Finding]) -> Exit {
    let first = |health| findings.iter().find(|finding| finding.health == health);
    match (first(Health::Bad), first(Health::Unknown)) {
        (Some(bad), _) => match bad.topic {
            "reachable" => Exit::Busy,
            "address" => Exit::Usage,
            "writable" | "credentials" => Exit::Failure,
            _ => Exit::Unsupported,
        },
        (None, Some(_)) => Exit::Busy,
        (None, None) => Exit::Done,
    }
}

fn print(findings: &[Finding], worst: Health) {
    for finding in findings {
        say!("{:8} {}: {}", finding.health.as_str(), finding.topic, one_line(&finding.text));
    }
    say!(
        "{}",
        match worst {
            Health::Bad => "this store cannot hold data safely as it is",
            Health::Unknown => "it could not be found out whether this store can hold data safely",
            Health::Warning => "this store can hold data safely, with the warnings above",
            Health::Note | Health::Good => "this store can hold data safely",
        }
    );
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({ "topic": finding.topic, "health": finding.health.as_str(), "text": finding.text })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use longshore::{MemoryStorage, Storage};

    use super::*;

    /// A folder on a mount whose server is gone: whatever touches it blocks, for as long as the test runs.
    struct Blocking(Mutex<Receiver<()>>);

    impl Kind for Blocking {
        fn open(&self) -> longshore::Result<Arc<dyn Storage>> {
            // The sender is dropped at the end of the test.
            self.0.lock().unwrap().recv().unwrap_err();
            Ok(Arc::new(MemoryStorage::new()))
        }

        fn sweep(&self, _prefix: &str) {
            self.0.lock().unwrap().recv().unwrap_err();
        }
    }

    struct Refusing(ErrorKind);

    impl Kind for Refusing {
        fn open(&self) -> longshore::Result<Arc<dyn Storage>> {
            Err(Error::new(self.0, "no"))
        }
    }

    fn ended(kind: impl Kind + 'static) -> (Health, Exit) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let findings = runtime.block_on(findings(&(Arc::new(kind) as Arc<dyn Kind>)));
        runtime.shutdown_background();
        (worst(&findings), exit(&findings))
    }

    #[test]
    fn a_place_that_blocks_for_ever_is_given_up() {
        let (open, blocked) = channel();
        assert_eq!(ended(Blocking(Mutex::new(blocked))), (Health::Unknown, Exit::Busy));
        drop(open);
    }

    #[test]
    fn each_kind_of_error_ends_as_it_must() {
        assert_eq!(ended(Refusing(ErrorKind::Unavailable)), (Health::Unknown, Exit::Busy));
        assert_eq!(ended(Refusing(ErrorKind::Missing)), (Health::Bad, Exit::Busy));
        assert_eq!(ended(Refusing(ErrorKind::Denied)), (Health::Bad, Exit::Failure));
        assert_eq!(ended(Refusing(ErrorKind::Invalid)), (Health::Bad, Exit::Usage));
    }
}

//! "Can this store hold my data safely?", answered in seconds by looking at what it does.
//!
//! It asks the same as the core's probe of a new store, and more, and refuses for the same reasons
//! ([`Flaw`](longshore_core::Flaw)). It writes to a place of its own and leaves no object there.

mod checks;
mod claims;
mod patient;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use longshore_core::{ErrorKind, Folder, Result, Storage};
use tokio::time::{Instant, timeout_at};

use self::patient::Patient;
use crate::litter;

/// Together these are under ten seconds, with some left for the caller: the first answer,
const REACHING: Duration = Duration::from_secs(2);
/// the checks,
const ASKING: Duration = Duration::from_millis(4500);
/// and removing what they wrote.
const TIDYING: Duration = Duration::from_millis(2500);

/// How good an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it must be.
    Good,
    /// It works; this is worth knowing.
    Note,
    /// It works here and now, and may hurt later.
    Warning,
    /// There was no answer, or not in time.
    Unknown,
    /// No data is safe there.
    Bad,
}

impl Health {
    /// One lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Bad => "bad",
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was asked, in a word or two.
    pub topic: &'static str,
    /// How good the answer is.
    pub health: Health,
    /// What was seen, and what follows from it.
    pub text: String,
}

impl Finding {
    pub(crate) fn new(topic: &'static str, health: Health, text: impl Into<String>) -> Self {
        Self { topic, health, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.health.as_str(), self.topic, self.text)
    }
}

/// Opens an independent client of the store; called several times. It must not block: what blocks cannot be given up.
pub type Open = dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Storage>>> + Send + Sync;

/// All answers, in less than ten seconds; the worst health among them decides.
///
/// ```
/// use std::sync::Arc;
///
/// use longshore_conformance::doctor::{Health, examine};
/// use longshore_core::{MemoryStorage, Storage};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let shared = MemoryStorage::new();
/// let at = shared.clone();
/// let findings = examine(&move || {
///     let storage = at.clone();
///     Box::pin(async move { Ok(Arc::new(storage) as Arc<dyn Storage>) })
/// })
/// .await;
/// assert!(findings.iter().all(|finding| finding.health < Health::Bad), "{findings:?}");
/// assert!(shared.objects().is_empty());
/// # });
/// ```
pub async fn examine(open: &Open) -> Vec<Finding> {
    let first = match tokio::time::timeout(REACHING, reach(open)).await {
        Ok(Ok(first)) => first,
        Ok(Err(finding)) => return and_nothing_more(vec![finding]),
        Err(_) => return and_nothing_more(vec![unanswered()]),
    };
    let place = match place() {
        Ok(place) => place,
        Err(error) => return and_nothing_more(vec![Finding::new("reachable", Health::Bad, error.message())]),
    };
    let mut findings = vec![Finding::new("reachable", Health::Good, "it answers, and lets us in")];
    let patient = Patient::new(first, place);
    let (before, mut usual) = (findings.len(), Vec::new());
    let asked = tokio::time::timeout(ASKING, ask(&patient, open, &mut findings, &mut usual)).await;
    if usual.is_empty() {
        if asked.is_err() {
            findings.push(checks::cut_off(&findings, ASKING));
        }
    } else if asked.is_err() || checks::is_bad(&findings) {
        // What was seen of the usual method stands.
        findings.truncate(before);
        findings.append(&mut usual);
    } else {
        findings.push(other_method(&patient, &usual));
    }
    findings.extend(tidy(&patient, asked.is_err()).await);
    let claims = claims::all(&patient.capabilities());
    if checks::is_bad(&findings) {
        // What the adapter says well of a store that does otherwise, or does nothing, means nothing.
        findings.extend(claims.into_iter().filter(|claim| claim.health > Health::Note));
        return and_nothing_more(findings);
    }
    findings.extend(claims);
    findings.push(Finding::new("limits of this", Health::Note, checks::LIMITS));
    findings
}

/// Asks of the adapter's usual method to create, and where that does not hold, of the one that a new store would be made by instead:
/// then `usual` has what was found first.
async fn ask(patient: &Patient, open: &Open, findings: &mut Vec<Finding>, usual: &mut Vec<Finding>) {
    let before = findings.len();
    checks::all(patient, open, findings).await;
    if checks::is_bad(findings) && patient.adopt().is_some() {
        *usual = findings.split_off(before);
        checks::all(patient, open, findings).await;
    }
}

fn other_method(patient: &Patient, usual: &[Finding]) -> Finding {
    let why = usual.last().map(|finding| finding.text.as_str()).unwrap_or_default();
    let method = patient.method().unwrap_or("another");
    let text =
        format!("the adapter's usual method to create does not hold here ({why}): a new store is made by {method}");
    Finding::new("method", Health::Note, text)
}

/// The findings, and what was left out since it would say nothing after one of them.
fn and_nothing_more(mut findings: Vec<Finding>) -> Vec<Finding> {
    let left = checks::left_out(&findings);
    if !left.is_empty() {
        let text = format!("{}: after what was found above, this would say nothing", left.join("; "));
        findings.push(Finding::new("not examined", Health::Note, text));
    }
    findings
}

async fn reach(open: &Open) -> Result<Arc<dyn Storage>, Finding> {
    let look = async {
        let storage = open().await?;
        storage.list(&Folder::ROOT, None).await?;
        Ok(storage)
    };
    look.await.map_err(|error: longshore_core::Error| {
        let topic = match error.kind() {
            ErrorKind::Denied => "credentials",
            // Only the server knew that it is wrong, such as the region of a bucket.
            ErrorKind::Invalid => "address",
            _ => "reachable",
        };
        Finding::new(topic, health_of(&error), error.message())
    })
}

/// What a failed call says of the store: what may pass says nothing yet.
fn health_of(error: &longshore_core::Error) -> Health {
    if error.kind() == ErrorKind::Unavailable { Health::Unknown } else { Health::Bad }
}

fn place() -> Result<Folder> {
    Folder::new(litter::scratch("doctor")?)
}

fn unanswered() -> Finding {
    let text = format!("it did not answer within {} s: check the address, or try again", REACHING.as_secs());
    Finding::new("reachable", Health::Unknown, text)
}

/// What the checks wrote goes; what stays is said. Where the time was up, calls were given up that may still land: what does within
/// the time for tidying goes too, and what may after it is said.
async fn tidy(patient: &Patient, cut_off: bool) -> Option<Finding> {
    let end = Instant::now() + TIDYING;
    let place = patient.place();
    let warning = |text| Some(Finding::new("cleaning up", Health::Warning, text));
    let why = match timeout_at(end, patient.clean()).await {
        Ok(Ok(())) if !cut_off => return None,
        Ok(Ok(())) => match timeout_at(end, patient.sweep()).await {
            Ok(Err(failure)) => failure.to_string(),
            _ => {
                return warning(format!("calls were given up and may still land: look later whether {place} is there"));
            }
        },
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    warning(format!("what this check wrote under {place} could not be removed ({why}): remove it by hand"))
}

//! "Can this store hold my data safely?", answered in seconds by looking at what it does.
//!
//! It asks the same as the core's probe of a new store, and more; it writes to a place of its own and leaves no object there.

mod checks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use longshore_core::{ErrorKind, Folder, Nonce, Result, Runtime as _, Storage, TokioRuntime};

use crate::litter;
use crate::place::Prefixed;

/// Together these are under ten seconds: the first answer,
const REACHING: Duration = Duration::from_secs(2);
/// the checks,
const ASKING: Duration = Duration::from_secs(5);
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

/// Opens an independent client of the store; called several times.
pub type Open = dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Storage>>> + Send + Sync;

/// All answers, the worst health among them decides.
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
        Ok(Err(finding)) => return vec![finding],
        Err(_) => return vec![unanswered()],
    };
    let mut findings = vec![Finding::new("reachable", Health::Good, "it answers, and lets us in")];
    let place = match place() {
        Ok(place) => place,
        Err(error) => return vec![Finding::new("reachable", Health::Bad, error.to_string())],
    };
    let asking = async {
        let patient = Patient { clients: clients(open, &first, &place).await };
        checks::all(&patient, &mut findings).await;
    };
    if tokio::time::timeout(ASKING, asking).await.is_err() {
        let text = format!("not everything was asked within {} s: it is slow, or the way to it is", ASKING.as_secs());
        findings.push(Finding::new("speed", Health::Warning, text));
    }
    findings.extend(tidy(&*first, &place).await);
    findings.extend(checks::claims(&first.capabilities()));
    findings.push(Finding::new("limits of this", Health::Note, checks::LIMITS));
    findings
}

/// A store under examination.
pub(crate) struct Patient {
    /// Independent clients, at least two.
    pub(crate) clients: Vec<Arc<dyn Storage>>,
}

async fn reach(open: &Open) -> Result<Arc<dyn Storage>, Finding> {
    let look = async {
        let storage = open().await?;
        storage.list(&Folder::ROOT, None).await?;
        Ok(storage)
    };
    look.await.map_err(|error: longshore_core::Error| {
        let topic = if error.kind() == ErrorKind::Denied { "credentials" } else { "reachable" };
        Finding::new(topic, Health::Bad, error.message())
    })
}

fn place() -> Result<Folder> {
    let mut nonce = [0; 16];
    TokioRuntime.random(&mut nonce)?;
    Folder::new(format!("doctor-{}", Nonce::from_bytes(nonce)))
}

/// Clients of their own, as other devices would have; where no more can be opened, the first one twice.
async fn clients(open: &Open, first: &Arc<dyn Storage>, place: &Folder) -> Vec<Arc<dyn Storage>> {
    let mut clients: Vec<Arc<dyn Storage>> = Vec::new();
    for _ in 0..checks::RACERS {
        let client = open().await.unwrap_or_else(|_| Arc::clone(first));
        clients.push(Arc::new(Prefixed::new(client, place.clone())));
    }
    clients
}

fn unanswered() -> Finding {
    let text = format!("it did not answer within {} s: check the address, or try again", REACHING.as_secs());
    Finding::new("reachable", Health::Bad, text)
}

/// What the checks wrote goes; what stays is said.
async fn tidy(storage: &dyn Storage, place: &Folder) -> Option<Finding> {
    let cleaned = tokio::time::timeout(TIDYING, litter::clean(storage, place, 1)).await;
    let why = match cleaned {
        Ok(Ok(())) => return None,
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    let text = format!("what this check wrote under {place} could not be removed ({why}): remove it by hand");
    Some(Finding::new("cleaning up", Health::Warning, text))
}

//! Runs one case: in a thread of its own, in a place of its own, with a deadline, and cleans up after it.

mod cleaning;
mod ends;
mod limit;
mod needs;
mod weigh;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use longshore_core::{Capabilities, Folder};

use self::weigh::{version, weigh};
use crate::aside;
use crate::case::{Case, Size};
use crate::clock::VirtualClock;
use crate::context::Context;
use crate::harness::{Harness, Scratch, Subject};
use crate::health::Health;
use crate::pace::Pace;
use crate::release::Releases;
use crate::verdict::{Failure, Verdict};

/// Places of one case: more than any asks for.
const PLACES: usize = 100_000;
/// For what comes after the case's own deadline: cleaning up after it.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// What all cases of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) harness: Harness,
    pub(crate) scratch: Scratch,
    pub(crate) root: Folder,
    pub(crate) size: Size,
    pub(crate) seed: u64,
    /// What the storage says that it guarantees; unknown of a server, or of a storage that cannot be opened: then each case
    /// says so.
    pub(crate) claims: Option<Capabilities>,
    pub(crate) pace: Arc<Pace>,
    /// Held by every case, and by one that kills the server alone.
    pub(crate) alone: Arc<RwLock<()>>,
    /// What is known of the store.
    pub(crate) health: Arc<Health>,
    /// How many stores each case left, by its place in the list of all: of a harness that does not say how one is removed.
    pub(crate) left: Arc<Mutex<BTreeMap<usize, usize>>>,
    /// How long cleaning up after a case may take.
    pub(crate) grace: Duration,
    /// How long a store of the usual pace has to answer when it is asked whether it still does.
    pub(crate) patience: Duration,
}

impl Run {
    /// Runs the case that has this place in the list of all cases.
    pub(crate) fn case(&self, case: &Case, at: usize) -> Verdict {
        if let Some(why) = self.lacks(case) {
            return Verdict::Ignored(why);
        }
        let failure = match self.in_turn(case, || self.admitted(case, at)) {
            Ok(()) => return Verdict::Passed,
            Err(failure) => failure,
        };
        weigh(case, failure.verdict(case.rule), version())
    }

    /// No case may find the server dead but the one that kills it.
    fn in_turn<T>(&self, case: &Case, run: impl FnOnce() -> T) -> T {
        if case.kills() {
            let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
            run()
        } else {
            let _beside = self.alone.read().unwrap_or_else(PoisonError::into_inner);
            run()
        }
    }

    /// Runs the case if the store is known to answer, and asks it where the case got no answer.
    fn admitted(&self, case: &Case, at: usize) -> Result<(), Failure> {
        let answers = || aside::answers(&self.context_for_asking(at), self.patience());
        self.health.admit(answers)?;
        let deadline = self.pace.stretch(self.size.pick(case.deadline, case.deadline, case.deadline * 10));
        let context = self.context(at);
        let opened = Arc::clone(&context.opened);
        let ended = self.ends(case, deadline, context);
        if self.leaves_stores() {
            let stores = opened.lock().unwrap_or_else(PoisonError::into_inner).len();
            self.left.lock().unwrap_or_else(PoisonError::into_inner).insert(at, stores);
        }
        ended.map_err(
            |failure| {
                if failure.is_silence() { self.health.judge(case.name, failure, answers) } else { failure }
            },
        )
    }

    /// Those of this process end with it.
    fn leaves_stores(&self) -> bool {
        let harness = &self.harness;
        matches!(harness.subject, Subject::Server(_)) && harness.removing.is_none() && harness.other_process
    }

    /// How many stores the case that has this place left.
    pub(crate) fn left_by(&self, at: usize) -> usize {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).get(&at).copied().unwrap_or(0)
    }

    /// How long this store has to answer: as the deadlines of cases, longer where it is slow.
    fn patience(&self) -> Duration {
        self.pace.stretch(self.patience)
    }

    fn context(&self, at: usize) -> Context {
        let first = at * PLACES;
        Context {
            harness: self.harness.clone(),
            scratch: self.scratch.clone(),
            root: self.root.clone(),
            slot: first,
            next: Arc::new(AtomicUsize::new(first + 1)),
            size: self.size,
            seed: self.seed,
            clock: VirtualClock::new(),
            pace: Arc::clone(&self.pace),
            opened: Arc::default(),
            releases: Releases::default(),
            #[cfg(feature = "network")]
            via: None,
        }
    }

    /// A place that the case itself does not come to.
    pub(crate) fn context_for_asking(&self, at: usize) -> Context {
        Context { slot: (at + 1) * PLACES - 1, ..self.context(at) }
    }
}

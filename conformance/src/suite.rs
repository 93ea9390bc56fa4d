//! Runs cases and says what came of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use longshore_core::{Error, ErrorKind, Folder, Result, Runtime as _, TokioRuntime};

use crate::aside;
use crate::case::{Case, Group, Size};
use crate::cases;
use crate::harness::{Harness, PARALLELISM, Scratch};
use crate::health::PATIENCE;
use crate::litter;
use crate::pace::Pace;
use crate::runner::{GRACE, Run};
use crate::verdict::Verdict;

/// How long a run waits for the store to open before its cases begin; each of them waits for itself.
const OPENING: Duration = Duration::from_secs(10);

/// A run of the suite over one adapter.
///
/// ```
/// use std::sync::Arc;
///
/// use longshore_conformance::{Harness, Size, Suite};
/// use longshore_core::{MemoryStorage, Storage};
///
/// let shared = MemoryStorage::new();
/// let harness = Harness::storage("memory", move |_| {
///     let storage = shared.clone();
///     async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
/// });
/// let reports = Suite::new(harness.in_this_process()).size(Size::Quick).only("storage::create").run()?;
/// assert!(!reports.is_empty() && reports.iter().all(|report| !report.verdict.is_failed()));
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Suite {
    harness: Harness,
    size: Size,
    seed: Option<u64>,
    only: Vec<String>,
    side_by_side: bool,
    scratch: Option<tempfile::TempDir>,
    opening: Duration,
}

/// What came of one case.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The case.
    pub case: Case,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// The seed of the run.
    pub seed: u64,
    /// How many stores of a server it left: where the harness does not say how one is removed, and they outlive the process.
    pub left: usize,
}

impl Suite {
    /// A run over this adapter.
    pub fn new(harness: Harness) -> Self {
        let (size, only) = Default::default();
        Self { harness, size, seed: None, only, side_by_side: false, scratch: None, opening: OPENING }
    }

    /// How long the run waits for the store to open.
    #[cfg(test)]
    pub(crate) fn opening(mut self, limit: Duration) -> Self {
        self.opening = limit;
        self
    }

    /// How much to do.
    pub fn size(mut self, size: Size) -> Self {
        self.size = size;
        self
    }

    /// What every choice comes from; random by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Runs only cases whose name contains this; of several, those that contain any.
    pub fn only(mut self, pattern: impl Into<String>) -> Self {
        self.only.push(pattern.into());
        self
    }

    /// Runs several cases at once, as a test program does: they mostly wait for the store. One after another by default.
    ///
    /// Twice as many as there are cores, or as there are cores where the store bears few calls at once
    /// ([`Harness::with_parallelism`]). Reports keep the order of the cases.
    pub fn side_by_side(mut self) -> Self {
        self.side_by_side = true;
        self
    }

    /// All cases, in the order in which they run.
    pub fn cases() -> Vec<Case> {
        cases::all()
    }

    /// Runs the cases. An error is about the run itself: a failed case is a report.
    ///
    /// It brings threads and runtimes of its own, and blocks its caller until the last case ended: also inside an asynchronous
    /// runtime, where `tokio::task::spawn_blocking` keeps it from holding up other tasks.
    pub fn run(self) -> Result<Vec<CaseReport>> {
        self.run_with(|_| ())
    }

    /// As [`run`](Self::run), and tells of each case when it ends: in the caller's own thread.
    pub fn run_with(mut self, tell: impl FnMut(&CaseReport)) -> Result<Vec<CaseReport>> {
        #[cfg(feature = "crash")]
        crate::crash::act_if_child(&self.harness);
        let run = self.begin()?;
        let cases = Self::cases().into_iter().enumerate().filter(|(_, case)| self.wants(case)).collect();
        run_all(&run, cases, if self.side_by_side { at_once(&self.harness) } else { 1 }, tell)
    }

    pub(crate) fn begin(&mut self) -> Result<Run> {
        let scratch = tempfile::tempdir()
            .map_err(|error| Error::new(ErrorKind::Full, "no temporary folder for this run").with_source(error))?;
        let root = Folder::new(litter::scratch("conformance")?)?;
        let seed = self.seed.map_or_else(random, Ok)?;
        let (harness, size) = (self.harness.clone(), self.size);
        let folder = Scratch::new(scratch.path().to_owned());
        let claims = aside::claims(&harness, folder.clone(), self.opening);
        let pace = Pace::new(harness.rate, Arc::new(TokioRuntime));
        let (alone, health) = Default::default();
        let (left, grace, patience) = (Arc::default(), GRACE, PATIENCE);
        let run =
            Run { harness, scratch: folder, root, size, seed, claims, pace, alone, health, left, grace, patience };
        self.scratch = Some(scratch);
        Ok(run)
    }

    fn wants(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| case.name.contains(pattern.as_str()))
    }
}

/// How many cases of a run over this adapter go on at once.
pub(crate) fn at_once(harness: &Harness) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if harness.parallelism < PARALLELISM { cores } else { cores * 2 }
}

/// Each case has its place in the list of all.
type Placed<T> = (usize, T);

/// The reports come in the order of the cases, whenever they ended.
fn run_all(
    run: &Run,
    cases: Vec<Placed<Case>>,
    threads: usize,
    mut tell: impl FnMut(&CaseReport),
) -> Result<Vec<CaseReport>> {
    let left = Mutex::new(cases.into_iter());
    let (send, ended) = mpsc::channel::<Placed<CaseReport>>();
    let mut reports = std::thread::scope(|scope| -> Result<Vec<Placed<CaseReport>>> {
        for _ in 0..threads {
            let (send, left) = (send.clone(), &left);
            let begun = std::thread::Builder::new().spawn_scoped(scope, move || run_those(run, left, &send));
            begun.map_err(|error| Error::new(ErrorKind::Internal, "no thread could be started").with_source(error))?;
        }
        drop(send);
        Ok(ended.into_iter().inspect(|(_, report)| tell(report)).collect())
    })?;
    reports.sort_by_key(|(at, _)| *at);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// Runs case after case, until none is left.
fn run_those(run: &Run, left: &Mutex<impl Iterator<Item = Placed<Case>>>, tell: &mpsc::Sender<Placed<CaseReport>>) {
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    while let Some((at, case)) = next() {
        // Nobody listens any more where another thread could not be started.
        if tell.send((at, report(run, case, at))).is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_types, reason = "the report says how long a case took")]
pub(crate) fn report(run: &Run, case: Case, at: usize) -> CaseReport {
    let start = std::time::Instant::now();
    let verdict = run.case(&case, at);
    CaseReport { case, verdict, took: start.elapsed(), seed: run.seed, left: run.left_by(at) }
}

/// The groups of which every case was ignored, and how many those were.
pub fn ignored_groups(reports: &[CaseReport]) -> Vec<(Group, usize)> {
    let mut groups: BTreeMap<Group, (usize, usize)> = BTreeMap::new();
    for report in reports {
        let (all, ignored) = groups.entry(report.case.group).or_default();
        *all += 1;
        *ignored += usize::from(matches!(report.verdict, Verdict::Ignored(_)));
    }
    groups.into_iter().filter(|(_, (all, ignored))| all == ignored).map(|(group, (all, _))| (group, all)).collect()
}

/// Of these groups, those of which no case was run to a verdict: all ignored, or none chosen.
pub fn unshown(reports: &[CaseReport], required: &[Group]) -> Vec<Group> {
    let shows = |group: Group| {
        reports.iter().any(|report| report.case.group == group && !matches!(report.verdict, Verdict::Ignored(_)))
    };
    required.iter().copied().filter(|group| !shows(*group)).collect()
}

/// Why nothing was shown of this group: no case of the suite is of it, none was chosen, or all were ignored. One line, without its
/// end.
///
/// ```
/// use longshore_conformance::Group;
/// use longshore_conformance::suite::why_unshown;
///
/// assert!(why_unshown(&[], Group::Storage).ends_with("cases was chosen"));
/// ```
pub fn why_unshown(reports: &[CaseReport], group: Group) -> String {
    let all = cases::all().iter().filter(|case| case.group == group).count();
    let run = reports.iter().filter(|report| report.case.group == group).count();
    because(group, all, run)
}

/// How many stores all these cases left, in words: one line, without its end. None if they left none.
///
/// ```
/// assert_eq!(longshore_conformance::suite::what_stays(&[]), None);
/// ```
pub fn what_stays(reports: &[CaseReport]) -> Option<String> {
    let stores: usize = reports.iter().map(|report| report.left).sum();
    let opened = match stores {
        0 => return None,
        1 => "1 store was opened and stays".to_owned(),
        _ => format!("{stores} stores were opened and stay"),
    };
    Some(format!("{opened}: the harness does not say how one is removed (`Harness::removing`)"))
}

fn because(group: Group, all: usize, run: usize) -> String {
    match (all, run) {
        (0, _) => format!("nothing was shown of {group}: this suite has no cases of it"),
        (_, 0) => format!("nothing was shown of {group}: none of its {all} cases was chosen"),
        (_, 1) => format!("nothing was shown of {group}: its case was ignored"),
        (..) => format!("nothing was shown of {group}: its {run} cases were ignored"),
    }
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    TokioRuntime.random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use longshore_core::MemoryStorage;
    use tokio::sync::watch;

    use super::*;

    /// A store that opens for two cases at once only: alone, the first would wait for ever.
    #[test]
    fn side_by_side_reports_keep_the_order_of_the_cases() {
        let (shared, begun) = (MemoryStorage::new(), watch::Sender::new(0));
        let harness = Harness::storage("sociable", move |_| {
            let (shared, begun) = (shared.clone(), begun.clone());
            async move {
                begun.send_modify(|openings| *openings += 1);
                // The run itself looks first, and does not wait for long.
                drop(begun.subscribe().wait_for(|openings| *openings >= 3).await);
                Ok(Arc::new(shared) as Arc<dyn longshore_core::Storage>)
            }
        });
        let suite =
            Suite::new(harness.in_this_process()).opening(Duration::from_millis(50)).size(Size::Quick).side_by_side();
        let reports = suite.only("storage::create").run().unwrap();
        let names: Vec<&str> = reports.iter().map(|report| report.case.name()).collect();
        let all = Suite::cases().into_iter().map(|case| case.name());
        assert_eq!(names, all.filter(|name| name.starts_with("storage::create")).collect::<Vec<_>>());
        assert!(reports.iter().all(|report| report.verdict == Verdict::Passed), "{reports:?}");
    }

    #[test]
    fn a_group_of_which_nothing_was_shown_says_why() {
        let ends = |all, run| because(Group::Network, all, run).rsplit_once(": ").map(|(_, why)| why.to_owned());
        assert_eq!(ends(0, 0).as_deref(), Some("this suite has no cases of it"));
        assert_eq!(ends(4, 0).as_deref(), Some("none of its 4 cases was chosen"));
        assert_eq!(ends(4, 3).as_deref(), Some("its 3 cases were ignored"));
        assert_eq!(ends(1, 1).as_deref(), Some("its case was ignored"));
    }
}

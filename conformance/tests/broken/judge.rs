//! Who caught a mistake, and who only failed beside it: one judge for every test that shows what the suite catches.

use longshore_conformance::{CaseReport, Verdict};

/// What a case made of something broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// It saw nothing.
    Passed,
    /// It failed by what it saw.
    Caught,
    /// It was not run.
    Ignored,
    /// It failed, but not by what it looks for: no rule was judged, or it would have failed without any fault too.
    Beside,
}

/// What one case made of something broken, and what it saw.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) case: String,
    pub(crate) cell: Cell,
    /// Why it failed, or was not run.
    pub(crate) seen: String,
}

/// What a line begins with by which a child process tells its parent of a case.
const SAYS: &str = "judged";

/// The cases of the group interruption that disturb no call: they are caught by what they see, as any other.
const CALM: [&str; 2] =
    ["interruption::storage::a_cut_put_leaves_nothing", "interruption::server::a_holder_sleeps_through_its_time"];

/// How the others begin to tell of a story that met its fault: of syncs, of metadata, of the lease.
const TOLD: [&str; 5] = ["after call ", "call ", "Take with call ", "Renew with call ", "Release with call "];

impl Judged {
    pub(crate) fn new(report: &CaseReport) -> Self {
        let (cell, seen) = match &report.verdict {
            Verdict::Passed => (Cell::Passed, ""),
            Verdict::Ignored(why) => (Cell::Ignored, why.as_str()),
            Verdict::Failed { rule: None, seen } | Verdict::Warned { rule: None, seen } => {
                (Cell::Beside, seen.as_str())
            }
            Verdict::Failed { seen, .. } | Verdict::Warned { seen, .. } => {
                (judge(report.case.name(), seen), seen.as_str())
            }
        };
        Self { case: report.case.name().to_owned(), cell, seen: seen.to_owned() }
    }

    /// As a child process says it, in one line.
    #[allow(dead_code, reason = "of the tests whose mistakes are processes")]
    pub(crate) fn line(&self) -> String {
        format!("{SAYS}\t{}\t{:?}\t{}", self.case, self.cell, self.seen.replace(['\n', '\t'], " "))
    }

    /// What a child process said, if it did.
    #[allow(dead_code, reason = "of the tests whose mistakes are processes")]
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split('\t').skip_while(|part| *part != SAYS).skip(1);
        let (case, cell, seen) = (parts.next()?.to_owned(), parts.next()?, parts.next()?.to_owned());
        let cells = [Cell::Passed, Cell::Caught, Cell::Ignored, Cell::Beside];
        Some(Self { case, cell: cells.into_iter().find(|known| format!("{known:?}") == cell)?, seen })
    }
}

fn judge(case: &str, seen: &str) -> Cell {
    if met_its_fault(case, seen) { Cell::Caught } else { Cell::Beside }
}

/// A case about calls that fail goes through its story undisturbed first. Who fails there would fail without any fault, and shows
/// nothing of what the case is about.
fn met_its_fault(case: &str, seen: &str) -> bool {
    if !case.starts_with("interruption::") || CALM.contains(&case) {
        return true;
    }
    let story = match seen.strip_prefix("history ") {
        Some(history) => history.split_once(", ").map_or("", |(_, story)| story),
        None => seen,
    };
    let dropped = story.starts_with("sync ") && story.contains(" dropped after ");
    dropped || TOLD.iter().any(|begin| story.starts_with(begin))
}

//! Which case catches which broken server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_conformance::{CaseReport, Group, Harness, Size, Suite, Verdict};

/// The same run each time: what it catches is no matter of luck.
const SEED: u64 = 20;
/// Runs of the suite at once. Most of a run is waiting for its own threads.
const AT_ONCE: usize = 3;

/// A server, or a storage, that is wrong in one way.
#[derive(Clone, Copy)]
pub(crate) struct Broken {
    /// What is wrong with it.
    pub(crate) name: &'static str,
    /// The cases to run, as [`Suite::only`] takes them.
    pub(crate) only: &'static str,
    /// The adapter to test.
    pub(crate) harness: fn() -> Harness,
    /// Cases that must catch it.
    pub(crate) caught_by: &'static [&'static str],
}

/// What a case made of a broken server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// It saw nothing.
    Passed,
    /// It failed by what it saw.
    Caught,
    /// It was not run.
    Ignored,
    /// It failed, but not by what it looks for: it hung, it panicked, or only its place could not be cleaned.
    Beside,
}

/// Every broken server and what each case made of it.
pub(crate) struct Matrix {
    rows: Vec<(Broken, Vec<CaseReport>)>,
}

/// Runs the suite over each.
pub(crate) fn run(table: &[Broken]) -> Matrix {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(broken) = table.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let row = (*broken, reports(broken));
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(broken, _)| table.iter().position(|other| other.name == broken.name));
    Matrix { rows }
}

fn reports(broken: &Broken) -> Vec<CaseReport> {
    Suite::new((broken.harness)()).size(Size::Quick).seed(SEED).only(broken.only).run().unwrap()
}

fn cell(report: &CaseReport) -> Cell {
    const BESIDE: [&str; 3] = ["hangs", "panicked", "what the case left cannot be removed"];
    match &report.verdict {
        Verdict::Passed => Cell::Passed,
        Verdict::Ignored(_) => Cell::Ignored,
        Verdict::Failed { seen, .. } | Verdict::Warned { seen, .. } => {
            if BESIDE.iter().any(|beside| seen.starts_with(beside)) { Cell::Beside } else { Cell::Caught }
        }
    }
}

impl Matrix {
    /// What is wrong with the suite or the table, one line each: both ways, for the cases of these groups.
    pub(crate) fn complaints(&self, groups: &[Group]) -> Vec<String> {
        let mut complaints: Vec<String> = self.rows.iter().flat_map(|(broken, row)| missed(broken, row)).collect();
        let caught = self.catching();
        let idle =
            Suite::cases().into_iter().filter(|case| groups.contains(&case.group()) && !caught.contains(case.name()));
        complaints.extend(idle.map(|case| format!("no broken server is caught by {}", case.name())));
        complaints
    }

    /// What the cases saw of the broken server in that place of the table: the failures, one line each.
    pub(crate) fn seen(&self, at: usize) -> Vec<String> {
        let failed = |report: &CaseReport| match &report.verdict {
            Verdict::Failed { rule, seen } | Verdict::Warned { rule, seen } => {
                Some(format!("{} ({rule}): {seen}", report.case.name()))
            }
            Verdict::Passed | Verdict::Ignored(_) => None,
        };
        self.rows[at].1.iter().filter_map(failed).collect()
    }

    fn catching(&self) -> BTreeSet<&'static str> {
        let reports = self.rows.iter().flat_map(|(_, row)| row);
        reports.filter(|report| cell(report) == Cell::Caught).map(|report| report.case.name()).collect()
    }
}

/// The cases that should have caught this one and did not.
fn missed(broken: &Broken, row: &[CaseReport]) -> Vec<String> {
    let mut missed = Vec::new();
    if broken.caught_by.is_empty() {
        missed.push(format!("{:?}: names no case that must catch it", broken.name));
    }
    for name in broken.caught_by {
        match row.iter().find(|report| report.case.name() == *name) {
            Some(report) if cell(report) == Cell::Caught => {}
            Some(report) => missed.push(format!("{:?}: {name} {:?}", broken.name, report.verdict)),
            None => missed.push(format!("{:?}: {name} was not run", broken.name)),
        }
    }
    missed
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&str> =
            self.rows.iter().flat_map(|(_, row)| row).map(|report| report.case.name()).collect();
        let columns: Vec<&str> =
            Suite::cases().iter().map(longshore_conformance::Case::name).filter(|name| names.contains(name)).collect();
        writeln!(f, "x: caught, X: caught as the table says, o: fails beside the point, -: not run\n")?;
        for (at, name) in columns.iter().enumerate() {
            writeln!(f, "{:2} {name}", at + 1)?;
        }
        let digits = |of: fn(usize) -> usize| (1..=columns.len()).map(|at| of(at).to_string()).collect::<String>();
        writeln!(f, "\n{:56} {}\n{:56} {}", "", digits(|at| at / 10 % 10), "", digits(|at| at % 10))?;
        for (broken, row) in &self.rows {
            let cells: String = columns.iter().map(|name| mark(broken, row, name)).collect();
            writeln!(f, "{:56} {cells}", broken.name)?;
        }
        writeln!(f, "\n{} broken servers, {} cases", self.rows.len(), columns.len())
    }
}

fn mark(broken: &Broken, row: &[CaseReport], name: &str) -> char {
    let found = row.iter().find(|report| report.case.name() == name);
    match found.map_or(Cell::Ignored, cell) {
        Cell::Passed => '.',
        Cell::Ignored => '-',
        Cell::Beside => 'o',
        Cell::Caught if broken.caught_by.contains(&name) => 'X',
        Cell::Caught => 'x',
    }
}

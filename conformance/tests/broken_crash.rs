//! Mistakes that only a real kill shows: the crash cases must notice them. Each runs in a process of its own, whose engine makes
//! one mistake (`longshore_core::sabotage`) over a right folder, or whose folder does. Without a mistake the same process finds nothing.

#[path = "broken/judge.rs"]
mod judge;
#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/matrix.rs"]
mod matrix;
#[path = "broken/one_process.rs"]
mod one_process;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};

use judge::{Cell, Judged};
use libtest_mimic::{Arguments, Failed, Trial};
use longshore_conformance::{Group, Harness, Scratch, Size, Suite};
use longshore_core::{Result, Storage};
use longshore_fs::Fs;
use matrix::{Matrix, Row};

/// The mistake, and the case that must notice it.
const CAUGHT: &[(&str, &str)] = &[
    ("attempt-unjournalled", "crash::in_the_middle_of_a_push"),
    ("checkpoint-apart", "crash::in_the_middle_of_a_pull"),
    ("checkpoint-first", "crash::in_the_middle_of_a_pull"),
    ("token-reused", "crash::with_the_lease"),
    (one_process::MISTAKE, "crash::creators_in_other_processes_race"),
];

/// What `broken_killed.rs` shows: there the server is killed.
const OF_THE_SERVER: [&str; 2] = ["crash::of_the_server", "crash::of_a_part_of_the_server"];

/// The cases that a child runs, by a part of their names; a process without this variable is the parent.
const CHILD: &str = "LONGSHORE_CRASH_CASE";

/// The mistake of the folder.
const FOLDER: &str = "LONGSHORE_CRASH_FOLDER";

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    let disk = Fs::create_root(scratch.path().join("store"))?;
    let wrong = std::env::var(FOLDER).is_ok_and(|mistake| mistake == one_process::MISTAKE);
    Ok(if wrong { Arc::new(one_process::OneProcess(disk)) } else { Arc::new(disk) })
}

fn main() -> ExitCode {
    if let Ok(cases) = std::env::var(CHILD) {
        return child(&cases);
    }
    let matrix = Arc::<Mutex<Matrix>>::default();
    let noticing = CAUGHT.iter().map(|(mistake, case)| {
        let matrix = Arc::clone(&matrix);
        Trial::test(format!("{mistake}: {case}"), move || noticed(mistake, case, &matrix))
    });
    let control = Trial::test("without-a-mistake", without_a_mistake);
    let trials = noticing.chain([control, Trial::test("each_case_is_shown", each_case_is_shown)]);
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    let matrix = matrix.lock().unwrap_or_else(PoisonError::into_inner);
    if !matrix.rows.is_empty() {
        println!("{matrix}");
    }
    conclusion.exit_code()
}

/// Runs the cases, and says what came of each.
fn child(cases: &str) -> ExitCode {
    let suite = Suite::new(Harness::storage("folder", open)).size(Size::Ci).only(cases).seed(1);
    let ran = suite.run_with(|report| println!("{}", Judged::new(report).line()));
    if ran.is_ok_and(|reports| !reports.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the cases in a process that makes this mistake.
fn run(mistake: &str, cases: &str) -> Result<Vec<Judged>, Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    let variable = if mistake == one_process::MISTAKE { FOLDER } else { "LONGSHORE_SABOTAGE" };
    let output = command.env(CHILD, cases).env(variable, mistake).output()?;
    if !output.status.success() {
        return Err(format!("the process did not run its cases: {}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(Judged::parse).collect())
}

fn noticed(mistake: &str, case: &'static str, matrix: &Mutex<Matrix>) -> Result<(), Failed> {
    let row = Row { name: mistake.to_owned(), caught_by: vec![case], judged: run(mistake, "crash::")? };
    for line in row.failures() {
        println!("{}", line.chars().take(200).collect::<String>());
    }
    let missed = row.missed();
    matrix.lock().unwrap_or_else(PoisonError::into_inner).rows.push(row);
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n").into()) }
}

/// Else what is caught might be the child, or the folder.
fn without_a_mistake() -> Result<(), Failed> {
    let judged = run("", "crash::")?;
    let ran: BTreeSet<&str> =
        judged.iter().filter(|judged| judged.cell == Cell::Passed).map(|judged| judged.case.as_str()).collect();
    let wanted: BTreeSet<&str> = CAUGHT.iter().map(|(_, case)| *case).collect();
    if wanted.is_subset(&ran) { Ok(()) } else { Err(format!("{judged:?}").into()) }
}

fn each_case_is_shown() -> Result<(), Failed> {
    let shown: BTreeSet<&str> = CAUGHT.iter().map(|(_, case)| *case).collect();
    let shown = &shown | &BTreeSet::from(OF_THE_SERVER);
    let all: BTreeSet<&str> =
        Suite::cases().into_iter().filter(|case| case.group() == Group::Crash).map(|case| case.name()).collect();
    if shown == all { Ok(()) } else { Err(format!("{all:?} and shown are {shown:?}").into()) }
}

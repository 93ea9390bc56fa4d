//! Mistakes that only a real kill shows: the crash cases must notice them. Each runs in a process of its own, whose engine makes
//! one mistake (`longshore_core::sabotage`), over a right folder.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use longshore_conformance::{Group, Harness, Scratch, Size, Suite, Verdict};
use longshore_core::{Result, Storage};
use longshore_fs::Fs;

/// The mistake, and the case that must notice it.
const CAUGHT: &[(&str, &str)] = &[
    ("attempt-unjournalled", "crash::in_the_middle_of_a_push"),
    ("checkpoint-apart", "crash::in_the_middle_of_a_pull"),
    ("checkpoint-first", "crash::in_the_middle_of_a_pull"),
    ("token-reused", "crash::with_the_lease"),
];

/// The case that a child runs; a process without this variable is the parent.
const CHILD: &str = "LONGSHORE_CRASH_CASE";

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(Fs::create_root(scratch.path().join("store"))?))
}

fn main() -> ExitCode {
    if let Ok(case) = std::env::var(CHILD) {
        return child(&case);
    }
    let trials =
        CAUGHT.iter().map(|(mistake, case)| Trial::test(format!("{mistake}: {case}"), || noticed(mistake, case)));
    let trials = trials.chain([Trial::test("each_case_is_shown", each_case_is_shown)]);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Runs the case, and says what it saw; success if it failed.
fn child(case: &str) -> ExitCode {
    let suite = Suite::new(Harness::storage("folder", open)).size(Size::Ci).only(case).seed(1);
    let reports = suite.run().unwrap_or_default();
    for report in &reports {
        if let Verdict::Failed { seen, .. } = &report.verdict {
            println!("{seen}");
            return ExitCode::SUCCESS;
        }
    }
    ExitCode::FAILURE
}

fn noticed(mistake: &str, case: &str) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.env(CHILD, case).env("LONGSHORE_SABOTAGE", mistake).output()?;
    println!("{mistake}: {}", String::from_utf8_lossy(&output.stdout).chars().take(200).collect::<String>());
    if output.status.success() { Ok(()) } else { Err("the case passed".into()) }
}

fn each_case_is_shown() -> Result<(), Failed> {
    let shown: BTreeSet<&str> = CAUGHT.iter().map(|(_, case)| *case).collect();
    let all: BTreeSet<&str> =
        Suite::cases().into_iter().filter(|case| case.group() == Group::Crash).map(|case| case.name()).collect();
    if shown == all { Ok(()) } else { Err(format!("{all:?} and shown are {shown:?}").into()) }
}

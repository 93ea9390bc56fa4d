//! A suite that nothing fails proves nothing. Here the engine, the server on a storage and the replica in memory make one mistake
//! at a time (`longshore_core::sabotage`), and the cases that are named for it must notice. A mistake that nobody notices fails
//! this test, and so does a case that fails without one.
//!
//! Each mistake is a process of its own: it is read once. `LONGSHORE_MATRIX=all` runs every case of the groups server, sync and
//! interruption on every mistake, which takes many minutes, and shows who else notices.

#[path = "broken/judge.rs"]
mod judge;
#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/matrix.rs"]
mod matrix;
#[path = "broken_engines/named.rs"]
mod named;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use judge::{Cell, Judged};
use libtest_mimic::{Arguments, Failed, Trial};
use longshore_conformance::{Harness, Size, Suite};
use longshore_core::sabotage::Mistake;
use longshore_core::{MemoryStorage, Storage};
use matrix::{Matrix, Row};
use named::named;

/// The cases that a child runs, with commas between; a process without this variable is the parent.
const CHILD: &str = "LONGSHORE_ENGINE_CASES";
/// How long a child may take; then it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);
const SEED: u64 = 1;
/// The size of a child's run.
const SIZE: &str = "LONGSHORE_ENGINE_SIZE";
const GROUPS: [&str; 3] = ["server::", "sync::", "interruption::"];

/// What the cases of one process saw.
#[derive(Clone, Debug, Default)]
struct Seen {
    judged: Vec<Judged>,
    hung: bool,
}

fn main() -> ExitCode {
    if let Some(cases) = std::env::var_os(CHILD) {
        return child(&cases.to_string_lossy());
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let matrix = Arc::<Mutex<Matrix>>::default();
    let mut trials: Vec<Trial> = Mistake::ALL.iter().map(|mistake| trial(*mistake, &matrix)).collect();
    trials.push(Trial::test("without-a-mistake", without_a_mistake));
    trials.push(Trial::test("one-that-needs-no-fault", one_that_needs_no_fault));
    let conclusion = libtest_mimic::run(&arguments, trials);
    print(&mut matrix.lock().unwrap_or_else(PoisonError::into_inner));
    conclusion.exit_code()
}

/// Runs these cases and says what came of each.
fn child(cases: &str) -> ExitCode {
    let shared = MemoryStorage::new();
    let open = move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    let size = std::env::var(SIZE).ok().and_then(|size| Size::named(&size)).unwrap_or(Size::Quick);
    let suite = Suite::new(Harness::storage("memory", open).in_this_process()).size(size).seed(SEED);
    let suite = cases.split(',').fold(suite, Suite::only);
    let ran = suite.run_with(|report| println!("{}", Judged::new(report).line()));
    if ran.is_ok_and(|reports| !reports.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs these cases in a process that makes this mistake.
fn run(mistake: &str, cases: &str, size: Size) -> Result<Seen, Failed> {
    let mut child = Command::new(std::env::current_exe()?)
        .env(CHILD, cases)
        .env(SIZE, size.as_str())
        .env("LONGSHORE_SABOTAGE", mistake)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or("the child has no output")?;
    let (send, receive) = channel();
    let reader = std::thread::Builder::new().spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text);
        // Whoever waited may have given up.
        let _ = send.send(());
        read.map(|_| text)
    })?;
    let hung = receive.recv_timeout(limit(size)).is_err();
    if hung {
        child.kill()?;
    }
    let (status, text) = (child.wait()?, reader.join().map_err(|_| "the reader of the child's output panicked")??);
    if !hung && !status.success() {
        return Err(format!("the process did not run its cases: {status}").into());
    }
    Ok(Seen { judged: text.lines().filter_map(Judged::parse).collect(), hung })
}

/// What the cases that are named for this mistake see, or all. Those of the group interruption meet every fault at every call:
/// which of them shows the mistake is no matter of luck then.
fn seen(mistake: Mistake) -> Result<Seen, Failed> {
    if whole() {
        return run(mistake.name(), &GROUPS.join(","), Size::Quick);
    }
    let (faulty, calm): (Vec<&str>, Vec<&str>) =
        named(mistake).iter().partition(|case| case.starts_with("interruption::"));
    let mut runs: Vec<_> = faulty.into_iter().map(|case| (case.to_owned(), Size::Full)).collect();
    if !calm.is_empty() {
        runs.push((calm.join(","), Size::Quick));
    }
    let mut all = Seen::default();
    for (cases, size) in runs {
        let seen = run(mistake.name(), &cases, size)?;
        all.judged.extend(seen.judged);
        all.hung |= seen.hung;
    }
    Ok(all)
}

fn trial(mistake: Mistake, matrix: &Arc<Mutex<Matrix>>) -> Trial {
    let matrix = Arc::clone(matrix);
    Trial::test(mistake.name(), move || {
        if named(mistake).is_empty() {
            return Err("no case is named for it".into());
        }
        let seen = seen(mistake)?;
        let hung = if seen.hung { " (stopped: a case hung)" } else { "" };
        let name = format!("{}{hung}", mistake.name());
        let row = Row { name, caught_by: named(mistake).to_vec(), judged: seen.judged };
        // A hang counts for nobody: it shows that something is wrong, and not what.
        let missed = row.missed();
        matrix.lock().unwrap_or_else(PoisonError::into_inner).rows.push(row);
        if missed.is_empty() { Ok(()) } else { Err(missed.join("\n").into()) }
    })
}

/// A case that fails on a sound engine would prove nothing.
fn without_a_mistake() -> Result<(), Failed> {
    let cases: BTreeSet<&str> = Mistake::ALL.iter().flat_map(|mistake| named(*mistake)).copied().collect();
    let seen = run("", &cases.into_iter().collect::<Vec<_>>().join(","), Size::Quick)?;
    if seen.hung {
        return Err("the cases hang without a mistake".into());
    }
    let wrong: Vec<_> = seen.judged.iter().filter(|judged| judged.cell != Cell::Passed).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("without a mistake: {wrong:?}").into()) }
}

/// A case about faults fails undisturbed on an engine that is wrong without any: that shows nothing of the case's fault.
fn one_that_needs_no_fault() -> Result<(), Failed> {
    let cases = "interruption::server::a_reply_is_lost,interruption::storage::a_read_is_stale";
    let seen = run(Mistake::RemoteWins.name(), cases, Size::Quick)?;
    let beside = seen.judged.len() == 2 && seen.judged.iter().all(|judged| judged.cell == Cell::Beside);
    if beside { Ok(()) } else { Err(format!("{:?}", seen.judged).into()) }
}

fn whole() -> bool {
    std::env::var("LONGSHORE_MATRIX").is_ok_and(|value| value == "all")
}

fn limit(size: Size) -> Duration {
    if whole() || size == Size::Full { LIMIT * 20 } else { LIMIT }
}

fn print(matrix: &mut Matrix) {
    matrix.rows.sort_by(|one, other| one.name.cmp(&other.name));
    for line in matrix.rows.iter().flat_map(Row::failures) {
        println!("{}", line.chars().take(200).collect::<String>());
    }
    if !matrix.rows.is_empty() {
        println!("{matrix}");
    }
}

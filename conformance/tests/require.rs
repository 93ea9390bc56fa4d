//! `LONGSHORE_REQUIRE` judges whole runs by groups. A run of one case, or a listing, shows nothing of most groups, and must not fail for
//! it; but a case that it names must have been run.
//!
//! Each run is this program once more, as an adapter's test program would be called.

use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use longshore_conformance::Harness;
use longshore_core::{MemoryStorage, Storage};

/// A process without this variable is the parent.
const CHILD: &str = "LONGSHORE_REQUIRE_CHILD";
const CASE: &str = "storage::delete::of_a_missing_object_succeeds";
/// No store in this process is killed.
const NEVER: &str = "crash::of_the_server";

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        return adapter();
    }
    let trials = vec![
        Trial::test("a_run_of_one_case_is_not_judged", a_run_of_one_case_is_not_judged),
        Trial::test("a_listing_is_not_judged", a_listing_is_not_judged),
        Trial::test("a_whole_run_is_judged", a_whole_run_is_judged),
        Trial::test("a_named_case_must_be_run", a_named_case_must_be_run),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn adapter() -> ExitCode {
    let shared = MemoryStorage::new();
    let harness = Harness::storage("memory", move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    });
    longshore_conformance::run(harness.in_this_process())
}

/// No store in this process can show anything of crashes.
fn run(arguments: &[&str]) -> Result<(Output, String), Failed> {
    run_requiring("crash", arguments)
}

fn run_requiring(required: &str, arguments: &[&str]) -> Result<(Output, String), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).env(CHILD, "1").env("LONGSHORE_REQUIRE", required).env("LONGSHORE_SIZE", "quick");
    let output = command.output()?;
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    Ok((output, said))
}

fn ensure(holds: bool, said: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(said.to_owned().into()) }
}

fn a_run_of_one_case_is_not_judged() -> Result<(), Failed> {
    for arguments in [vec!["--exact", CASE], vec!["--skip", "interruption", "--skip", "sync", "--skip", "server"]] {
        let (output, said) = run(&arguments)?;
        let ran = !said.contains("running 0 tests");
        ensure(ran && output.status.success() && said.contains("LONGSHORE_REQUIRE was not judged"), &said)?;
    }
    Ok(())
}

fn a_listing_is_not_judged() -> Result<(), Failed> {
    let (output, said) = run(&["--list"])?;
    ensure(output.status.success() && said.contains(&format!("{CASE}: test")), &said)?;
    // Other programs read it.
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure(!listed.contains("LONGSHORE_REQUIRE"), &listed)
}

fn a_whole_run_is_judged() -> Result<(), Failed> {
    let (output, said) = run(&[])?;
    ensure(!output.status.success() && said.contains("LONGSHORE_REQUIRE: nothing was shown of crash"), &said)
}

fn a_named_case_must_be_run() -> Result<(), Failed> {
    // Run; ignored; left out by the arguments; of no suite; and a listing runs none.
    for (required, arguments, succeeds, told) in [
        (CASE, ["--exact", CASE], true, "1 passed"),
        (
            NEVER,
            ["--exact", NEVER],
            false,
            "LONGSHORE_REQUIRE: crash::of_the_server was ignored: the harness does not say",
        ),
        (NEVER, ["--exact", CASE], false, "LONGSHORE_REQUIRE: crash::of_the_server was not chosen"),
        ("crash::of_nothing", ["--exact", CASE], false, "there is no group and no case crash::of_nothing"),
        (NEVER, ["--list", NEVER], true, "crash::of_the_server: test"),
    ] {
        let (output, said) = run_requiring(required, &arguments)?;
        ensure(output.status.success() == succeeds && said.contains(told), &said)?;
    }
    Ok(())
}

//! An adapter's whole test: one named trial per case.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::case::{Case, Group, Size};
use crate::harness::Harness;
use crate::runner::Run;
use crate::suite::{CaseReport, Suite, at_once, ignored_groups, report, unshown, what_stays, why_unshown};
use crate::verdict::{Verdict, breaks};

/// Runs the suite as a test program does: `cargo test --test conformance`, with the usual filters.
///
/// | variable | effect |
/// | --- | --- |
/// | `LONGSHORE_SIZE` | `quick`, `ci` (the default) or `full` |
/// | `LONGSHORE_SEED` | the seed that a failure printed |
/// | `LONGSHORE_REQUIRE` | groups and names of cases, with commas between: the run fails if nothing was shown of one; groups are not judged where the arguments left cases out, cases are |
/// | `LONGSHORE_REPLAY_PREFIX` | what stands before `cargo test` in the line that repeats a failure: the command, with its settings, that ran this one, such as `PORT=9200 ./with-a-server.sh` |
pub fn run(harness: Harness) -> ExitCode {
    #[cfg(feature = "crash")]
    crate::crash::act_if_child(&harness);
    try_run(harness).unwrap_or_else(|why| {
        eprintln!("conformance: {why}");
        ExitCode::from(2)
    })
}

type Reports = Arc<Mutex<Vec<CaseReport>>>;

fn try_run(harness: Harness) -> Result<ExitCode, String> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or_else(|| Some(at_once(&harness)));
    let mut suite = Suite::new(harness).size(size()?);
    if let Some(seed) = variable("LONGSHORE_SEED") {
        suite = suite.seed(seed.parse().map_err(|_| "LONGSHORE_SEED is not a number".to_owned())?);
    }
    let required = Required::named(&variable("LONGSHORE_REQUIRE").unwrap_or_default())?;
    let run = Arc::new(suite.begin().map_err(|error| error.to_string())?);
    let reports = Reports::default();
    let cases = Suite::cases().into_iter().enumerate();
    let trials = cases.map(|(at, case)| trial(Arc::clone(&run), Arc::clone(&reports), case, at)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
    for (group, _) in ignored_groups(&reports) {
        println!("{}", why_unshown(&reports, group));
    }
    if let Some(what) = what_stays(&reports) {
        println!("{what}");
    }
    let missing = required.missing(&reports, arguments.list, conclusion.num_filtered_out > 0);
    for why in &missing {
        println!("LONGSHORE_REQUIRE: {why}");
    }
    Ok(if missing.is_empty() { conclusion.exit_code() } else { ExitCode::FAILURE })
}

/// What a run must show something of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Required {
    groups: Vec<Group>,
    /// Whoever names a case wants it run, also where the arguments choose it alone.
    cases: Vec<&'static str>,
}

impl Required {
    fn named(text: &str) -> Result<Self, String> {
        let mut required = Self::default();
        for name in text.split(',').filter(|name| !name.is_empty()) {
            let case = Suite::cases().into_iter().find(|case| case.name == name);
            match (Group::named(name), case) {
                (Some(group), _) => required.groups.push(group),
                (None, Some(case)) => required.cases.push(case.name),
                (None, None) => return Err(format!("LONGSHORE_REQUIRE: there is no group and no case {name}")),
            }
        }
        Ok(required)
    }

    /// Why nothing was shown, a line for each.
    fn missing(&self, reports: &[CaseReport], listed: bool, filtered: bool) -> Vec<String> {
        let groups = if listed || filtered { &[][..] } else { &self.groups };
        if groups.len() < self.groups.len() {
            // On standard error: other programs read what a listing says.
            eprintln!("LONGSHORE_REQUIRE was not judged: the arguments left cases out");
        }
        let cases = if listed { &[][..] } else { &self.cases };
        let groups = unshown(reports, groups).into_iter().map(|group| why_unshown(reports, group));
        groups.chain(cases.iter().filter_map(|name| why_not_run(reports, name))).collect()
    }
}

fn why_not_run(reports: &[CaseReport], name: &str) -> Option<String> {
    match reports.iter().find(|report| report.case.name == name).map(|report| &report.verdict) {
        None => Some(format!("{name} was not chosen")),
        Some(Verdict::Ignored(why)) => Some(format!("{name} was ignored: {why}")),
        Some(_) => None,
    }
}

fn trial(run: Arc<Run>, reports: Reports, case: Case, at: usize) -> Trial {
    let name = case.name;
    Trial::ignorable_test(name, move || {
        let report = report(&run, case, at);
        let (verdict, seed) = (report.verdict.clone(), report.seed);
        reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        match verdict {
            Verdict::Passed => Ok(Completion::Completed),
            Verdict::Ignored(why) => Ok(Completion::ignored_with(why)),
            Verdict::Warned { rule, seen } => {
                eprintln!("warning: {name} fails from a later minor release on: {}; seen: {seen}", breaks(rule));
                Ok(Completion::Completed)
            }
            Verdict::Failed { rule, seen } => Err(Failed::from(format!(
                "{}\nseen: {seen}\nreplay: {}",
                breaks(rule),
                replay(run.size, seed, name, &This::of_environment()),
            ))),
        }
    })
}

/// What runs a case again: also from a workspace in which several packages have a test of this name.
#[derive(Debug, Default)]
struct This {
    prefix: Option<String>,
    package: Option<String>,
    test: String,
}

impl This {
    fn of_environment() -> Self {
        let (prefix, package) = (variable("LONGSHORE_REPLAY_PREFIX"), variable("CARGO_PKG_NAME"));
        Self { prefix, package, test: this_test() }
    }
}

/// The command that runs a case again.
fn replay(size: Size, seed: u64, name: &str, this: &This) -> String {
    let prefix = this.prefix.as_ref().map(|prefix| format!("{prefix} ")).unwrap_or_default();
    let package = this.package.as_ref().map(|package| format!(" -p {package}")).unwrap_or_default();
    let (size, test) = (size.as_str(), &this.test);
    format!("LONGSHORE_SIZE={size} LONGSHORE_SEED={seed} {prefix}cargo test{package} --test {test} -- --exact {name}")
}

/// The name of this test program, as cargo knows it: without the hash that cargo puts behind it.
fn this_test() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').map_or_else(|| name.to_string(), |(name, _)| name.to_owned())
}

fn size() -> Result<Size, String> {
    match variable("LONGSHORE_SIZE") {
        None => Ok(Size::default()),
        Some(name) => Size::named(&name).ok_or_else(|| format!("LONGSHORE_SIZE is quick, ci or full, not {name}")),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_names_its_package_and_what_ran_it() {
        let test = || "suite".to_owned();
        let line = |this| replay(Size::Quick, 7, "storage::x::y", &this);
        let alone = "LONGSHORE_SIZE=quick LONGSHORE_SEED=7 cargo test --test suite -- --exact storage::x::y";
        assert_eq!(line(This { test: test(), ..This::default() }), alone);
        let package = Some("longshore-s3".to_owned());
        let prefix = Some("OSDS=3 ./with-s3.sh ceph-rgw".to_owned());
        assert_eq!(
            line(This { prefix, package, test: test() }),
            alone.replace("cargo test ", "OSDS=3 ./with-s3.sh ceph-rgw cargo test -p longshore-s3 ")
        );
    }
}

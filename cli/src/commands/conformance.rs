//! `longshore conformance`: the suite against a real store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::Storage;
use longshore_conformance::suite::{ignored_groups, unshown};
use longshore_conformance::{CaseReport, Group, Harness, Scratch, Size, Suite, Verdict, report};
use serde_json::Value;

use super::text::print_json;
use crate::address;
use crate::args::Conformance;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::output::say;
use crate::replica::blocking;
use crate::scratch;

pub(super) async fn run(args: Conformance, json: bool) -> Result<Exit> {
    address::check(&args.url)?;
    longshore::open_storage(&args.url)?;
    let required = required(&args.require)?;
    let size = if args.quick {
        Size::Quick
    } else if args.full {
        Size::Full
    } else {
        Size::Ci
    };
    let suite = args.only.iter().fold(Suite::new(harness(&args.url)).size(size), Suite::only);
    let suite = args.seed.into_iter().fold(suite, Suite::seed);
    // Each case brings a runtime of its own.
    let reports = blocking(move || suite.run_with(tell)).await??;
    scratch::remove_empty_folders(&args.url, "conformance-");
    if reports.is_empty() {
        return Err(Failure::new(Exit::Usage, "--only", "no case has such a name; leave it out to run all"));
    }
    let seed = reports.first().map_or(0, |report| report.seed);
    let outcome = report::json(&args.url, size, seed, &reports);
    write(&args, &outcome, &reports, json)?;
    match finish(&args.url, &reports, &required) {
        Err(failure) if json => Err(failure.with_details(outcome)),
        ended => {
            if json {
                print_json(&outcome);
            }
            ended
        }
    }
}

fn harness(url: &str) -> Harness {
    let at = url.to_owned();
    let harness = Harness::storage(url, move |_: Scratch| {
        let storage = longshore::open_storage(&at);
        async move { storage }
    });
    let Some(missing) = longshore::file_url_path(url).map(|path| path.join("conformance-no-such-folder")) else {
        return harness;
    };
    harness.missing_root(move |_| {
        let storage: longshore::Result<Arc<dyn Storage>> = longshore::open_storage(&longshore::file_url(&missing));
        async move { storage }
    })
}

fn required(names: &[String]) -> Result<Vec<Group>> {
    let group = |name: &String| {
        let known = || Group::ALL.map(Group::as_str).join(", ");
        Group::named(name)
            .ok_or_else(|| Failure::new(Exit::Usage, "--require", format!("{name} is no group; they are {}", known())))
    };
    names.iter().map(group).collect()
}

/// One line for each case as it ends, on standard error: the table comes last, on standard output.
fn tell(report: &CaseReport) {
    eprintln!("{} ... {} ({} ms)", report.case.name(), report.verdict.as_str(), report.took.as_millis());
}

/// Writes the files that were asked for, and the table unless JSON goes to standard output.
fn write(args: &Conformance, outcome: &Value, reports: &[CaseReport], json: bool) -> Result<()> {
    match &args.json {
        Some(path) if path == Path::new("-") && !json => say!("{outcome:#}"),
        Some(path) if path != Path::new("-") => save(path, &format!("{outcome:#}\n"))?,
        _ => {}
    }
    if !json && args.json.as_deref() != Some(Path::new("-")) {
        say!("{}", report::table(&args.url, reports).trim_end());
    }
    args.junit.as_ref().map_or(Ok(()), |path| save(path, &report::junit(&args.url, reports)))
}

fn save(path: &PathBuf, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| {
        Failure::new(Exit::Failure, path.display(), format!("cannot write it ({error}); choose another place"))
    })
}

fn finish(url: &str, reports: &[CaseReport], required: &[Group]) -> Result<Exit> {
    for (group, count) in ignored_groups(reports) {
        eprintln!("nothing was shown of {group}: its {count} cases were ignored");
    }
    for report in reports {
        if let Verdict::Failed { seen, .. } = &report.verdict {
            eprintln!("{}: {}", report.case.name(), one_line(seen));
            eprintln!("replay: longshore conformance '{url}' --only {} --seed {}", report.case.name(), report.seed);
        }
    }
    let failed = reports.iter().filter(|report| report.verdict.is_failed()).count();
    if failed > 0 {
        let what = format!("{failed} of {} cases failed; see the replay lines above", reports.len());
        return Err(Failure::new(Exit::Failure, url, what));
    }
    if let Some(group) = unshown(reports, required).first() {
        let what = format!("nothing was shown of {group}; see which of its cases were ignored, and why");
        return Err(Failure::new(Exit::Failure, "--require", what));
    }
    Ok(Exit::Done)
}

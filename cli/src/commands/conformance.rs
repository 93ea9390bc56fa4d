//! `longshore conformance`: the suite against a real store.

#[cfg(any(feature = "s3", feature = "webdav"))]
mod network;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use longshore::{Error, ErrorKind, ObjectKey, Payload, Result as Answer, Storage};
use longshore_conformance::litter;
use longshore_conformance::suite::{ignored_groups, unshown, why_unshown};
use longshore_conformance::{CaseReport, Group, Harness, Scratch, Size, Suite, Verdict, report};
use serde_json::Value;

use super::text::print_json;
use crate::address;
use crate::args::Conformance;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::hint;
use crate::output::say;
use crate::replica::blocking;
use crate::stores::{self, Kind};

pub(super) async fn run(args: Conformance, json: bool) -> Result<Exit> {
    address::check(&args.url)?;
    let kind = stores::of(&args.url);
    let storage = stores::reach(&args.url).await?;
    writable(&*storage).await?;
    let left = stores::left_behind(&*kind, &*storage).await;
    for path in args.json.iter().filter(|path| path.as_path() != Path::new("-")).chain(&args.junit) {
        claim(path)?;
    }
    let (required, size) = (required(&args.require)?, size(&args));
    let harness = harness(&args.url, &kind);
    #[cfg(any(feature = "s3", feature = "webdav"))]
    let harness = network::with(harness, &kind).await;
    let suite = args.only.iter().fold(Suite::new(harness).size(size).side_by_side(), Suite::only);
    let suite = args.seed.into_iter().fold(suite, Suite::seed);
    // Each case brings a runtime of its own.
    let reports = blocking(move || {
        let reports = suite.run_with(tell);
        kind.sweep("conformance-");
        reports
    })
    .await??;
    if reports.is_empty() {
        return Err(Failure::new(Exit::Usage, "--only", "no case has such a name; leave it out to run all"));
    }
    let seed = reports.first().map_or(0, |report| report.seed);
    let again = |report: &CaseReport| replay(&args.url, size, report);
    let outcome = report::json(&args.url, size, seed, &reports, again);
    write(&args, &outcome, (&reports, size), json)?;
    let left = left.map(|left| format!("{}: {left}", args.url));
    for line in closing(&args.url, size, &reports).into_iter().chain(left) {
        eprintln!("{line}");
    }
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

fn size(args: &Conformance) -> Size {
    match (args.quick, args.full) {
        (true, _) => Size::Quick,
        (_, true) => Size::Full,
        _ => Size::Ci,
    }
}

/// The store as the suite takes it, with what there is of this kind.
fn harness(url: &str, kind: &Arc<dyn Kind>) -> Harness {
    let opener = Arc::clone(kind);
    let mut harness = Harness::storage(url, move |_: Scratch| stores::open(Arc::clone(&opener)));
    if kind.open_missing_root().is_some() {
        harness = harness.missing_root(again(kind, |kind| kind.open_missing_root()));
    }
    if kind.open_with_wrong_credentials().is_some() {
        harness = harness.wrong_credentials(again(kind, |kind| kind.open_with_wrong_credentials()));
    }
    harness
}

type Opened = Answer<Arc<dyn Storage>>;

/// An opener of what this kind opened once already.
fn again(
    kind: &Arc<dyn Kind>,
    open: fn(&dyn Kind) -> Option<Opened>,
) -> impl Fn(Scratch) -> std::future::Ready<Opened> + Send + Sync + use<> {
    let kind = Arc::clone(kind);
    move |_| {
        let gone = || Err(Error::new(ErrorKind::Internal, "a kind of store opened this once, and does not any more"));
        std::future::ready(open(&*kind).unwrap_or_else(gone))
    }
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
fn write(args: &Conformance, outcome: &Value, (reports, size): (&[CaseReport], Size), json: bool) -> Result<()> {
    match &args.json {
        Some(path) if path == Path::new("-") && !json => say!("{outcome:#}"),
        Some(path) if path != Path::new("-") => save(path, &format!("{outcome:#}\n"))?,
        _ => {}
    }
    if !json && args.json.as_deref() != Some(Path::new("-")) {
        say!("{}", report::table(&args.url, reports).trim_end());
    }
    let again = |report: &CaseReport| replay(&args.url, size, report);
    args.junit.as_ref().map_or(Ok(()), |path| save(path, &report::junit(&args.url, reports, again)))
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| unwritable(path, &error))
}

/// Sees that a file can be written, before a run of minutes. What is in it stays until the end of the run.
fn claim(path: &Path) -> Result<()> {
    let opened = fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, path.display(), format!("cannot write it ({error}); choose another place"))
}

/// A store in which nothing can be written would fail nearly every case, each with the same words.
async fn writable(storage: &dyn Storage) -> Result<()> {
    let key = ObjectKey::new(format!("{}/segments/0/first", litter::scratch("conformance")?))?;
    storage.put(&key, Payload::from("longshore conformance")).await?;
    storage.delete(&key).await?;
    Ok(())
}

/// What is said after the table: each failure with the line that repeats it, and at the end what was not shown at all.
fn closing(url: &str, size: Size, reports: &[CaseReport]) -> Vec<String> {
    let mut lines = Vec::new();
    for report in reports {
        if let Verdict::Failed { rule, seen } = &report.verdict {
            let unjudged = if rule.is_none() { "no rule is judged; " } else { "" };
            lines.push(format!("{}: {unjudged}{}", report.case.name(), one_line(seen)));
            lines.push(format!("replay: {}", replay(url, size, report)));
        }
    }
    let failed = |group| reports.iter().any(|report| report.verdict.is_failed() && report.case.group() == group);
    if failed(Group::Storage) && Group::ALL.into_iter().any(|group| group != Group::Storage && failed(group)) {
        lines.push("begin with the first failure of storage: those of the other groups may follow from it".to_owned());
    }
    lines.extend(ignored_groups(reports).into_iter().map(|(group, _)| why_unshown(reports, group)));
    lines
}

/// The command line that runs a case again, as it ran.
fn replay(url: &str, size: Size, report: &CaseReport) -> String {
    let size = match size {
        Size::Quick => " --quick",
        Size::Full => " --full",
        _ => "",
    };
    let (url, only) = (hint::quoted(url), hint::quoted(report.case.name()));
    format!("longshore conformance {url} --only {only} --seed {}{size}", report.seed)
}

fn finish(url: &str, reports: &[CaseReport], required: &[Group]) -> Result<Exit> {
    let failed = reports.iter().filter(|report| report.verdict.is_failed()).count();
    if failed > 0 {
        let what = format!("{failed} of {} cases failed; see the replay lines above", reports.len());
        return Err(Failure::new(Exit::Failure, url, what));
    }
    let unshown = unshown(reports, required);
    if !unshown.is_empty() {
        let why: Vec<String> = unshown.into_iter().map(|group| why_unshown(reports, group)).collect();
        return Err(Failure::new(Exit::Failure, "--require", why.join("; ")));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use longshore::MemoryStorage;
    use longshore_conformance::Rule;

    use super::*;

    /// A report of a case of this group: the first, the second, and so on.
    fn report(group: Group, at: usize, verdict: Verdict) -> CaseReport {
        let case = Suite::cases().into_iter().filter(|case| case.group() == group).nth(at).unwrap();
        CaseReport { case, verdict, took: Duration::ZERO, seed: 7, left: 0 }
    }

    fn failed(seen: &str) -> Verdict {
        Verdict::Failed { rule: Some(Rule::Storage(1)), seen: seen.to_owned() }
    }

    #[test]
    fn failures_come_first_and_what_was_not_shown_last() {
        let reports = [
            report(Group::Crash, 0, Verdict::Ignored("no process".into())),
            report(Group::Storage, 0, failed("two\u{1b}[2J\nlines")),
            report(Group::Storage, 1, Verdict::Passed),
            report(Group::Sync, 0, failed("lost")),
        ];
        let [_, first, _, last] = &reports;
        let (first, last) = (first.case.name(), last.case.name());
        let lines = closing("file:///it's here", Size::Full, &reports);
        assert_eq!(
            lines,
            [
                format!(r"{first}: two\u{{1b}}[2J\nlines"),
                format!(r"replay: longshore conformance 'file:///it'\''s here' --only {first} --seed 7 --full"),
                format!("{last}: lost"),
                format!(r"replay: longshore conformance 'file:///it'\''s here' --only {last} --seed 7 --full"),
                "begin with the first failure of storage: those of the other groups may follow from it".to_owned(),
                "nothing was shown of crash: its case was ignored".to_owned(),
            ]
        );
    }

    /// What hung, panicked or was not run says nothing of a rule.
    #[test]
    fn what_is_printed_names_a_rule_only_where_one_was_judged() {
        let unjudged = Verdict::Failed { rule: None, seen: "hangs: it did not end within 120s".to_owned() };
        let reports = [report(Group::Storage, 0, unjudged), report(Group::Storage, 1, failed("two won"))];
        let outcome = report::json("file:///s", Size::Ci, 7, &reports, |report| replay("file:///s", Size::Ci, report));
        let rules: Vec<&Value> = outcome["cases"].as_array().unwrap().iter().map(|case| &case["rule"]).collect();
        assert_eq!(rules, [&Value::Null, &Value::from(Rule::Storage(1).to_string())]);
        let lines = closing("file:///s", Size::Ci, &reports);
        assert!(lines[0].ends_with(": no rule is judged; hangs: it did not end within 120s"), "{}", lines[0]);
        assert!(lines[2].ends_with(": two won"), "{}", lines[2]);
    }

    #[test]
    fn a_replay_has_the_size_of_the_run() {
        let report = report(Group::Storage, 0, failed("x"));
        let line = |size| replay("file:///s", size, &report);
        let plain = format!("longshore conformance file:///s --only {} --seed 7", report.case.name());
        assert_eq!(line(Size::Quick), format!("{plain} --quick"));
        assert_eq!(line(Size::Ci), plain);
    }

    #[test]
    fn every_group_that_was_not_shown_is_named() {
        let reports = [report(Group::Storage, 0, Verdict::Passed)];
        let failure = finish("file:///s", &reports, &[Group::Crash, Group::Storage, Group::Network]).unwrap_err();
        let said = failure.to_string();
        assert!(said.contains("nothing was shown of crash: none of its "), "{said}");
        assert!(said.contains("; nothing was shown of network: "), "{said}");
    }

    /// A kind of store whose roots are buckets, and which asks for a key.
    struct Buckets(MemoryStorage);

    impl Kind for Buckets {
        fn open(&self) -> Answer<Arc<dyn Storage>> {
            Ok(Arc::new(self.0.clone()))
        }

        fn open_missing_root(&self) -> Option<Answer<Arc<dyn Storage>>> {
            Some(Err(Error::new(ErrorKind::Missing, "no such bucket")))
        }

        fn open_with_wrong_credentials(&self) -> Option<Answer<Arc<dyn Storage>>> {
            Some(Err(Error::new(ErrorKind::Denied, "no such key")))
        }
    }

    #[test]
    fn another_kind_of_store_is_shown_its_missing_root_and_wrong_credentials() {
        let storage = MemoryStorage::new();
        let run = |kind: Arc<dyn Kind>| {
            let reports = Suite::new(harness("bucket", &kind)).size(Size::Quick).only("storage::root::").run().unwrap();
            reports.into_iter().map(|report| report.verdict).collect::<Vec<_>>()
        };
        let verdicts = run(Arc::new(Buckets(storage.clone())));
        assert!(verdicts.len() >= 4 && verdicts.iter().all(|verdict| *verdict == Verdict::Passed), "{verdicts:?}");
        assert!(storage.objects().is_empty());
    }

    #[test]
    fn a_folder_asks_for_no_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let kind = stores::of(&longshore::file_url(folder.path()));
        assert!(kind.open_missing_root().unwrap().is_err() && kind.open_with_wrong_credentials().is_none());
    }
}

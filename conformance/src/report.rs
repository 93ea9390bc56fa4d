//! The outcome of a run as a table, as JSON and as `JUnit` XML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::case::{Group, Size};
use crate::suite::{CaseReport, what_stays};
use crate::verdict::{Verdict, breaks};

/// How many cases of a group passed, failed, warned and were ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The rule was kept.
    pub passed: usize,
    /// A rule was broken, or none could be judged.
    pub failed: usize,
    /// As `failed`, by a case too new to count.
    pub warned: usize,
    /// Not run.
    pub ignored: usize,
}

impl Tally {
    fn add(&mut self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Failed { .. } => &mut self.failed,
            Verdict::Warned { .. } => &mut self.warned,
            Verdict::Ignored(_) => &mut self.ignored,
        };
        *counter += 1;
    }
}

/// The tally of each group that has cases.
pub fn tallies(reports: &[CaseReport]) -> BTreeMap<Group, Tally> {
    let mut tallies: BTreeMap<Group, Tally> = BTreeMap::new();
    for report in reports {
        tallies.entry(report.case.group()).or_default().add(&report.verdict);
    }
    tallies
}

/// A table in Markdown to paste into a README: a line per group, then what failed, warned and was ignored, and at the end how many stores stay.
///
/// ```
/// assert!(longshore_conformance::report::table("memory", &[]).starts_with("| memory | passed |"));
/// ```
pub fn table(name: &str, reports: &[CaseReport]) -> String {
    let mut text = format!("| {} | passed | failed | warned | ignored |\n", cell(name));
    text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
    for (group, tally) in tallies(reports) {
        let Tally { passed, failed, warned, ignored } = tally;
        line(&mut text, format_args!("| {group} | {passed} | {failed} | {warned} | {ignored} |"));
    }
    details(&mut text, reports);
    if let Some(what) = what_stays(reports) {
        line(&mut text, format_args!("\n{what}"));
    }
    text
}

/// What failed first, whatever ran first.
fn details(text: &mut String, reports: &[CaseReport]) {
    for wanted in ["failed", "warned", "ignored"] {
        for report in reports.iter().filter(|report| report.verdict.as_str() == wanted) {
            detail(text, report.case.name(), &report.verdict);
        }
    }
}

fn detail(text: &mut String, name: &str, verdict: &Verdict) {
    match verdict {
        Verdict::Passed => {}
        Verdict::Ignored(why) => line(text, format_args!("\n{name}: ignored, {}", one_line(why))),
        Verdict::Warned { rule, seen } => {
            line(text, format_args!("\n{name}: warns, {}; seen: {}", breaks(*rule), one_line(seen)));
        }
        Verdict::Failed { rule, seen } => {
            line(text, format_args!("\n{name}: FAILED, {}; seen: {}", breaks(*rule), one_line(seen)));
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

/// Everything, for a program. `replay` gives the command that runs a case again, for each that failed or warned. Of those, `rule` is
/// the one that was broken, or null where none is judged; of all others it is the one that the case guards.
///
/// ```
/// use longshore_conformance::{Size, report};
///
/// let report = report::json("memory", Size::Quick, 7, &[], |_| String::new());
/// assert_eq!((&report["adapter"], &report["size"], &report["failed"]), (&"memory".into(), &"quick".into(), &0.into()));
/// ```
pub fn json(
    name: &str,
    size: Size,
    seed: u64,
    reports: &[CaseReport],
    replay: impl Fn(&CaseReport) -> String,
) -> Value {
    let failed = reports.iter().filter(|report| report.verdict.is_failed()).count();
    json!({
        "suite": env!("CARGO_PKG_VERSION"),
        "adapter": name,
        "size": size.as_str(),
        // A number of 64 bits is not safe in every reader of JSON.
        "seed": seed.to_string(),
        "failed": failed,
        "stores_left": reports.iter().map(|report| report.left).sum::<usize>(),
        "cases": reports.iter().map(|report| case_json(report, &replay)).collect::<Vec<_>>(),
    })
}

fn case_json(report: &CaseReport, replay: impl Fn(&CaseReport) -> String) -> Value {
    let mut value = json!({
        "name": report.case.name(),
        "group": report.case.group().as_str(),
        "verdict": report.verdict.as_str(),
        "rule": report.case.rule().to_string(),
        "milliseconds": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
    });
    match &report.verdict {
        Verdict::Passed => {}
        Verdict::Ignored(why) => value["why"] = why.as_str().into(),
        Verdict::Warned { rule, seen } | Verdict::Failed { rule, seen } => {
            value["rule"] = rule.map(|rule| rule.to_string()).into();
            value["seen"] = seen.as_str().into();
            value["replay"] = replay(report).into();
        }
    }
    value
}

/// For systems that read `JUnit` XML, as most CI servers do: one `testsuite`, one `testcase` for each case.
/// `replay` gives the command that runs a case again, for each that failed or warned.
///
/// ```
/// assert!(longshore_conformance::report::junit("a & b", &[], |_| String::new()).contains("<testsuite name=\"a &amp; b\""));
/// ```
pub fn junit(name: &str, reports: &[CaseReport], replay: impl Fn(&CaseReport) -> String) -> String {
    let count = |wanted: &str| reports.iter().filter(|report| report.verdict.as_str() == wanted).count();
    let time: f64 = reports.iter().map(|report| report.took.as_secs_f64()).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(
        &mut text,
        format_args!(
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{time:.3}\">",
            xml(name),
            reports.len(),
            count("failed"),
            count("ignored"),
        ),
    );
    for report in reports {
        junit_case(&mut text, report, &replay);
    }
    if let Some(what) = what_stays(reports) {
        line(&mut text, format_args!("  <system-out>{}</system-out>", xml(&what)));
    }
    text.push_str("</testsuite>\n");
    text
}

fn junit_case(text: &mut String, report: &CaseReport, replay: impl Fn(&CaseReport) -> String) {
    let (group, name) = (report.case.group(), report.case.name());
    let time = report.took.as_secs_f64();
    let head = format!("  <testcase classname=\"{group}\" name=\"{}\" time=\"{time:.3}\"", xml(name));
    match &report.verdict {
        Verdict::Passed => line(text, format_args!("{head}/>")),
        Verdict::Ignored(why) => line(text, format_args!("{head}><skipped message=\"{}\"/></testcase>", xml(why))),
        Verdict::Warned { rule, seen } => {
            let seen = xml(&format!("warning: {}; seen: {seen}\nreplay: {}", breaks(*rule), replay(report)));
            line(text, format_args!("{head}><system-out>{seen}</system-out></testcase>"));
        }
        Verdict::Failed { rule, seen } => {
            let (rule, seen) = (xml(&breaks(*rule)), xml(&format!("{seen}\nreplay: {}", replay(report))));
            line(text, format_args!("{head}><failure message=\"{rule}\">{seen}</failure></testcase>"));
        }
    }
}

/// Text as XML 1.0 takes it: what it forbids is replaced.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(c),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::case::{Case, Rule};

    fn reports() -> Vec<CaseReport> {
        let case = Case::new("storage::x::y", Group::Storage, Rule::Storage(3), |_| Box::pin(async { Ok(()) }));
        let report =
            |verdict| CaseReport { case: case.clone(), verdict, took: Duration::from_millis(5), seed: 1, left: 0 };
        vec![
            report(Verdict::Passed),
            report(Verdict::Failed { rule: Some(Rule::Storage(3)), seen: "<two>\u{1b}[2J\nwon".into() }),
            report(Verdict::Ignored("no | root".into())),
        ]
    }

    fn again(report: &CaseReport) -> String {
        format!("run --only \"{}\"", report.case.name())
    }

    #[test]
    fn a_table_counts_and_explains() {
        let table = table("a|b", &reports());
        assert!(table.starts_with("| a\\|b | passed |"), "{table}");
        assert!(table.contains("| storage | 1 | 1 | 0 | 1 |"), "{table}");
        assert!(table.contains("storage::x::y: FAILED, breaks rule 3 of Storage"), "{table}");
        assert!(!table.contains('\u{1b}'), "{table}");
    }

    #[test]
    fn where_no_rule_is_judged_none_is_named() {
        let [_, broken, _] = reports().try_into().unwrap();
        let hangs = |verdict| CaseReport { verdict, ..broken.clone() };
        let seen = || "hangs: it did not end within 120s".to_owned();
        let failed = hangs(Verdict::Failed { rule: None, seen: seen() });
        let warned = hangs(Verdict::Warned { rule: None, seen: seen() });
        for (report, before) in [(&failed, "FAILED, "), (&warned, "warns, ")] {
            let reports = [report.clone(), broken.clone()];
            let unjudged = table("x", &reports[..1]);
            assert!(
                unjudged.contains(&format!("storage::x::y: {before}no rule is judged; seen: hangs: ")),
                "{unjudged}"
            );
            assert_eq!(table("x", &reports).matches("breaks rule 3 of Storage").count(), 1);
            let xml = junit("x", &reports, again);
            let said = (xml.matches("no rule is judged").count(), xml.matches("breaks rule 3 of Storage").count());
            assert_eq!(said, (1, 1), "{xml}");
            let value = json("x", Size::Ci, 7, &reports, again);
            assert!(value["cases"][0].as_object().unwrap()["rule"].is_null(), "{value}");
            assert_eq!(value["cases"][1]["rule"], Rule::Storage(3).to_string());
        }
    }

    #[test]
    fn xml_stays_well_formed_whatever_was_seen() {
        let xml = junit("x", &reports(), again);
        assert!(xml.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("&lt;two&gt;\u{fffd}[2J\nwon\nreplay: run --only &quot;storage::x::y&quot;<"), "{xml}");
        assert_eq!(xml.matches("replay").count(), 1, "{xml}");
    }

    #[test]
    fn what_stays_is_said_at_the_end() {
        let mut reports = reports();
        let quiet = [table("x", &reports), junit("x", &reports, again)];
        assert!(quiet.iter().all(|text| !text.contains("removing")), "{quiet:?}");
        (reports[0].left, reports[1].left) = (2, 3);
        let said = "5 stores were opened and stay: the harness does not say how one is removed (`Harness::removing`)";
        assert_eq!(table("x", &reports).lines().last(), Some(said));
        let xml = junit("x", &reports, again);
        assert!(xml.ends_with(&format!("  <system-out>{said}</system-out>\n</testsuite>\n")), "{xml}");
        well_formed(&xml).unwrap();
        assert_eq!(json("x", Size::Ci, 7, &reports, again)["stores_left"], 5);
    }

    #[test]
    fn what_failed_stands_before_what_was_ignored() {
        let mut reports = reports();
        reports.reverse();
        let table = table("x", &reports);
        assert!(table.find("FAILED").unwrap() < table.find("ignored, ").unwrap(), "{table}");
    }

    /// All characters of Unicode's first plane, and what ends a comment, a section, a tag or an attribute.
    fn hostile() -> String {
        let all: String = (0..=0xffff_u32).filter_map(char::from_u32).collect();
        format!(
            "]]> --> ?> </failure></testcase> \"x\" 'y' &amp; &#0; <!DOCTYPE a [<!ENTITY b 'c'>]> &b; \u{1f6a2}{all}"
        )
    }

    #[test]
    fn no_text_breaks_the_xml() {
        let case = Case::new("storage::x::y", Group::Storage, Rule::Storage(3), |_| Box::pin(async { Ok(()) }));
        let (rule, seen) = (Some(Rule::Storage(3)), hostile());
        let verdicts = [
            Verdict::Failed { rule, seen: seen.clone() },
            Verdict::Warned { rule, seen: seen.clone() },
            Verdict::Ignored(seen.clone()),
            Verdict::Passed,
        ];
        let report = |verdict| CaseReport { case: case.clone(), verdict, took: Duration::ZERO, seed: 1, left: 0 };
        let xml = junit(&seen, &verdicts.map(report), |_| seen.clone());
        let tags = well_formed(&xml).unwrap();
        assert_eq!(
            tags,
            ["testsuite", "testcase", "failure", "testcase", "system-out", "testcase", "skipped", "testcase"]
        );
    }

    #[test]
    fn the_judge_of_xml_judges() {
        for wrong in ["<a>", "<a></b>", "<a>&</a>", "<a>]]></a>", "<a b=\"<\"/>", "<a b=\"c\"d\"/>", "<a>\u{1}</a>"] {
            assert!(well_formed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(well_formed("<?xml version=\"1.0\"?>\n<a b=\"&lt;c\"><d/>&gt;</a>\n").unwrap(), ["a", "d"]);
    }

    /// The names of the elements, in order, if this is XML 1.0 as far as `JUnit` needs it: elements, attributes and text.
    fn well_formed(xml: &str) -> Result<Vec<String>, String> {
        let allowed =
            |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        if let Some(c) = xml.chars().find(|c| !allowed(*c)) {
            return Err(format!("{c:?} is no character of XML"));
        }
        let (mut names, mut open, mut rest) = (Vec::new(), Vec::new(), xml);
        if let Some((_, after)) = xml.strip_prefix("<?xml ").and_then(|xml| xml.split_once("?>")) {
            rest = after;
        }
        while let Some((text, after)) = rest.split_once('<') {
            check_text(text)?;
            let (tag, after) = after.split_once('>').ok_or("a tag does not end")?;
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop().as_deref() != Some(name) {
                    return Err(format!("</{name}> ends nothing"));
                }
                continue;
            }
            let name = tag.split([' ', '/']).next().unwrap_or_default().to_owned();
            let attributes = tag[name.len()..].trim_end_matches('/');
            check_attributes(attributes)?;
            if !tag.ends_with('/') {
                open.push(name.clone());
            }
            names.push(name);
        }
        check_text(rest)?;
        if open.is_empty() { Ok(names) } else { Err(format!("{open:?} do not end")) }
    }

    fn check_text(text: &str) -> Result<(), String> {
        let entity = |part: &str| ["amp;", "lt;", "gt;", "quot;"].iter().any(|entity| part.starts_with(entity));
        if text.contains(['<', '>']) || !text.split('&').skip(1).all(entity) {
            return Err(format!("{:?} is no text", text.chars().take(200).collect::<String>()));
        }
        Ok(())
    }

    /// Pairs of ` name="` and a value, with a quote between.
    fn check_attributes(attributes: &str) -> Result<(), String> {
        let parts: Vec<&str> = attributes.split('"').collect();
        let (last, pairs) = parts.split_last().ok_or("nothing")?;
        let named = |name: &str| {
            let name = name.strip_prefix(' ').and_then(|name| name.strip_suffix('='));
            name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()))
        };
        if !last.is_empty() || pairs.len() % 2 != 0 || !pairs.iter().step_by(2).all(|name| named(name)) {
            return Err(format!("{:?} are no attributes", attributes.chars().take(200).collect::<String>()));
        }
        pairs.iter().skip(1).step_by(2).try_for_each(|value| check_text(value))
    }

    #[test]
    fn json_names_what_was_seen() {
        let value = json("x", Size::Ci, u64::MAX, &reports(), again);
        assert_eq!(value["cases"][1]["seen"], "<two>\u{1b}[2J\nwon");
        assert_eq!(value["cases"][1]["replay"], "run --only \"storage::x::y\"");
        assert_eq!((&value["cases"][0]["replay"], &value["cases"][2]["replay"]), (&Value::Null, &Value::Null));
        assert_eq!(value["cases"][2]["why"], "no | root");
        assert_eq!(value["seed"], u64::MAX.to_string());
    }
}

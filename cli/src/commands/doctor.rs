//! `longshore doctor`: whether a store can hold data safely.

use std::sync::Arc;

use longshore::{Result as Answer, Storage};
use longshore_conformance::doctor::{Finding, Health, examine};
use serde_json::json;

use super::text::print_json;
use crate::address;
use crate::args::Doctor;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::mounts;
use crate::output::say;
use crate::scratch;

pub(super) async fn run(args: &Doctor, json: bool) -> Result<Exit> {
    address::check(&args.url)?;
    // A wrong address is no finding about a store.
    if let Err(error) = longshore::open_storage(&args.url) {
        return Err(Failure::of_store(&error, &args.url, ToOwned::to_owned));
    }
    let url = args.url.clone();
    let mut findings = examine(&move || {
        let url = url.clone();
        Box::pin(async move { open(&url) })
    })
    .await;
    findings.extend(mount(&args.url));
    scratch::remove_empty_folders(&args.url, "doctor-");
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Bad);
    // Notes are worth knowing, and take nothing away.
    let worst = if worst == Health::Note { Health::Good } else { worst };
    for finding in findings.iter_mut().filter(|finding| finding.health == Health::Bad) {
        finding.text = format!("{}: {}", args.url, finding.text);
    }
    if json {
        print_json(&json!({ "health": worst.as_str(), "findings": findings.iter().map(as_json).collect::<Vec<_>>() }));
    } else {
        print(&findings, worst);
    }
    Ok(findings.iter().find(|finding| finding.health == Health::Bad).map_or(Exit::Done, |bad| exit(bad.topic)))
}

/// How the command ends for the first thing that is bad.
fn exit(topic: &str) -> Exit {
    match topic {
        "reachable" => Exit::Busy,
        "writable" | "credentials" => Exit::Failure,
        _ => Exit::Unsupported,
    }
}

fn open(url: &str) -> Answer<Arc<dyn Storage>> {
    longshore::open_storage(url)
}

/// What the place of a folder says about it.
fn mount(url: &str) -> Option<Finding> {
    let folder = longshore::file_url_path(url)?;
    let why = mounts::shared_otherwise(&address::resolved(&folder))?;
    let text = format!("the folder lies {why}: other machines may see it late, or see another one");
    Some(Finding { topic: "mount", health: Health::Warning, text })
}

fn print(findings: &[Finding], worst: Health) {
    for finding in findings {
        say!("{:8} {}: {}", finding.health.as_str(), finding.topic, one_line(&finding.text));
    }
    say!(
        "{}",
        match worst {
            Health::Bad => "this store cannot hold data safely as it is",
            Health::Warning => "this store can hold data safely, with the warnings above",
            Health::Note | Health::Good => "this store can hold data safely",
        }
    );
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({ "topic": finding.topic, "health": finding.health.as_str(), "text": finding.text })
}

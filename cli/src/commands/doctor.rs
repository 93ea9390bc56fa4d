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
    address::refuse_password(&args.url)?;
    // A wrong address is no finding about a store.
    let first = longshore::open_storage(&args.url);
    if let Err(error) = first {
        return Err(Failure::from(error));
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
    if json {
        print_json(&json!({ "health": worst.as_str(), "findings": findings.iter().map(as_json).collect::<Vec<_>>() }));
    } else {
        print(&findings, worst);
    }
    Ok(if worst == Health::Bad { Exit::Unsupported } else { Exit::Done })
}

fn open(url: &str) -> Answer<Arc<dyn Storage>> {
    longshore::open_storage(url)
}

/// What the place of a folder says about it.
fn mount(url: &str) -> Option<Finding> {
    let folder = address::store_path(url)?;
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
            Health::Bad => "this store cannot hold data safely",
            Health::Warning => "this store can hold data safely, with the warnings above",
            Health::Note | Health::Good => "this store can hold data safely",
        }
    );
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({ "topic": finding.topic, "health": finding.health.as_str(), "text": finding.text })
}

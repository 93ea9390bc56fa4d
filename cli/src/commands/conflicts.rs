//! `longshore conflicts`: the conflicts that wait for an answer.

use std::path::Path;

use longshore::{Conflict, Replica as _, Version};
use serde_json::json;

use super::text::{count, print_json, size};
use crate::args;
use crate::attached::Attached;
use crate::exit::{Exit, Result, one_line};
use crate::hint;
use crate::output::say;

pub(super) async fn run(args: &args::Attached, json: bool) -> Result<Exit> {
    let at = Attached::open(&args.folder).await?;
    let mut found = Vec::new();
    for id in at.replica.conflicts().await? {
        found.extend(at.replica.conflict(&id).await?);
    }
    if json {
        print_json(&json!({ "conflicts": found.iter().map(as_json).collect::<Vec<_>>() }));
    } else {
        for conflict in &found {
            say!(
                "{}: here {}, elsewhere {} (commit {})",
                one_line(conflict.id.as_str()),
                words(&conflict.local),
                words(&conflict.remote),
                conflict.sequence.get()
            );
        }
        say!("{}", summary(found.len() as u64, &at.folder));
    }
    Ok(if found.is_empty() { Exit::Done } else { Exit::Conflicts })
}

fn summary(waiting: u64, folder: &Path) -> String {
    if waiting == 0 {
        return "no conflict waits".to_owned();
    }
    let next = format!("run `longshore sync{}` with --conflict keep-both, local or remote", hint::folder(folder));
    format!("{} waiting; {next}", count(waiting, "conflict"))
}

fn words(version: &Version) -> String {
    match version {
        Version::Present(document) => size(document.body.len() as u64),
        Version::Deleted => "deleted".to_owned(),
    }
}

fn as_json(conflict: &Conflict) -> serde_json::Value {
    let side = |version: &Version| match version {
        Version::Present(document) => json!({ "bytes": document.body.len(), "revision": document.revision }),
        Version::Deleted => json!(null),
    };
    json!({
        "id": conflict.id, "here": side(&conflict.local), "elsewhere": side(&conflict.remote),
        "commit": conflict.sequence,
    })
}

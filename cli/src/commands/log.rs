//! `longshore log`: the newest commits of the store, or one of them with its changes.

use std::collections::VecDeque;
use std::sync::Arc;

use longshore::{Change, Content, Entry, Error, ErrorKind, Sequence, Server, StoredServer};
use serde_json::json;

use super::text::{count, print_json, size, time};
use crate::args::{Log, Show};
use crate::attached::Attached;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::output::say;

/// Entries read at once.
const STRIDE: usize = 16;

pub(super) async fn run(args: &Log, json: bool) -> Result<Exit> {
    let at = Attached::open(&args.folder).await?;
    let server = at.server(None)?;
    at.check_identity(&server).await?;
    if let Some(Show::Show { number }) = args.show {
        return show(&server, number, json).await;
    }
    let client = Attached::client(Arc::clone(&server), Arc::new(at.replica.clone())).build();
    let checkpoint = client.status().await?.checkpoint.map_or(0, Sequence::get);
    let entries = newest(&server, checkpoint, args.limit).await?;
    check_reach(&entries, checkpoint, &at.config.url)?;
    if json {
        print_json(&json!({ "checkpoint": checkpoint, "entries": entries.iter().map(header).collect::<Vec<_>>() }));
    } else {
        for entry in &entries {
            say!("{}", line(entry));
        }
        say!("{} shown; this folder is at commit {checkpoint}", count(entries.len() as u64, "commit"));
    }
    Ok(Exit::Done)
}

/// The newest entries, oldest first. It starts from what this folder has seen, not from the store's beginning.
async fn newest(server: &StoredServer, checkpoint: u64, limit: u64) -> Result<VecDeque<Entry>> {
    let mut entries = VecDeque::new();
    let mut next = Sequence::new(checkpoint.saturating_sub(limit.saturating_sub(1)).max(1))?;
    loop {
        for reply in server.changes_read(next, STRIDE).await? {
            let Some(entry) = reply.value else { return Ok(entries) };
            next = entry.sequence.next()?;
            entries.push_back(entry);
            if entries.len() as u64 > limit {
                entries.pop_front();
            }
        }
    }
}

/// An older copy of the store has the right identity, and lacks commits that this folder has seen.
fn check_reach(entries: &VecDeque<Entry>, checkpoint: u64, url: &str) -> Result<()> {
    let newest = entries.back().map_or(0, |entry| entry.sequence.get());
    if newest >= checkpoint {
        return Ok(());
    }
    let what = format!("lacks commit {checkpoint}, which this folder has seen; restore the store; nothing was changed");
    Err(Failure::new(Exit::Replaced, url, what))
}

async fn show(server: &StoredServer, number: u64, json: bool) -> Result<Exit> {
    let found = server.changes_read(Sequence::new(number)?, 1).await?.pop().and_then(|reply| reply.value);
    let missing =
        || Failure::new(Exit::Failure, format!("commit {number}"), "is not in the store; see `longshore log`");
    let entry = found.ok_or_else(missing)?;
    let changes = changes(server, &entry).await?;
    if json {
        let mut shown = header(&entry);
        shown["changes"] = changes.iter().map(as_json).collect();
        print_json(&shown);
    } else {
        say!("{}", line(&entry));
        for change in &changes {
            say!("  {}", words(change));
        }
    }
    Ok(Exit::Done)
}

async fn changes(server: &StoredServer, entry: &Entry) -> Result<Vec<Change>, Error> {
    match &entry.content {
        Content::Changes(changes) => Ok(changes.clone()),
        Content::Segments(segments) => {
            let mut all = Vec::new();
            for segment in segments {
                all.extend(server.segment(segment).await?);
            }
            Ok(all)
        }
        Content::Snapshot | Content::Collect | Content::Drop => Ok(Vec::new()),
        _ => Err(Error::new(ErrorKind::Unsupported, "a newer longshore wrote this commit")),
    }
}

fn what(entry: &Entry) -> String {
    match &entry.content {
        Content::Changes(changes) => count(changes.len() as u64, "change"),
        Content::Segments(segments) => {
            let stored = segments.iter().map(|segment| segment.length).sum();
            format!("{} of {}", count(segments.len() as u64, "segment"), size(stored))
        }
        Content::Snapshot => "snapshot".to_owned(),
        Content::Collect => "collection of garbage".to_owned(),
        Content::Drop => "the end of this domain".to_owned(),
        _ => "something of a newer longshore".to_owned(),
    }
}

/// An entry's time is the newest server time that its writer had seen *before* it committed: the commit came after.
fn line(entry: &Entry) -> String {
    let client = entry.client.to_string();
    let at = entry.time.map_or_else(|| "at no known time".to_owned(), |at| format!("after {}", time(at.as_millis())));
    format!("#{} {at} by {}: {} ({})", entry.sequence.get(), &client[..8], what(entry), size(entry.size))
}

fn words(change: &Change) -> String {
    let id = one_line(change.id.as_str());
    let revision = change.revision.as_ref().map_or(String::new(), |text| format!(", {}", one_line(text.as_str())));
    match (change.action.is_delete(), &change.base) {
        (true, _) => format!("- {id}"),
        (false, None) => format!("+ {id} ({}{revision})", size(change.action.len() as u64)),
        (false, Some(_)) => format!("~ {id} ({}{revision})", size(change.action.len() as u64)),
    }
}

/// `time` is that of [`line()`]: the commit came after it.
fn header(entry: &Entry) -> serde_json::Value {
    json!({
        "number": entry.sequence, "hash": entry.hash, "previous": entry.previous, "client": entry.client,
        "attempt": entry.attempt, "time": entry.time, "bytes": entry.size, "content": what(entry),
    })
}

fn as_json(change: &Change) -> serde_json::Value {
    json!({
        "id": change.id, "delete": change.action.is_delete(), "bytes": change.action.len(),
        "revision": change.revision, "base": change.base,
    })
}

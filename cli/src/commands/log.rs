//! `longshore log`: the newest commits of the store, or one of them with its changes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use longshore::{Change, Content, DocumentId, Entry, Error, ErrorKind, Hash, Sequence, Server, StoredServer};
use serde_json::json;

use super::text::{count, print_json, size, time};
use crate::args::{Log, One};
use crate::attached::Attached;
use crate::config::cannot;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::hint;
use crate::output::say;

/// Entries read at once.
const STRIDE: usize = 16;

pub(super) async fn run(args: &Log, json: bool) -> Result<Exit> {
    let at = Attached::open(&args.folder).await?;
    let server = at.server(None)?;
    at.check_identity(&server).await?;
    match &args.one {
        Some(One::Show { number }) => return show(&at, &server, *number, json).await,
        Some(One::Get { number, path, to }) => return get(&at, &server, (*number, path), to.as_deref(), json).await,
        None => {}
    }
    let client = Attached::client(Arc::clone(&server), Arc::new(at.replica.clone())).build();
    let checkpoint = client.status().await?.checkpoint.map_or(0, Sequence::get);
    let entries = newest(&server, checkpoint, args.limit).await.map_err(|error| at.failure(&error))?;
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
async fn newest(server: &StoredServer, checkpoint: u64, limit: u64) -> Result<VecDeque<Entry>, Error> {
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

async fn show(at: &Attached, server: &StoredServer, number: u64, json: bool) -> Result<Exit> {
    let entry = entry(at, server, number).await?;
    let changes = changes(server, &entry).await.map_err(|error| at.failure(&error))?;
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

/// One commit.
async fn entry(at: &Attached, server: &StoredServer, number: u64) -> Result<Entry> {
    let list = hint::log_folder(&at.folder);
    let commit = format!("commit {number}");
    let Ok(sequence) = Sequence::new(number) else {
        let what = format!("there is none of that number, the first is 1; `longshore log{list}` lists the newest");
        return Err(Failure::new(Exit::Usage, commit, what));
    };
    let found = server.changes_read(sequence, 1).await.map_err(|error| at.failure(&error))?;
    found.into_iter().next().and_then(|reply| reply.value).ok_or_else(|| {
        let what = format!("is not in the store; `longshore log{list}` lists the newest");
        Failure::new(Exit::Failure, commit, what)
    })
}

/// Gives back a file as it was in a commit.
async fn get(
    at: &Attached,
    server: &StoredServer,
    (number, path): (u64, &str),
    to: Option<&Path>,
    json: bool,
) -> Result<Exit> {
    if json && to.is_none() {
        let what = "prints the file's bytes, which are no JSON; add --to FILE";
        return Err(Failure::new(Exit::Usage, "log get", what));
    }
    let entry = entry(at, server, number).await?;
    let changes = changes(server, &entry).await.map_err(|error| at.failure(&error))?;
    let commit = format!("commit {number}");
    let Some(change) = changes.into_iter().rev().find(|change| change.id.as_str() == path) else {
        let list = hint::log_folder(&at.folder);
        let what = format!("did not change `{path}`; `longshore log show{list} {number}` tells what it changed");
        return Err(Failure::new(Exit::Failure, commit, what));
    };
    let Some(body) = change.action.body() else {
        let what = format!("deleted `{path}`; an earlier commit has it");
        return Err(Failure::new(Exit::Failure, commit, what));
    };
    let Some(to) = to else {
        crate::output::bytes(body);
        return Ok(Exit::Done);
    };
    write_new(to, body)?;
    if json {
        print_json(&json!({ "number": number, "id": change.id, "bytes": body.len(), "to": to }));
    } else {
        say!("wrote {} ({}) as it was in commit {number}", to.display(), size(body.len() as u64));
    }
    Ok(Exit::Done)
}

/// Writes a file that was not there.
fn write_new(to: &Path, body: &[u8]) -> Result<()> {
    let mut file = File::create_new(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Failure, to.display(), "is there already, and is not overwritten; give another name")
        }
        _ => cannot("write", to, &error),
    })?;
    file.write_all(body).and_then(|()| file.sync_all()).map_err(|error| {
        // Half of it would pass for the whole.
        drop(fs::remove_file(to));
        cannot("write", to, &error)
    })
}

/// The newest version of each document that was committed after the checkpoint: the hash of its bytes, or none if it was deleted.
pub(super) async fn ahead(
    server: &StoredServer,
    checkpoint: Option<Sequence>,
) -> Result<BTreeMap<DocumentId, Option<Hash>>, Error> {
    let mut ahead = BTreeMap::new();
    let mut next = checkpoint.map_or(Ok(Sequence::FIRST), Sequence::next)?;
    loop {
        for reply in server.changes_read(next, STRIDE).await? {
            let Some(entry) = reply.value else { return Ok(ahead) };
            next = entry.sequence.next()?;
            for change in changes(server, &entry).await? {
                ahead.insert(change.id, change.action.body().map(|body| Hash::of(body)));
            }
        }
    }
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
        Content::Snapshot { .. } | Content::Collect | Content::Drop => Ok(Vec::new()),
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
        Content::Snapshot { .. } => "snapshot".to_owned(),
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

//! What must be true once everything healed: the log is read as any client would, and the replicas are held against it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use longshore_core::{Change, Content, DocumentId, Sequence, Server};

use crate::case::Rule;
use crate::verdict::Failure;

/// Documents and their bodies.
pub(in crate::cases) type Documents = BTreeMap<DocumentId, Bytes>;

/// Everything the log says, in order. Each entry names the one before (I6), and what it names can be read (I8).
pub(in crate::cases) async fn log(server: &dyn Server) -> Result<Vec<Change>, Failure> {
    let store = server.store().await?.value.ok_or_else(|| Failure::new("the store is gone"))?;
    let (mut changes, mut previous, mut number) = (Vec::new(), store.hash, Sequence::FIRST);
    while let Some(entry) = server.changes_read(number, 1).await?.pop().and_then(|reply| reply.value) {
        if entry.previous != previous {
            let seen = format!("entry {} does not name the hash of the entry before", number.get());
            return Err(Failure::new(seen).with_rule(Rule::Invariant(6)));
        }
        match entry.content {
            Content::Changes(list) => changes.extend(list),
            Content::Segments(segments) => {
                for segment in &segments {
                    changes.extend(server.segment(segment).await.map_err(|error| {
                        let seen = format!("entry {} names segment {}: {error}", number.get(), segment.name);
                        Failure::new(seen).with_rule(Rule::Invariant(8))
                    })?);
                }
            }
            other => return Err(Failure::new(format!("entry {} is {other:?}: nobody wrote that", number.get()))),
        }
        (previous, number) = (entry.hash, number.next()?);
    }
    Ok(changes)
}

/// The documents that the log leaves.
pub(in crate::cases) fn fold(log: &[Change]) -> Documents {
    let mut documents = Documents::new();
    for change in log {
        match change.action.body() {
            Some(body) => documents.insert(change.id.clone(), body.clone()),
            None => documents.remove(&change.id),
        };
    }
    documents
}

/// Two sets of documents are the same; the first difference is told. (I5)
pub(in crate::cases) fn equal(who: &str, has: &Documents, expected: &Documents) -> Result<(), Failure> {
    let broken = |seen: String| Err(Failure::new(seen).with_rule(Rule::Invariant(5)));
    for (id, body) in expected {
        match has.get(id) {
            None => return broken(format!("{who} lacks document {id}, which should be {}", short(body))),
            Some(other) if other != body => {
                return broken(format!("{who} has {} as document {id}, and not {}", short(other), short(body)));
            }
            Some(_) => {}
        }
    }
    match has.keys().find(|id| !expected.contains_key(*id)) {
        Some(id) => broken(format!("{who} has document {id}, which should not be there")),
        None => Ok(()),
    }
}

/// No body was committed twice: every write of a case has a body of its own. (I3)
pub(in crate::cases) fn committed_once(log: &[Change]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for change in log {
        let Some(body) = change.action.body() else { continue };
        if !seen.insert((&change.id, body)) {
            let what = format!("the write {} of document {} is in the log twice", short(body), change.id);
            return Err(Failure::new(what).with_rule(Rule::Invariant(3)));
        }
    }
    Ok(())
}

/// A body, short enough to be read.
pub(in crate::cases) fn short(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    if body.len() > 60 { format!("{text:?}… ({} bytes)", body.len()) } else { format!("{text:?}") }
}

//! What must be true at the end of every story.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use longshore_core::{Change, DocumentId};

use super::device::{Device, Fleet};
use crate::case::Rule;
use crate::cases::server::history::{changes_of, whole_log};
use crate::verdict::Failure;

type Documents = BTreeMap<DocumentId, Bytes>;

/// Everything that the log says, in order; every object that it names can be read. (I6, I8)
pub(super) async fn log(fleet: &Fleet, device: &Device) -> Result<Vec<Change>, Failure> {
    let server = fleet.cx.server_as(fleet.cx.clock().runtime(), &device.habits.domain).await?;
    let broken = |number, failure: Failure| {
        Failure::new(format!("entry {number} cannot be read whole: {failure}")).with_rule(Rule::Invariant(number))
    };
    let mut changes = Vec::new();
    for entry in whole_log(&*server).await.map_err(|failure| broken(6, failure))? {
        changes.extend(changes_of(&*server, &entry).await.map_err(|failure| broken(8, failure))?);
    }
    Ok(changes)
}

/// All devices are in step with the log and with each other, nothing was lost, and nothing was doubled. Every device has synced,
/// and nobody works.
pub(super) async fn sound(fleet: &Fleet, devices: &[&Device]) -> Result<(), Failure> {
    let Some(first) = devices.first() else { return Ok(()) };
    let log = log(fleet, first).await?;
    in_step(&log, devices).await?;
    committed_once(&log)?;
    nothing_dropped(fleet, &log)
}

fn check(holds: bool, invariant: u8, seen: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(seen()).with_rule(Rule::Invariant(invariant))) }
}

/// Nothing is pending, and every device has what the log says. (I5)
pub(super) async fn in_step(log: &[Change], devices: &[&Device]) -> Result<(), Failure> {
    let expected = fold(log);
    for (at, device) in devices.iter().enumerate() {
        let status = device.client.status().await?;
        let left = (status.pending, status.conflicts);
        check(left == (0, 0), 5, || {
            format!("all have synced, and device {at} has {left:?} pending changes and conflicts")
        })?;
        let documents = device.replica.documents();
        let there: Documents = documents.into_iter().map(|(id, document)| (id, document.body)).collect();
        check(there == expected, 5, || format!("device {at} differs from the log: {}", difference(&there, &expected)))?;
    }
    Ok(())
}

/// The documents that a log leaves.
fn fold(log: &[Change]) -> Documents {
    let mut documents = Documents::new();
    for change in log {
        match change.action.body() {
            Some(body) => documents.insert(change.id.clone(), body.clone()),
            None => documents.remove(&change.id),
        };
    }
    documents
}

fn difference(there: &Documents, expected: &Documents) -> String {
    let ids: BTreeSet<&DocumentId> = there.keys().chain(expected.keys()).collect();
    let differ = ids.into_iter().find(|id| there.get(*id) != expected.get(*id));
    let text = |documents: &Documents, id| documents.get(id).map(shown);
    differ
        .map_or_else(String::new, |id| format!("{id:?} is {:?}, in the log {:?}", text(there, id), text(expected, id)))
}

fn shown(body: &Bytes) -> String {
    String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned()
}

/// Every write of a case has a body of its own, so none may be in the log twice. (I3)
fn committed_once(log: &[Change]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for change in log {
        if let Some(body) = change.action.body() {
            let first = seen.insert((&change.id, body));
            check(first, 3, || format!("{:?} was committed twice as {:?}", change.id, shown(body)))?;
        }
    }
    Ok(())
}

/// Every write is in the log, or its user wrote over it before it could be pushed, or an app was told of it. (I2, I4)
fn nothing_dropped(fleet: &Fleet, log: &[Change]) -> Result<(), Failure> {
    let book = fleet.book();
    let logged: BTreeSet<_> = log.iter().map(|change| (change.id.clone(), change.action.body().cloned())).collect();
    for write in book.written.iter().filter(|write| write.1.is_some()) {
        let known = logged.contains(write) || book.told.contains(write) || book.replaced.contains(write);
        let body = write.1.as_ref().map(shown);
        check(known, 4, || format!("the write {body:?} of {:?} is nowhere, and nobody was told", write.0))?;
    }
    Ok(())
}

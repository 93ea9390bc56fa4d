//! What must be true at the end of every story.

use std::collections::BTreeSet;

use longshore_core::Change;

use super::device::{Device, Fleet};
use crate::case::Rule;
use crate::cases::oracle::{self, Documents};
use crate::verdict::Failure;

/// Everything that the log says, in order, as a client of this device's domain reads it.
pub(super) async fn log(fleet: &Fleet, device: &Device) -> Result<Vec<Change>, Failure> {
    oracle::log(&*fleet.cx.server_as(fleet.cx.clock().runtime(), &device.habits.domain).await?).await
}

/// All devices are in step with the log and with each other, nothing was lost, and nothing was doubled. Every device has synced,
/// and nobody works.
pub(in crate::cases) async fn sound(fleet: &Fleet, devices: &[&Device]) -> Result<(), Failure> {
    let Some(first) = devices.first() else { return Ok(()) };
    let log = log(fleet, first).await?;
    in_step(&log, devices).await?;
    oracle::committed_once(&log)?;
    nothing_dropped(fleet, &log)
}

fn check(holds: bool, invariant: u8, seen: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(seen()).with_rule(Rule::Invariant(invariant))) }
}

/// Nothing is pending, and every device has what the log says. (I5)
pub(super) async fn in_step(log: &[Change], devices: &[&Device]) -> Result<(), Failure> {
    let expected = oracle::fold(log);
    for (at, device) in devices.iter().enumerate() {
        let status = device.client.status().await?;
        let left = (status.pending, status.conflicts);
        check(left == (0, 0), 5, || {
            format!("all have synced, and device {at} has {left:?} pending changes and conflicts")
        })?;
        let documents = device.replica.documents();
        let there: Documents = documents.into_iter().map(|(id, document)| (id, document.body)).collect();
        oracle::equal(&format!("device {at}"), &there, &expected)?;
    }
    Ok(())
}

/// Every write is in the log, or its user wrote over it before it could be pushed, or an app was told of it. (I2, I4)
fn nothing_dropped(fleet: &Fleet, log: &[Change]) -> Result<(), Failure> {
    let book = fleet.book();
    let logged: BTreeSet<_> = log.iter().map(|change| (change.id.clone(), change.action.body().cloned())).collect();
    for write in book.written.iter().filter(|write| write.1.is_some()) {
        let known = logged.contains(write) || book.told.contains(write) || book.replaced.contains(write);
        let body = write.1.as_deref().map(oracle::short);
        check(known, 4, || format!("the write {body:?} of {:?} is nowhere, and nobody was told", write.0))?;
    }
    Ok(())
}

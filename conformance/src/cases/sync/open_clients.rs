//! Clients that stay open push without a poll. Where another was faster, their sync is as any other: it pulls, asks and pushes.

use std::time::Duration;

use futures::future::FutureExt as _;

use super::device::{Device, Fleet};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::open_clients::one_that_was_overtaken_pulls", Group::Sync, Rule::Invariant(2), |cx| {
        one_that_was_overtaken_pulls(cx).boxed()
    }),
    Case::new("sync::open_clients::one_that_was_overtaken_sees_the_conflict", Group::Sync, Rule::Invariant(4), |cx| {
        one_that_was_overtaken_sees_the_conflict(cx).boxed()
    }),
];

/// Longer than a client rests between pushes without a poll.
const REST: Duration = Duration::from_secs(2);

/// Two clients that have synced a document, and stay open.
async fn open_clients(fleet: &Fleet) -> Result<(Device, Device), Failure> {
    let (one, other) = (fleet.device().await?, fleet.device().await?);
    one.put("shared", "base").await?;
    one.sync().await?;
    other.sync().await?;
    fleet.cx.clock().advance(REST);
    Ok((one, other))
}

async fn nothing_waits(device: &Device) -> Result<(), Failure> {
    let status = device.client.status().await?;
    ensure!(
        (status.pending, status.conflicts) == (0, 0),
        "an open client that another was faster than has synced: {} changes are pending, {} conflicts open",
        status.pending,
        status.conflicts
    );
    Ok(())
}

/// What was committed before the call is in the replica, and what was pending is committed.
async fn one_that_was_overtaken_pulls(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (one, other) = open_clients(&fleet).await?;
    other.put("faster", "of the other").await?;
    other.sync().await?;
    one.put("slower", "of the one").await?;
    one.sync().await?;
    let seen = one.get("faster").await?;
    ensure!(seen.is_some(), "a document that was committed before the call is not in the replica after it");
    nothing_waits(&one).await?;
    other.sync().await?;
    sound(&fleet, &[&one, &other]).await
}

async fn one_that_was_overtaken_sees_the_conflict(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (one, other) = open_clients(&fleet).await?;
    other.put("shared", "of the other").await?;
    one.put("shared", "of the one").await?;
    other.sync().await?;
    let report = one.sync().await?;
    ensure!(
        report.conflicts == 1,
        "both edited a document from one base, and {} conflicts were told",
        report.conflicts
    );
    nothing_waits(&one).await?;
    other.sync().await?;
    sound(&fleet, &[&one, &other]).await
}

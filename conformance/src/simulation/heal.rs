//! The end of a history: everything that was sent lands, nothing fails any more, everybody restarts and syncs until it is quiet.

use std::sync::atomic::Ordering;

use longshore_core::SyncReport;

use super::Broken;
use super::history::{Deed, name};
use super::oracle::Side;
use super::world::{Checkpoint, World};
use crate::case::Rule;

/// Rounds of syncs after which a history counts as one that does not come to rest.
const ROUNDS: usize = 12;
/// How much longer than a time-to-live a sync may take: its requests, and a second between two looks.
const SLACK: u64 = 30_000;
const USUAL_TTL: u64 = 30_000;

pub(super) async fn heal(world: &World<'_>) {
    world.healing.store(true, Ordering::Relaxed);
    for at in 0..world.history.clients.len() {
        world.pier(at).calm();
        world.pier(at).arm(&[]);
        world.restart(at);
    }
    world.shore.land_all();
    if let Err(broken) = rounds(world).await {
        world.oracle.blame(broken);
    }
}

async fn rounds(world: &World<'_>) -> Result<(), Broken> {
    for _ in 0..ROUNDS {
        let mut quiet = true;
        for side in sides(world) {
            world.make_smaller(side)?;
            let report = sync(world, side).await?;
            let moved = |report: SyncReport| report.pulled + report.pushed + report.conflicts + report.resolved;
            quiet &= report.map(moved) == Some(0);
        }
        if quiet {
            return Ok(());
        }
    }
    let seen = format!("after {ROUNDS} rounds of syncs, one device after another, there is still something to sync");
    Err(Broken::new(Rule::Invariant(5), seen))
}

/// What a sync came by; none if an answer of the app made another document that is too large.
async fn sync(world: &World<'_>, side: Side) -> Result<Option<SyncReport>, Broken> {
    let device = name(side.0);
    let (before, started) = (world.oracle.shadow(side), world.time.now());
    let synced = world.client(side)?.sync().await;
    let took = world.time.now() - started;
    let report = match synced {
        Ok(report) => {
            world.synced(side, &report, &before)?;
            Some(report)
        }
        Err(error) if world.left_out(side, &error, &before)? => {
            world.set_checkpoint(side, Checkpoint::Unknown);
            None
        }
        Err(error) => {
            let seen = format!("nothing befalls anybody any more, and device {device} cannot sync: {error}");
            return Err(Broken::new(Rule::Invariant(5), seen));
        }
    };
    world.check_replica(side);
    if took > longest(world) + SLACK {
        let seen = format!("device {device} was kept waiting for {took} ms, with nobody alive before it");
        return Err(Broken::new(Rule::Invariant(9), seen));
    }
    Ok(report)
}

/// The longest time-to-live of any lease of this history.
fn longest(world: &World<'_>) -> u64 {
    let steps = world.history.clients.iter().flat_map(|client| &client.script);
    let ttls = steps.filter_map(|step| if let Deed::Lease { ttl, .. } = step.deed { Some(ttl) } else { None });
    ttls.max().unwrap_or(0).max(USUAL_TTL)
}

/// Every replica that the history has.
fn sides(world: &World<'_>) -> Vec<Side> {
    let steps = world.history.clients.iter().flat_map(|client| &client.script);
    let domains = if steps.map(|step| step.domain).max() == Some(1) { 2 } else { 1 };
    (0..domains).flat_map(|domain| (0..world.history.clients.len()).map(move |at| (at, domain))).collect()
}

/// All replicas are at the head of the log, which leaves the documents they have, and nothing waits. (I5)
pub(super) fn all_equal(world: &World<'_>) -> Result<(), Broken> {
    for side in sides(world) {
        let (device, head) = (name(side.0), world.oracle.head(side.1));
        let checkpoint = world.checkpoint(side)?.unwrap_or(0);
        if checkpoint != head {
            let seen = format!("everybody has synced, and device {device} is at entry {checkpoint} of {head}");
            return Err(Broken::new(Rule::Invariant(5), seen));
        }
        world.check_replica(side);
        let shadow = world.oracle.shadow(side);
        if let Some(written) = shadow.rows.values().next() {
            let seen = format!("everybody has synced, and device {device} still has {} pending", written.words());
            return Err(Broken::new(Rule::Invariant(5), seen));
        }
    }
    world.oracle.broken().map_or(Ok(()), Err)
}

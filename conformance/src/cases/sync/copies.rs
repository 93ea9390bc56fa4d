//! Devices that were cloned with their data, or restored from a backup: nothing is lost, nothing doubled.

use futures::future::FutureExt as _;
use longshore_core::LockPolicy;

use super::device::{Device, Fleet, Habits};
use super::verdict::{log, sound};
use crate::case::{Case, Group, Rule};
use crate::cases::dropping::dropped_after;
use crate::cases::server::history::whole_log;
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::copies::a_clone_takes_a_new_name", Group::Sync, Rule::Invariant(3), |cx| {
        a_clone_takes_a_new_name(cx).boxed()
    }),
    Case::new(
        "sync::copies::a_pending_change_that_was_cloned_is_committed_once",
        Group::Sync,
        Rule::Invariant(3),
        |cx| a_pending_change_that_was_cloned_is_committed_once(cx).boxed(),
    ),
    Case::new(
        "sync::copies::an_open_attempt_that_was_cloned_is_committed_once",
        Group::Sync,
        Rule::Invariant(3),
        |cx| an_open_attempt_that_was_cloned_is_committed_once(cx).boxed(),
    ),
    Case::new("sync::copies::a_restored_backup_catches_up", Group::Sync, Rule::Invariant(4), |cx| {
        a_restored_backup_catches_up(cx).boxed()
    }),
];

async fn started(cx: &Context) -> Result<(Fleet, Device), Failure> {
    let fleet = Fleet::new(cx);
    let original = fleet.device().await?;
    original.put("doc", "base").await?;
    original.sync().await?;
    Ok((fleet, original))
}

async fn a_clone_takes_a_new_name(cx: Context) -> Result<(), Failure> {
    let (fleet, original) = started(&cx).await?;
    let copy = fleet.device_of(original.replica.fork()).await?;
    original.put("one", "of the original").await?;
    copy.put("two", "of the copy").await?;
    original.sync().await?;
    let report = copy.sync().await?;
    ensure!(report.cloned, "the copy met its own name on an entry that it never wrote, and did not notice: {report:?}");
    for device in [&original, &copy, &original] {
        let report = device.sync().await?;
        ensure!(!report.cloned, "a device noticed a clone once more: {report:?}");
    }
    sound(&fleet, &[&original, &copy]).await?;
    let writers: Vec<_> = whole_log(&*cx.server().await?).await?.into_iter().map(|entry| entry.client).collect();
    ensure!(
        writers.len() == 3 && writers[0] == writers[1] && writers[1] != writers[2],
        "the entries were written by {writers:?}"
    );
    Ok(())
}

async fn a_pending_change_that_was_cloned_is_committed_once(cx: Context) -> Result<(), Failure> {
    let (fleet, original) = started(&cx).await?;
    original.put("doc", "pending").await?;
    original.put("new", "pending too").await?;
    let copy = fleet.device_of(original.replica.fork()).await?;
    let (first, second) = (original.sync().await?, copy.sync().await?);
    let pushed = (first.pushed, second.pushed, second.conflicts);
    ensure!(
        pushed == (2, 0, 0),
        "2 changes waited on both: {pushed:?} were pushed by the one, by the other, or in conflict"
    );
    original.sync().await?;
    sound(&fleet, &[&original, &copy]).await
}

/// The sync was dropped in the midst of its push. Both send what was journalled.
async fn an_open_attempt_that_was_cloned_is_committed_once(cx: Context) -> Result<(), Failure> {
    for polls in (1..cx.size().pick(16, 40, 200)).step_by(cx.size().pick(5, 1, 1)) {
        let fleet = Fleet::new(&cx.fresh());
        let habits = Habits { yields: true, ..Habits::default() };
        let mut original = fleet.device_as(longshore_core::MemoryReplica::new(), habits).await?;
        original.put("doc", "base").await?;
        original.sync().await?;
        original.put("doc", "pending").await?;
        let ended = dropped_after(polls, original.try_sync()).await.transpose()?.is_some();
        original.restart().await?;
        let copy = fleet.device_of(original.replica.fork()).await?;
        for device in [&copy, &original, &copy] {
            device.sync().await?;
        }
        sound(&fleet, &[&original, &copy]).await?;
        let entries = log(&fleet, &copy).await?.len();
        ensure!(
            entries == 2,
            "2 changes were made, one of them dropped after {polls} polls, and {entries} are committed"
        );
        if ended {
            break;
        }
    }
    Ok(())
}

/// What it had pending at the backup was committed long ago, and changed since.
async fn a_restored_backup_catches_up(cx: Context) -> Result<(), Failure> {
    for policy in [LockPolicy::Contended, LockPolicy::Always] {
        let (fleet, device) = started(&cx.fresh()).await?;
        device.put("pending at the backup", "p").await?;
        let backup = device.replica.fork();
        device.sync().await?;
        device.put("doc", "2").await?;
        device.delete("pending at the backup").await?;
        device.sync().await?;
        drop(device);

        let habits = Habits { policy, ..Habits::default() };
        let restored = fleet.device_as(backup, habits).await?;
        let report = restored.sync().await?;
        ensure!((report.pushed, report.conflicts) == (0, 0), "all that waited at the backup is committed: {report:?}");
        restored.put("doc", "3").await?;
        restored.sync().await?;
        let newcomer = fleet.device().await?;
        newcomer.sync().await?;
        sound(&fleet, &[&restored, &newcomer]).await?;
        let gone = restored.get("pending at the backup").await?;
        ensure!(gone.is_none(), "the later deletion does not count: {gone:?}");
    }
    Ok(())
}

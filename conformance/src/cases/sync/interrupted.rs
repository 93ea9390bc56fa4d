//! Syncs that are dropped: at every place, with nothing lost and nothing doubled.

use futures::future::FutureExt as _;
use longshore_core::{LockPolicy, MemoryReplica};

use super::device::{Conflicts, Fleet, Habits};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::cases::dropping::dropped_after;
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::Failure;

pub(super) const CASES: &[Case] = &[
    Case::new("sync::interrupted::a_dropped_push_loses_nothing", Group::Sync, Rule::Storage(5), |cx| {
        a_dropped_push_loses_nothing(cx).boxed()
    }),
    Case::new("sync::interrupted::a_dropped_first_sync_loses_nothing", Group::Sync, Rule::Storage(5), |cx| {
        a_dropped_first_sync_loses_nothing(cx).boxed()
    }),
];

/// Small and large changes and conflicts, dropped after one poll, after two, and so on until a sync comes to its end.
async fn a_dropped_push_loses_nothing(cx: Context) -> Result<(), Failure> {
    // Who is dropped leaves a lease behind: on a clock of its own the server keeps it for longer than a client waits here.
    let policies = [LockPolicy::Contended, LockPolicy::Always];
    for policy in policies.into_iter().take(if cx.harness.real_time { 1 } else { 2 }) {
        let fleet = Fleet::new(&cx.fresh());
        let habits = Habits { policy, yields: true, conflicts: Conflicts::Merged, ..Habits::default() };
        let mut dropped = fleet.device_as(MemoryReplica::new(), habits).await?;
        let other = fleet.device().await?;
        dropped.put("shared", "base").await?;
        dropped.sync().await?;
        for polls in (1..cx.size().pick(60, 100, 1000)).step_by(cx.size().pick(5, 1, 1)) {
            other.sync().await?;
            other.put("shared", format!("other-{polls}")).await?;
            other.sync().await?;
            dropped.put("shared", format!("dropped-{polls}")).await?;
            dropped.put(&format!("doc {polls}"), format!("body {polls}")).await?;
            if polls % 8 == 1 {
                dropped.put("large", noise(polls as u64, 600 << 10)).await?;
            }
            let ended = dropped_after(polls, dropped.try_sync()).await.transpose()?.is_some();
            dropped.restart().await?;
            // What its user writes before the next try waits behind the open attempt.
            dropped.put(&format!("doc {polls}"), format!("body {polls}, later")).await?;
            dropped.sync().await?;
            if ended {
                break;
            }
        }
        for device in [&other, &dropped, &other] {
            device.sync().await?;
        }
        sound(&fleet, &[&dropped, &other]).await?;
    }
    Ok(())
}

/// While the store is initialised, and while a newcomer gets all there is.
async fn a_dropped_first_sync_loses_nothing(cx: Context) -> Result<(), Failure> {
    for polls in (1..cx.size().pick(40, 60, 1000)).step_by(cx.size().pick(13, 2, 1)) {
        let fleet = Fleet::new(&cx.fresh());
        let yielding = || Habits { yields: true, ..Habits::default() };
        let mut first = fleet.device_as(MemoryReplica::new(), yielding()).await?;
        let mut second = fleet.device_as(MemoryReplica::new(), yielding()).await?;
        first.put("doc", "first").await?;
        second.put("mine", "second").await?;
        let mut ended = true;
        for device in [&mut first, &mut second] {
            ended &= dropped_after(polls, device.try_sync()).await.transpose()?.is_some();
            device.restart().await?;
        }
        for device in [&second, &first, &second] {
            device.sync().await?;
        }
        sound(&fleet, &[&first, &second]).await?;
        if ended {
            break;
        }
    }
    Ok(())
}

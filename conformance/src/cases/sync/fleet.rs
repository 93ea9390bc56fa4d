//! Two to five devices that write and sync, in turns and at once.

use std::sync::Arc;

use futures::future::FutureExt as _;
use longshore_core::MemoryReplica;

use super::device::{Device, Fleet, Habits};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::cases::server::race::race;
use crate::context::Context;
use crate::dice::Dice;
use crate::verdict::Failure;

pub(super) const CASES: &[Case] = &[
    Case::new("sync::fleet::writing_in_turns_they_converge", Group::Sync, Rule::Invariant(5), |cx| {
        writing_in_turns_they_converge(cx).boxed()
    }),
    Case::new("sync::fleet::syncing_at_once_they_converge", Group::Sync, Rule::Invariant(5), |cx| {
        syncing_at_once_they_converge(cx).boxed()
    }),
    Case::new("sync::fleet::one_that_was_away_catches_up", Group::Sync, Rule::Invariant(2), |cx| {
        one_that_was_away_catches_up(cx).boxed()
    }),
];

async fn devices(fleet: &Fleet, count: usize) -> Result<Vec<Device>, Failure> {
    let mut devices = Vec::new();
    for _ in 0..count {
        devices.push(fleet.device().await?);
    }
    Ok(devices)
}

/// Everybody learns of everything: merges of merges need a few rounds.
async fn settle(fleet: &Fleet, devices: &[Device]) -> Result<(), Failure> {
    for _ in 0..3 {
        for device in devices {
            device.sync().await?;
        }
    }
    sound(fleet, &devices.iter().collect::<Vec<_>>()).await
}

/// One of them, by the dice, writes, deletes or syncs, again and again.
async fn writing_in_turns_they_converge(cx: Context) -> Result<(), Failure> {
    for count in (2..=5).step_by(cx.size().pick(3, 1, 1)) {
        let fleet = Fleet::new(&cx.fresh());
        let (mut devices, mut dice) = (devices(&fleet, count).await?, Dice::new(cx.seed() ^ count as u64));
        for turn in 0..cx.size().pick(20, 80, 1000) {
            let throw = dice.next();
            let device = &mut devices[usize::try_from(throw >> 32).unwrap_or(0) % count];
            let id = format!("doc {}", (throw >> 8) % 6);
            match throw % 8 {
                0..=3 => device.put(&id, format!("turn-{turn}")).await?,
                4 => device.delete(&id).await?,
                5 => device.restart().await?,
                _ => {
                    device.sync().await?;
                }
            }
        }
        settle(&fleet, &devices).await?;
    }
    Ok(())
}

async fn syncing_at_once_they_converge(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let count = cx.racers(5);
    let mut devices = Vec::new();
    for _ in 0..count {
        // Each call lets the others go on, or on a busy machine one sync would end before the next begins.
        let habits = Habits { yields: true, ..Habits::default() };
        devices.push(Arc::new(fleet.device_as(MemoryReplica::new(), habits).await?));
    }
    for round in 0..cx.size().pick(2, 6, 50) {
        let racers = devices.iter().cloned().enumerate().map(|(at, device)| async move {
            device.put(&format!("of {at}"), format!("{at}-{round}")).await?;
            device.put("of all", format!("{at}-all-{round}")).await?;
            device.sync().await.map(drop)
        });
        race(racers).await?;
    }
    for _ in 0..3 {
        for device in &devices {
            device.sync().await?;
        }
    }
    sound(&fleet, &devices.iter().map(|device| &**device).collect::<Vec<_>>()).await
}

/// Many commits later, with edits of its own that nobody has seen.
async fn one_that_was_away_catches_up(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (busy, away) = (fleet.device().await?, fleet.device().await?);
    busy.put("doc", "base").await?;
    busy.sync().await?;
    away.sync().await?;
    away.put("doc", "written offline").await?;
    away.put("mine", "written offline too").await?;
    for turn in 0..cx.size().pick(30, 150, 1000) {
        busy.put(&format!("doc {}", turn % 7), format!("turn-{turn}")).await?;
        if turn % 9 == 8 {
            busy.delete(&format!("doc {}", turn % 5)).await?;
        }
        busy.sync().await?;
    }
    settle(&fleet, &[away, busy]).await
}

//! A mount without its disk, an emptied bucket, a backup put back over newer data, another store at the same address: each is an
//! error before anything is applied, deleted or written.

use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{Client, ErrorKind, MemoryReplica, OpenMode};

use super::device::{Device, Fleet, Habits};
use super::objects::{Objects, copy, put_back, without};
use super::verdict::sound;
use crate::case::{Case, Group, Need, Rule};
use crate::cases::server::expect::refused;
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::replaced::an_emptied_store_is_refused", Group::Sync, Rule::Invariant(10), |cx| {
        an_emptied_store_is_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::another_store_is_refused", Group::Sync, Rule::Invariant(10), |cx| {
        another_store_is_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::a_reset_store_is_refused", Group::Sync, Rule::Invariant(10), |cx| {
        a_reset_store_is_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::an_older_copy_is_refused", Group::Sync, Rule::Invariant(10), |cx| {
        an_older_copy_is_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::a_fork_is_refused", Group::Sync, Rule::Invariant(10), |cx| {
        a_fork_is_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::entries_of_two_histories_are_refused", Group::Sync, Rule::Invariant(10), |cx| {
        entries_of_two_histories_are_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::a_log_with_a_hole_is_corrupt", Group::Sync, Rule::Invariant(10), |cx| {
        a_log_with_a_hole_is_corrupt(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::what_comes_back_is_known_again", Group::Sync, Rule::Invariant(2), |cx| {
        what_comes_back_is_known_again(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::replaced::an_empty_place_is_not_joined", Group::Sync, Rule::Invariant(10), |cx| {
        an_empty_place_is_not_joined(cx).boxed()
    }),
];

/// Two devices in step at entry 2, and the store as it was at entry 1.
async fn in_step(cx: &Context) -> Result<(Fleet, Device, Device, Objects), Failure> {
    let fleet = Fleet::new(cx);
    let (first, second) = (fleet.device().await?, fleet.device().await?);
    first.put("one", "first").await?;
    first.sync().await?;
    let earlier = copy(cx).await?;
    first.put("two", "second").await?;
    first.sync().await?;
    second.sync().await?;
    Ok((fleet, first, second, earlier))
}

/// The device refuses to sync, with its client still open and as a new process, and neither it nor the store changes.
async fn refuses(cx: &Context, device: &mut Device, kind: ErrorKind, what: &str) -> Result<(), Failure> {
    let objects = copy(cx).await?;
    for (state, pending) in
        [("open since an hour", false), ("started anew", false), ("started anew, with a change,", true)]
    {
        if pending {
            device.put("pending", "waits").await?;
        }
        let documents = device.replica.documents();
        // A client that stays open trusts what it saw for some minutes.
        cx.clock().advance(Duration::from_secs(3600));
        let error = refused(device.try_sync().await, kind, &format!("a client, {state}, over {what},"))?;
        ensure!(!error.to_string().is_empty(), "the error says nothing");
        ensure!(device.replica.documents() == documents, "a client, {state}, over {what}, changed its documents");
        ensure!(copy(cx).await? == objects, "a client, {state}, over {what}, wrote to it");
        device.restart().await?;
    }
    Ok(())
}

async fn an_emptied_store_is_refused(cx: Context) -> Result<(), Failure> {
    let (_, mut first, _, _) = in_step(&cx).await?;
    let objects = copy(&cx).await?;
    put_back(&cx, &Objects::new()).await?;
    refuses(&cx, &mut first, ErrorKind::Replaced, "an emptied store").await?;
    // Only its identity is gone.
    put_back(&cx, &without(&objects, "format/data")).await?;
    refuses(&cx, &mut first, ErrorKind::Replaced, "a store without its format").await?;
    let newcomer = Fleet::new(&cx).device().await?;
    refused(newcomer.try_sync().await, ErrorKind::Corrupt, "a newcomer to a store without its format").map(drop)
}

/// With as many entries as ours, and with more.
async fn another_store_is_refused(cx: Context) -> Result<(), Failure> {
    let (_, mut first, mut second, _) = in_step(&cx).await?;
    let elsewhere = cx.fresh();
    let stranger = Fleet::new(&elsewhere).device().await?;
    stranger.put("one", "theirs").await?;
    stranger.sync().await?;
    for (device, body) in [(&mut first, "theirs, changed"), (&mut second, "theirs, once more")] {
        stranger.put("one", body).await?;
        stranger.sync().await?;
        put_back(&cx, &copy(&elsewhere).await?).await?;
        refuses(&cx, device, ErrorKind::Replaced, "another store").await?;
    }
    Ok(())
}

/// Its identity stayed, its log did not: nothing there, or begun anew.
async fn a_reset_store_is_refused(cx: Context) -> Result<(), Failure> {
    let (_, mut first, mut second, earlier) = in_step(&cx).await?;
    let format: Objects = earlier.into_iter().filter(|(key, _)| key.as_str() == "format/data").collect();
    put_back(&cx, &format).await?;
    refuses(&cx, &mut first, ErrorKind::Replaced, "a store whose log was removed").await?;
    let stranger = Fleet::new(&cx).device().await?;
    for body in ["new", "newer", "newest"] {
        stranger.put("one", body).await?;
        stranger.sync().await?;
    }
    refuses(&cx, &mut second, ErrorKind::Replaced, "a store whose log was begun anew").await
}

async fn an_older_copy_is_refused(cx: Context) -> Result<(), Failure> {
    let (_, mut first, mut second, earlier) = in_step(&cx).await?;
    put_back(&cx, &earlier).await?;
    refuses(&cx, &mut first, ErrorKind::Replaced, "an older copy").await?;
    refuses(&cx, &mut second, ErrorKind::Replaced, "an older copy").await
}

/// An older copy, to which somebody wrote as many entries as it lacked, or more.
async fn a_fork_is_refused(cx: Context) -> Result<(), Failure> {
    let (_, mut first, mut second, earlier) = in_step(&cx).await?;
    put_back(&cx, &earlier).await?;
    let newcomer = Fleet::new(&cx).device().await?;
    for body in ["another second", "another third"] {
        newcomer.put("two", body).await?;
        newcomer.sync().await?;
        refuses(&cx, &mut first, ErrorKind::Replaced, "a fork").await?;
        refuses(&cx, &mut second, ErrorKind::Replaced, "a fork").await?;
    }
    Ok(())
}

/// A copy was put back and written to, and then newer entries came back on top: the numbers fit, the hashes do not.
async fn entries_of_two_histories_are_refused(cx: Context) -> Result<(), Failure> {
    let (_, first, _, earlier) = in_step(&cx).await?;
    first.put("three", "third").await?;
    first.sync().await?;
    let newest = copy(&cx).await?;
    put_back(&cx, &earlier).await?;
    let (fleet, other) = (Fleet::new(&cx), Fleet::new(&cx).device().await?);
    let mut reader = fleet.device().await?;
    reader.sync().await?;
    other.put("two", "another second").await?;
    other.sync().await?;
    let mut mixed = copy(&cx).await?;
    mixed.extend(newest.into_iter().filter(|(key, _)| key.as_str().ends_with("/0000000000000003/data")));
    put_back(&cx, &mixed).await?;
    refuses(&cx, &mut reader, ErrorKind::Replaced, "entries of two histories").await
}

/// A number missing below a present one is never the head: what follows would be written into the gap.
async fn a_log_with_a_hole_is_corrupt(cx: Context) -> Result<(), Failure> {
    let (fleet, first, behind, _) = in_step(&cx).await?;
    for body in ["third", "fourth", "fifth"] {
        first.put("two", body).await?;
        first.sync().await?;
    }
    let whole = copy(&cx).await?;
    for (device, number) in [(behind, 4), (fleet.device().await?, 1)] {
        let holed = without(&whole, &format!("/{number:016}/data"));
        put_back(&cx, &holed).await?;
        device.put("pending", "waits").await?;
        let what = format!("a log of 5 entries without entry {number}");
        refused(device.try_sync().await, ErrorKind::Corrupt, &what)?;
        ensure!(copy(&cx).await? == holed, "{what} was written to");
        let newer = device.get("two").await?.filter(|body| body == "fourth" || body == "fifth");
        ensure!(newer.is_none(), "of {what} what lies behind the hole was applied: {newer:?}");
    }
    Ok(())
}

/// A refusal costs nothing: with the right store back, all goes on.
async fn what_comes_back_is_known_again(cx: Context) -> Result<(), Failure> {
    let (fleet, mut first, second, earlier) = in_step(&cx).await?;
    let newest = copy(&cx).await?;
    for (what, objects) in [("an older copy", &earlier), ("an emptied store", &Objects::new())] {
        put_back(&cx, objects).await?;
        refuses(&cx, &mut first, ErrorKind::Replaced, what).await?;
        put_back(&cx, &newest).await?;
    }
    first.put("three", "third").await?;
    first.sync().await?;
    second.sync().await?;
    sound(&fleet, &[&first, &second]).await
}

async fn an_empty_place_is_not_joined(cx: Context) -> Result<(), Failure> {
    let device = Fleet::new(&cx).device_as(MemoryReplica::new(), Habits::default()).await?;
    let replica = std::sync::Arc::new(device.replica.clone());
    let builder = Client::builder_on(cx.clock().runtime(), cx.server().await?, replica).mode(OpenMode::Join);
    let client = builder.build();
    device.put("doc", "waits").await?;
    refused(client.sync().await, ErrorKind::Missing, "joining where no store is")?;
    let there = cx.server().await?.store().await?.value;
    ensure!(there.is_none(), "a client that may only join initialised {there:?}");
    device.sync().await?;
    client.sync().await?;
    Ok(())
}

//! Where one reply of the server does not tell what became of the store, or none comes.

use std::sync::Arc;

use futures::future::FutureExt as _;
use longshore_core::{Answer, Base, Client, ErrorKind, MemoryReplica, ObjectKey, Sequence};

use super::device::{Conflicts, Fleet, Habits};
use super::objects::{copy, put_back};
use super::verdict::{log, sound};
use crate::case::{Case, Group, Need, Rule};
use crate::cases::server::expect::refused;
use crate::cases::server::{replace, write};
use crate::context::Context;
use crate::dice::noise;
use crate::faults::{Fault, FaultServer, Plan};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::unseen::another_store_without_entries_is_refused", Group::Sync, Rule::Invariant(10), |cx| {
        another_store_without_entries_is_refused(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::unseen::a_trimmed_log_is_not_begun_anew", Group::Sync, Rule::Server(1), |cx| {
        a_trimmed_log_is_not_begun_anew(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::unseen::a_merge_is_based_on_the_remote_version", Group::Sync, Rule::Invariant(4), |cx| {
        a_merge_is_based_on_the_remote_version(cx).boxed()
    }),
    Case::new("sync::unseen::a_lost_reply_is_asked_for", Group::Sync, Rule::Invariant(3), |cx| {
        a_lost_reply_is_asked_for(cx).boxed()
    }),
    Case::new("sync::unseen::a_changed_byte_is_noticed", Group::Sync, Rule::Invariant(11), |cx| {
        a_changed_byte_is_noticed(cx).boxed()
    })
    .needs(&[Need::Storage]),
];

/// A replica that joined before anybody wrote has no entry to compare: only the store's id tells.
async fn another_store_without_entries_is_refused(cx: Context) -> Result<(), Failure> {
    let device = Fleet::new(&cx).device().await?;
    device.sync().await?;
    let elsewhere = cx.fresh();
    Fleet::new(&elsewhere).device().await?.sync().await?;
    let other = copy(&elsewhere).await?;
    put_back(&cx, &other).await?;
    cx.clock().advance(std::time::Duration::from_secs(3600));
    device.put("doc", "waits").await?;
    refused(device.try_sync().await, ErrorKind::Replaced, "another store, in which nobody wrote yet,")?;
    ensure!(copy(&cx).await? == other, "the other store was written to");
    Ok(())
}

/// A newcomer finds nothing at the first numbers. Beneath a snapshot that says nothing, and no name is ever used twice.
async fn a_trimmed_log_is_not_begun_anew(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let writer = fleet.device().await?;
    for body in ["1", "2", "3"] {
        writer.put("doc", body).await?;
        writer.sync().await?;
    }
    let storage = cx.storage().await?;
    for key in copy(&cx).await?.into_keys().filter(|key| key.as_str().starts_with("domains/main/log/")) {
        storage.delete(&key).await?;
    }
    let snapshot = ObjectKey::new("domains/main/snapshot/0000000000000003/data")?;
    write(&*storage, &snapshot, "a snapshot: nobody reads it before its name told enough".into()).await?;
    let newcomer = fleet.device().await?;
    newcomer.put("mine", "waits").await?;
    let ended = newcomer.try_sync().await;
    ensure!(ended.is_err(), "the log was trimmed, its snapshot cannot be read, and a newcomer's sync gave {ended:?}");
    let first = cx.server().await?.changes_read(Sequence::FIRST, 1).await?.pop().and_then(|reply| reply.value);
    ensure!(first.is_none(), "entry 1 was trimmed beneath a snapshot, and a newcomer wrote another: {first:?}");
    Ok(())
}

/// The log tells from what a merged version came: the next reader of its history may need it.
async fn a_merge_is_based_on_the_remote_version(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let merged = Answer::Merge { revision: None, body: "joined".into() };
    let habits = Habits { conflicts: Conflicts::Answered(merged), ..Habits::default() };
    let (first, second) = (fleet.device().await?, fleet.device_as(MemoryReplica::new(), habits).await?);
    first.put("doc", "base").await?;
    first.sync().await?;
    second.sync().await?;
    first.put("doc", "first").await?;
    second.put("doc", "second").await?;
    first.sync().await?;
    second.sync().await?;
    let last = log(&fleet, &second).await?.pop().and_then(|change| change.base);
    let remote = Base { sequence: Sequence::new(2)?, revision: None };
    ensure!(
        last == Some(remote),
        "a version was merged with that of entry 2, and the log says that its base is {last:?}"
    );
    Ok(())
}

/// Every reply of a sync is lost once. The next process finds its attempt in the journal, asks for that one, and knows it again.
async fn a_lost_reply_is_asked_for(cx: Context) -> Result<(), Failure> {
    for call in 0..100 {
        let fleet = Fleet::new(&cx.fresh());
        let (mut device, other) = (fleet.device().await?, fleet.device().await?);
        device.put("doc", "base").await?;
        device.sync().await?;
        device.put("doc", "edited").await?;
        let plan = Plan::new(fleet.cx.clock());
        plan.arm(call, Fault::After);
        let server = Arc::new(FaultServer::new(fleet.cx.server().await?, &plan));
        let replica = Arc::new(device.replica.clone());
        device.client = Client::builder_on(fleet.cx.clock().runtime(), server, replica).build();
        if let Err(error) = device.try_sync().await {
            ensure!(
                error.kind() == ErrorKind::Unavailable,
                "the reply to call {call} was lost, and the sync says: {error}"
            );
        }
        device.restart().await?;
        device.put("doc", "edited again").await?;
        let report = device.sync().await?;
        let own = !report.cloned && report.conflicts == 0 && report.pulled == 0;
        ensure!(own, "the reply to call {call} was lost, and the device took its own entry for another's: {report:?}");
        other.sync().await?;
        sound(&fleet, &[&device, &other]).await?;
        if plan.met() == 0 {
            break;
        }
    }
    Ok(())
}

/// Bodies that do not compress are stored as they are: there a changed byte breaks nothing but the checksum.
async fn a_changed_byte_is_noticed(cx: Context) -> Result<(), Failure> {
    let writer = Fleet::new(&cx).device().await?;
    writer.put("doc", noise(cx.seed(), 300)).await?;
    writer.sync().await?;
    let (storage, server) = (cx.storage().await?, cx.server().await?);
    let entry = copy(&cx).await?.into_iter().find(|(key, _)| key.as_str().starts_with("domains/main/log/"));
    let Some((key, whole)) = entry else { return Err(Failure::new("the entry does not lie where the format says")) };
    for at in (0..whole.len()).step_by(cx.size().pick(13, 3, 1)) {
        let mut changed = whole.to_vec();
        changed[at] ^= 0x10;
        replace(&*storage, &key, changed.into()).await?;
        let read = server.changes_read(Sequence::FIRST, 1).await;
        ensure!(read.is_err(), "byte {at} of {key} was changed, and it reads as {read:?}");
    }
    Ok(())
}

//! Others do not stop for a sync: another device commits, the app writes and answers late, the disk fills. At every place of the
//! sync, with nothing lost and nobody passed over.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::FutureExt as _;
use longshore_core::{
    Answer, Client, Conflict, Document, ErrorKind, MemoryReplica, Replica, Resolver, Result as Called, Version,
};

use super::bent_replica::Bent;
use super::device::{Device, Fleet, Habits};
use super::objects::{Objects, copy, put_back};
use super::verdict::sound;
use crate::case::{Case, Group, Need, Rule};
use crate::cases::dropping::dropped_after;
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::meanwhile::another_commits", Group::Sync, Rule::Invariant(4), |cx| another_commits(cx).boxed()),
    Case::new("sync::meanwhile::a_clone_commits", Group::Sync, Rule::Invariant(3), |cx| a_clone_commits(cx).boxed()),
    Case::new("sync::meanwhile::the_app_writes", Group::Sync, Rule::Invariant(1), |cx| the_app_writes(cx).boxed()),
    Case::new("sync::meanwhile::the_app_writes_while_it_is_asked", Group::Sync, Rule::Invariant(4), |cx| {
        the_app_writes_while_it_is_asked(cx).boxed()
    }),
    Case::new("sync::meanwhile::the_disk_fills", Group::Sync, Rule::Invariant(5), |cx| the_disk_fills(cx).boxed()),
    Case::new("sync::meanwhile::the_store_is_emptied", Group::Sync, Rule::Invariant(10), |cx| {
        the_store_is_emptied(cx).boxed()
    })
    .needs(&[Need::Storage]),
];

/// Does something after so many polls of a sync, which then goes on to its end; none if it was at its end before.
async fn amid<T>(
    sync: impl Future<Output = T> + Send,
    polls: usize,
    act: impl Future<Output = Result<(), Failure>>,
) -> Result<Option<T>, Failure> {
    let mut sync = Box::pin(sync);
    if dropped_after(polls, &mut sync).await.is_some() {
        return Ok(None);
    }
    act.await?;
    Ok(Some(sync.await))
}

fn yielding() -> Habits {
    Habits { yields: true, ..Habits::default() }
}

/// After how many polls of a sync something happens; the story ends where it comes too late.
fn places(cx: &Context) -> impl Iterator<Item = usize> + use<> {
    (1..1000).step_by(cx.size().pick(2, 1, 1))
}

/// Of one document each device has an edit, and one is faster by a moment: what was staged before must not go over it.
async fn another_commits(cx: Context) -> Result<(), Failure> {
    for polls in places(&cx) {
        let fleet = Fleet::new(&cx.fresh());
        let (slow, quick) = (fleet.device_as(MemoryReplica::new(), yielding()).await?, fleet.device().await?);
        slow.put("shared", "base").await?;
        slow.sync().await?;
        quick.sync().await?;
        slow.put("shared", "slow").await?;
        quick.put("shared", "quick").await?;
        let Some(ended) = amid(slow.try_sync(), polls, quick.sync().map(|report| report.map(drop))).await? else {
            break;
        };
        ended?;
        quick.sync().await?;
        slow.sync().await?;
        sound(&fleet, &[&slow, &quick]).await?;
    }
    Ok(())
}

/// A clone has the client id and counts its attempts alike: only the bytes tell whose entry it is.
async fn a_clone_commits(cx: Context) -> Result<(), Failure> {
    for polls in places(&cx) {
        let fleet = Fleet::new(&cx.fresh());
        let original = fleet.device_as(MemoryReplica::new(), yielding()).await?;
        original.put("doc", "base").await?;
        original.sync().await?;
        let clone = fleet.device_of(original.replica.fork()).await?;
        original.put("one", "of the original").await?;
        clone.put("two", "of the clone").await?;
        let act = clone.sync().map(|report| report.map(drop));
        let Some(ended) = amid(original.try_sync(), polls, act).await? else { break };
        ended?;
        for device in [&clone, &original] {
            device.sync().await?;
        }
        sound(&fleet, &[&original, &clone]).await?;
    }
    Ok(())
}

/// Gives the device a replica each of whose calls lets the app write.
async fn bend(fleet: &Fleet, device: &mut Device) -> Result<Bent, Failure> {
    let bent = Bent::new(&device.replica);
    device.client = client(fleet, Arc::new(bent.clone()), super::device::merging(fleet)).await?;
    Ok(bent)
}

async fn client(fleet: &Fleet, replica: Arc<dyn Replica>, asks: impl Resolver + 'static) -> Result<Client, Failure> {
    let builder = Client::builder_on(fleet.cx.clock().runtime(), fleet.cx.server().await?, replica);
    Ok(builder.resolver(asks).build())
}

/// It writes what is being pulled, what is being pushed, and something new.
async fn the_app_writes(cx: Context) -> Result<(), Failure> {
    for polls in places(&cx) {
        let fleet = Fleet::new(&cx.fresh());
        let (mut busy, other) = (fleet.device().await?, fleet.device().await?);
        busy.put("pulled", "base").await?;
        busy.sync().await?;
        other.sync().await?;
        other.put("pulled", "of the other").await?;
        other.sync().await?;
        busy.put("pushed", "first").await?;
        bend(&fleet, &mut busy).await?;
        let act = async {
            busy.put("pulled", "of the app").await?;
            busy.put("pushed", "second").await?;
            busy.put("new", "third").await
        };
        let Some(ended) = amid(busy.try_sync(), polls, act).await? else { break };
        ended?;
        for device in [&busy, &other, &busy] {
            device.sync().await?;
        }
        sound(&fleet, &[&busy, &other]).await?;
    }
    Ok(())
}

/// The user goes on writing while the question is before them, and takes what is remote: of the document as it was asked about.
struct Writes {
    replica: MemoryReplica,
}

#[async_trait]
impl Resolver for Writes {
    async fn resolve(&self, conflict: &Conflict) -> Called<Answer> {
        let asked = match &conflict.local {
            Version::Present(document) if document.body == "mine" => "mine, later",
            _ => return Ok(Answer::KeepLocal),
        };
        self.replica.put(Document::new(conflict.id.clone(), asked)?).await?;
        Ok(Answer::TakeRemote)
    }
}

async fn the_app_writes_while_it_is_asked(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (mut mine, yours) = (fleet.device().await?, fleet.device().await?);
    yours.put("doc", "yours").await?;
    yours.sync().await?;
    mine.put("doc", "mine").await?;
    let asked = Writes { replica: mine.replica.clone() };
    mine.client = client(&fleet, Arc::new(mine.replica.clone()), asked).await?;
    mine.sync().await?;
    yours.sync().await?;
    for device in [&mine, &yours] {
        let there = device.get("doc").await?;
        ensure!(
            there.as_deref() == Some("mine, later"),
            "the app wrote \"mine, later\" after it was asked about \"mine\", and its answer to that left {there:?}"
        );
    }
    Ok(())
}

/// Each batch of a sync fails once. What was not applied is not passed over, and what was not committed is not forgotten.
async fn the_disk_fills(cx: Context) -> Result<(), Failure> {
    for batch in 1..100 {
        let fleet = Fleet::new(&cx.fresh());
        let (mut full, other) = (fleet.device().await?, fleet.device().await?);
        other.put("doc", "1").await?;
        other.sync().await?;
        full.sync().await?;
        other.put("doc", "2").await?;
        other.sync().await?;
        full.put("mine", "3").await?;
        let bent = bend(&fleet, &mut full).await?;
        bent.full_at(batch);
        let ended = full.try_sync().await;
        if let Err(error) = &ended {
            ensure!(error.kind() == ErrorKind::Full, "the replica says that its disk is full, and the sync: {error}");
        }
        bent.full_at(0);
        for device in [&full, &other] {
            device.sync().await?;
        }
        sound(&fleet, &[&full, &other]).await?;
        if ended.is_ok() {
            break;
        }
    }
    Ok(())
}

/// A client that has been open for some minutes only polls, and an empty place answers that as a store at rest does. What the app
/// writes during such a poll must not go there.
async fn the_store_is_emptied(cx: Context) -> Result<(), Failure> {
    for polls in places(&cx) {
        let place = cx.fresh();
        let fleet = Fleet::new(&place);
        let device = fleet.device_as(MemoryReplica::new(), yielding()).await?;
        device.put("doc", "base").await?;
        device.sync().await?;
        place.clock().advance(std::time::Duration::from_secs(300));
        put_back(&place, &Objects::new()).await?;
        let Some(ended) = amid(device.try_sync(), polls, device.put("new", "waits")).await? else { break };
        let there = copy(&place).await?;
        ensure!(there.is_empty(), "the store was emptied, and a sync wrote {:?} there", there.keys());
        if let Err(error) = ended {
            ensure!(error.kind() == ErrorKind::Replaced, "the store was emptied, and the sync says: {error}");
        }
    }
    Ok(())
}

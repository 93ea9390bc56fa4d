//! Pushes of several segments to a storage that takes small objects only.

mod narrow;

use std::sync::Arc;

use futures::future::FutureExt as _;
use longshore_core::{Client, DomainName, ErrorKind, Sequence, StoreOptions, StoredServer};

use self::narrow::Narrow;
use super::device::{Device, Fleet};
use super::verdict::sound;
use crate::case::{Case, Group, Need, Rule};
use crate::cases::server::expect::refused;
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::uploads::what_no_object_can_hold_waits_alone", Group::Sync, Rule::Invariant(2), |cx| {
        what_no_object_can_hold_waits_alone(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::uploads::one_that_fails_is_not_named", Group::Sync, Rule::Invariant(8), |cx| {
        one_that_fails_is_not_named(cx).boxed()
    })
    .needs(&[Need::Storage]),
];

/// Documents of one push, of which each needs a segment of its own.
const PARTS: u64 = 4;
const PART: usize = 600 << 10;

/// A film that is too large stays in the outbox, and its sync names it. All else is committed by that same sync, in objects that the
/// storage takes; and the film once it is smaller.
async fn what_no_object_can_hold_waits_alone(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (mut first, second) = (fleet.device().await?, fleet.device().await?);
    let narrow = narrow(&mut first, &fleet).await?;
    first.put("film", noise(!cx.seed(), 2 * PART)).await?;
    write_parts(&first, cx.seed()).await?;
    let ended = first.try_sync().await;
    let (largest, limit) = (narrow.largest(), narrow.limit());
    ensure!(largest <= limit, "the storage takes {limit} bytes at most, and was sent {largest}");
    let error = refused(ended, ErrorKind::Unsupported, "a document that no object can hold")?;
    ensure!(error.message().contains("film"), "a document cannot be stored, and the error does not name it: {error}");
    let pending = first.client.status().await?.pending;
    ensure!(pending == 1, "one document cannot be stored, and {pending} are pending after a sync");
    second.sync().await?;
    let there = second.replica.documents();
    let film = there.keys().any(|id| id.as_str() == "film");
    ensure!(
        there.len() as u64 == PARTS && !film,
        "one of {} documents cannot be stored, and {} arrived, the film among them: {film}",
        PARTS + 1,
        there.len()
    );
    first.put("film", "shorter").await?;
    first.sync().await?;
    second.sync().await?;
    sound(&fleet, &[&first, &second]).await
}

/// Each upload of a push fails once, for good. No entry names it, and the next sync uploads what is missing.
async fn one_that_fails_is_not_named(cx: Context) -> Result<(), Failure> {
    for fails in 0..PARTS {
        let fleet = Fleet::new(&cx.fresh());
        let (mut first, second) = (fleet.device().await?, fleet.device().await?);
        let narrow = narrow(&mut first, &fleet).await?;
        write_parts(&first, cx.seed() ^ fails).await?;
        narrow.refuse(fails);
        let ended = first.try_sync().await;
        refused(ended, ErrorKind::Full, &format!("a push whose upload {fails} found no room"))?;
        let entry = fleet.cx.server().await?.changes_read(Sequence::FIRST, 1).await?.pop();
        let there = entry.and_then(|reply| reply.value).is_some();
        ensure!(!there, "upload {fails} of a push found no room, and its entry was created");
        let report = first.sync().await?;
        ensure!(report.pushed == PARTS, "{PARTS} documents were pending: {report:?}");
        second.sync().await?;
        sound(&fleet, &[&first, &second]).await?;
    }
    Ok(())
}

async fn write_parts(device: &Device, seed: u64) -> Result<(), Failure> {
    for part in 0..PARTS {
        device.put(&format!("part {part}"), noise(seed.wrapping_add(part), PART)).await?;
    }
    Ok(())
}

/// Lets this device reach its store through a storage that takes small objects only.
async fn narrow(device: &mut Device, fleet: &Fleet) -> Result<Narrow, Failure> {
    let narrow = Narrow::new(fleet.cx.storage().await?);
    let runtime = fleet.cx.clock().runtime();
    let server = StoredServer::new(Arc::new(narrow.clone()), Arc::clone(&runtime), &DomainName::default())?;
    let builder = Client::builder_on(runtime, Arc::new(server), Arc::new(device.replica.clone()));
    device.client = builder.store_options(StoreOptions::default().with_probe(false)).build();
    Ok(narrow)
}

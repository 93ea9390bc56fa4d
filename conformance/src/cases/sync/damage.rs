//! Bytes that were changed, cut or swapped are `Corrupt`, and name the object; they are never a wrong document.

use futures::future::FutureExt as _;
use longshore_core::{Error, ErrorKind, ObjectKey};

use super::device::{Device, Fleet};
use super::objects::copy;
use super::verdict::sound;
use crate::case::{Case, Group, Need, Rule};
use crate::cases::server::{damaged, replace};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::damage::no_wrong_document_comes_of_it", Group::Sync, Rule::Invariant(11), |cx| {
        no_wrong_document_comes_of_it(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("sync::damage::removed_segments_are_corrupt", Group::Sync, Rule::Invariant(11), |cx| {
        removed_segments_are_corrupt(cx).boxed()
    })
    .needs(&[Need::Storage]),
];

/// A store with small and large commits, the device that wrote it, and one that is behind.
async fn written(cx: &Context) -> Result<(Fleet, Device, Device), Failure> {
    let fleet = Fleet::new(cx);
    let (writer, behind) = (fleet.device().await?, fleet.device().await?);
    for at in 0..20 {
        writer.put(&format!("small {at}"), format!("body {at}")).await?;
    }
    writer.sync().await?;
    behind.sync().await?;
    writer.put("large", noise(cx.seed(), 700 << 10)).await?;
    writer.put("beside", "it").await?;
    writer.sync().await?;
    writer.put("last", "of all").await?;
    writer.sync().await?;
    Ok((fleet, writer, behind))
}

fn names(error: &Error, key: &ObjectKey, what: &str) -> Result<(), Failure> {
    let kind = error.kind();
    ensure!(
        matches!(kind, ErrorKind::Corrupt | ErrorKind::Replaced),
        "{key} was {what}, and the sync failed so: {error}"
    );
    ensure!(error.key().is_some(), "{key} was {what}, and the error names nothing: {error}");
    Ok(())
}

fn only_good(device: &Device, writer: &Device, key: &ObjectKey, what: &str) -> Result<(), Failure> {
    let good = writer.replica.documents();
    for (id, document) in device.replica.documents() {
        ensure!(good.get(&id) == Some(&document), "{key} was {what}, and {id:?} came as a document that nobody wrote");
    }
    Ok(())
}

async fn no_wrong_document_comes_of_it(cx: Context) -> Result<(), Failure> {
    let (fleet, writer, behind) = written(&cx).await?;
    let (sound_objects, storage) = (copy(&cx).await?, cx.storage().await?);
    let keys: Vec<&ObjectKey> = sound_objects.keys().collect();
    for (at, key) in keys.iter().enumerate() {
        let (whole, other) = (&sound_objects[*key], &sound_objects[keys[(at + 1) % keys.len()]]);
        let ways = damaged(whole, other);
        for (what, bytes) in ways.into_iter().step_by(cx.size().pick(2, 1, 1)) {
            replace(&*storage, key, bytes).await?;
            let newcomer = fleet.device().await?;
            let error = newcomer.try_sync().await.err();
            let error =
                error.ok_or_else(|| Failure::new(format!("{key} was {what}, and a newcomer synced over it")))?;
            names(&error, key, what)?;
            only_good(&newcomer, &writer, key, what)?;
            let late = fleet.device_of(behind.replica.fork()).await?;
            if let Err(error) = late.try_sync().await {
                names(&error, key, what)?;
            }
            only_good(&late, &writer, key, what)?;
        }
        replace(&*storage, key, whole.clone()).await?;
    }
    behind.sync().await?;
    sound(&fleet, &[&behind, &writer]).await
}

async fn removed_segments_are_corrupt(cx: Context) -> Result<(), Failure> {
    let (fleet, writer, behind) = written(&cx).await?;
    let (objects, storage) = (copy(&cx).await?, cx.storage().await?);
    let segments: Vec<_> = objects.iter().filter(|(key, _)| !key.is_record()).collect();
    ensure!(!segments.is_empty(), "700 KiB that do not compress made no segment");
    for (key, bytes) in segments {
        storage.delete(key).await?;
        let error = behind.try_sync().await.err();
        let error = error.ok_or_else(|| Failure::new(format!("{key} was removed, and a sync went over it")))?;
        ensure!(error.key() == Some(key.as_str()), "{key} was removed, and the error names another: {error}");
        names(&error, key, "removed")?;
        only_good(&behind, &writer, key, "removed")?;
        replace(&*storage, key, bytes.clone()).await?;
    }
    behind.sync().await?;
    sound(&fleet, &[&behind, &writer]).await
}

//! Objects that were changed, cut, swapped or removed beneath the server.

use bytes::Bytes;
use futures::future::FutureExt as _;
use longshore_core::{Error, ErrorKind, Folder, ObjectKey, Storage};

use super::expect::refused;
use super::history::{Writer, changes_of, put};
use crate::case::{Case, Group, Need, Rule};
use crate::context::{Context, put as put_object, read};
use crate::dice::noise;
use crate::litter::objects;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::damage::bytes_that_were_changed_are_corrupt", Group::Server, Rule::Invariant(11), |cx| {
        bytes_that_were_changed_are_corrupt(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("server::damage::a_missing_entry_is_not_closed_up", Group::Server, Rule::Server(1), |cx| {
        a_missing_entry_is_not_closed_up(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("server::damage::a_store_without_its_format_is_corrupt", Group::Server, Rule::Invariant(10), |cx| {
        a_store_without_its_format_is_corrupt(cx).boxed()
    })
    .needs(&[Need::Storage]),
];

/// Removes the object, and writes these bytes in its place.
pub(in crate::cases) async fn replace(storage: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<(), Failure> {
    storage.delete(key).await?;
    write(storage, key, bytes).await
}

/// Writes an object as its kind is written.
pub(in crate::cases) async fn write(storage: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<(), Failure> {
    if key.is_record() {
        storage.create(key, bytes).await?;
        return Ok(());
    }
    put_object(storage, key, bytes).await
}

/// What may have become of an object: a bit turned over, its end cut off, nothing left, another object's bytes.
pub(in crate::cases) fn damaged(whole: &Bytes, other: &Bytes) -> Vec<(&'static str, Bytes)> {
    let mut flipped = whole.to_vec();
    let middle = flipped.len() / 2;
    if let Some(byte) = flipped.get_mut(middle) {
        *byte ^= 1;
    }
    let short = whole.slice(..whole.len().saturating_sub(1));
    let start = whole.slice(..whole.len().min(10));
    let kinds = [("changed", flipped.into()), ("cut", short), ("cut to its start", start), ("emptied", Bytes::new())];
    kinds.into_iter().chain([("swapped", other.clone())]).collect()
}

/// Every object of the log, damaged in every way.
async fn bytes_that_were_changed_are_corrupt(cx: Context) -> Result<(), Failure> {
    let mut writer = Writer::new(cx.ready_server().await?, 1).await?;
    writer.append(vec![put("one", "1")?]).await?;
    writer.append(vec![put("large", noise(cx.seed(), 700 << 10))?]).await?;
    writer.append(vec![put("two", "2")?]).await?;
    let storage = cx.storage().await?;
    let mut keys = objects(&*storage, &Folder::new("domains")?).await?;
    keys.sort();
    for (at, key) in keys.iter().enumerate() {
        let whole = whole(&*storage, key).await?;
        let other = self::whole(&*storage, &keys[(at + 1) % keys.len()]).await?;
        for (what, bytes) in damaged(&whole, &other).into_iter().step_by(cx.size().pick(2, 1, 1)) {
            replace(&*storage, key, bytes).await?;
            let error = refused(read_all(&cx).await, ErrorKind::Corrupt, &format!("a log whose {key} was {what}"))?;
            ensure!(error.key() == Some(key.as_str()), "{key} was {what}, and the error does not name it: {error}");
        }
        replace(&*storage, key, whole).await?;
        read_all(&cx).await?;
    }
    Ok(())
}

async fn whole(storage: &dyn Storage, key: &ObjectKey) -> Result<Bytes, Failure> {
    read(storage, key).await?.ok_or_else(|| Failure::new(format!("{key} is listed, and is not there")))
}

/// Reads the three entries and all that they name with a new client; says how many changes there are.
async fn read_all(cx: &Context) -> Result<usize, Error> {
    let internal = |failure: Failure| Error::new(ErrorKind::Internal, failure.seen().to_owned());
    let server = cx.server().await.map_err(internal)?;
    let mut changes = 0;
    for reply in server.changes_read(1.try_into()?, 3).await? {
        let Some(entry) = reply.value else { continue };
        if let longshore_core::Content::Segments(segments) = &entry.content {
            for segment in segments {
                changes += server.segment(segment).await?.len();
            }
        } else {
            changes += changes_of(&*server, &entry).await.map_err(internal)?.len();
        }
    }
    Ok(changes)
}

/// What lies behind a missing entry keeps its number.
async fn a_missing_entry_is_not_closed_up(cx: Context) -> Result<(), Failure> {
    let mut writer = Writer::new(cx.ready_server().await?, 1).await?;
    for body in ["1", "2", "3"] {
        writer.append(vec![put("doc", body)?]).await?;
    }
    let storage = cx.storage().await?;
    let keys = objects(&*storage, &Folder::new("domains/main/log")?).await?;
    let second = keys.iter().find(|key| key.as_str().ends_with("/0000000000000002/data"));
    let second = second.ok_or_else(|| Failure::new(format!("entry 2 does not lie where the format says: {keys:?}")))?;
    storage.delete(second).await?;
    let replies = cx.server().await?.changes_read(1.try_into()?, 4).await?;
    let there: Vec<Option<u64>> =
        replies.iter().map(|reply| reply.value.as_ref().map(|entry| entry.sequence.get())).collect();
    ensure!(
        there == [Some(1), None, Some(3), None],
        "entry 2 of 3 was removed, and the numbers 1 to 4 read as {there:?}"
    );
    Ok(())
}

/// Never a new store over the remains of one.
async fn a_store_without_its_format_is_corrupt(cx: Context) -> Result<(), Failure> {
    let mut writer = Writer::new(cx.ready_server().await?, 1).await?;
    writer.append(vec![put("doc", "1")?]).await?;
    let storage = cx.storage().await?;
    storage.delete(&ObjectKey::new("format/data")?).await?;
    let server = cx.server().await?;
    let there = server.store().await?.value;
    ensure!(there.is_none(), "the store's format was removed, and `store` gives {there:?}");
    refused(
        server.initialize(&longshore_core::StoreOptions::default()).await,
        ErrorKind::Corrupt,
        "a log without its format",
    )?;
    Ok(())
}

//! Looking at a store: each look says in words what was seen.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{ByteRange, Created, Error, ErrorKind, Folder, ObjectKey, Storage};

use crate::context::{Context, MOST};
use crate::verdict::{Failure, ensure};

/// Pages of one listing at the most: a listing that never ends is a failure, not a hang.
const PAGES: usize = 10_000;
/// How long an object may stay unseen after `Exists`: its writer may still be at it.
const PATIENCE: u32 = 100;

/// Two independent clients of the case's place.
pub(super) async fn two(cx: &Context) -> Result<(Arc<dyn Storage>, Arc<dyn Storage>), Failure> {
    Ok((cx.storage().await?, cx.storage().await?))
}

/// The object is there, with these bytes.
pub(super) async fn holds(storage: &dyn Storage, key: &ObjectKey, wanted: &[u8]) -> Result<(), Failure> {
    let there = whole_or_nothing(storage, key, wanted).await?;
    ensure!(there, "{key} was written and acknowledged, and a read finds nothing");
    Ok(())
}

/// No object is there.
pub(super) async fn absent(storage: &dyn Storage, key: &ObjectKey, why: &str) -> Result<(), Failure> {
    match storage.get(key, ByteRange::ALL).await?.value {
        None => Ok(()),
        Some(object) => Err(Failure::new(format!("{key} {why}, and a read finds {} bytes", object.len()))),
    }
}

/// Whether the object is there; if so, with these bytes.
pub(super) async fn whole_or_nothing(storage: &dyn Storage, key: &ObjectKey, wanted: &[u8]) -> Result<bool, Failure> {
    is_whole(key, get(storage, key).await?, wanted)
}

/// As [`whole_or_nothing`], beside a write or a deletion that may still be under way, also of a call that was dropped: a read that it
/// breaks off is asked again, as the core does. Ceph answers 500 to one in many.
pub(super) async fn whole_or_nothing_yet(
    storage: &dyn Storage,
    key: &ObjectKey,
    wanted: &[u8],
) -> Result<bool, Failure> {
    for _ in 0..PATIENCE {
        match get(storage, key).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            found => return is_whole(key, found?, wanted),
        }
    }
    Err(Failure::new(format!("{key} cannot be read while it is written or deleted, nor long after")))
}

/// As [`holds`], beside a write of the same that may still be under way.
pub(super) async fn holds_yet(storage: &dyn Storage, key: &ObjectKey, wanted: &[u8]) -> Result<(), Failure> {
    let there = whole_or_nothing_yet(storage, key, wanted).await?;
    ensure!(there, "{key} was written and acknowledged, and a read finds nothing");
    Ok(())
}

/// The object's size as it is told, and its bytes.
async fn get(storage: &dyn Storage, key: &ObjectKey) -> Result<Option<(u64, Bytes)>, Error> {
    match storage.get(key, ByteRange::ALL).await?.value {
        Some(object) => Ok(Some((object.size(), object.read(MOST).await?))),
        None => Ok(None),
    }
}

fn is_whole(key: &ObjectKey, found: Option<(u64, Bytes)>, wanted: &[u8]) -> Result<bool, Failure> {
    let Some((size, found)) = found else { return Ok(false) };
    ensure!(found == wanted, "{key}: {}", difference(&found, wanted));
    ensure!(size == wanted.len() as u64, "{key} has {} bytes, and its size is given as {size}", wanted.len());
    Ok(true)
}

/// What is listed under this name, the object's own or its record's, can be read, and what can be read is whole.
pub(super) async fn listed_whole(
    storage: &dyn Storage,
    key: &ObjectKey,
    wanted: &[u8],
    name: &str,
) -> Result<(), Failure> {
    let above = key.as_str().split_once(&format!("/{name}")).map_or("", |(above, _)| above);
    let listed = names(storage, &Folder::new(above)?).await?;
    let there = whole_or_nothing_yet(storage, key, wanted).await?;
    ensure!(there || !listed.iter().any(|listed| listed == name), "{key} is listed, and a read finds nothing");
    Ok(())
}

/// The object is there after a `create` that was answered so.
pub(super) async fn settles(
    storage: &dyn Storage,
    key: &ObjectKey,
    wanted: &[u8],
    answer: Created,
) -> Result<(), Failure> {
    for _ in 0..PATIENCE {
        if answer == Created::Created || whole_or_nothing(storage, key, wanted).await? {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    holds(storage, key, wanted).await
}

/// A range of the object.
pub(super) async fn part(storage: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<(u64, Bytes), Failure> {
    match storage.get(key, range).await?.value {
        Some(object) => Ok((object.size(), object.read(MOST).await?)),
        None => Err(Failure::new(format!("{key} is there, and a read of a range of it finds nothing"))),
    }
}

/// Creates an object under a free name.
pub(super) async fn created(storage: &dyn Storage, key: &ObjectKey, bytes: impl Into<Bytes>) -> Result<(), Failure> {
    let answer = storage.create(key, bytes.into()).await?.value;
    ensure!(answer == Created::Created, "{key} was free, and its creation was answered with {answer:?}");
    Ok(())
}

/// All names in a folder, from all pages, which must rise.
pub(super) async fn names(storage: &dyn Storage, folder: &Folder) -> Result<Vec<String>, Failure> {
    names_after(storage, folder, None).await
}

/// As [`names`], those after this one.
pub(super) async fn names_after(
    storage: &dyn Storage,
    folder: &Folder,
    after: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let (mut all, mut last) = (Vec::new(), after.map(str::to_owned));
    for _ in 0..PAGES {
        let page = storage.list(folder, last.as_deref()).await?.value;
        ensure!(!page.more || !page.names.is_empty(), "a page of {folder} is empty and says that more follows");
        for name in page.names {
            ensure!(
                last.as_ref().is_none_or(|last| *last < name),
                "the listing of {folder} does not rise: {name:?} comes after {last:?}"
            );
            all.push(name.clone());
            last = Some(name);
        }
        if !page.more {
            return Ok(all);
        }
    }
    Err(Failure::new(format!("the listing of {folder} does not end")))
}

/// The folder lists exactly these.
pub(super) fn lists(folder: &Folder, found: &[String], wanted: &[String]) -> Result<(), Failure> {
    let lacks: Vec<_> = wanted.iter().filter(|name| !found.contains(name)).collect();
    let extra: Vec<_> = found.iter().filter(|name| !wanted.contains(name)).collect();
    ensure!(
        lacks.is_empty(),
        "{folder} holds {} names, and {} are not listed: {}",
        wanted.len(),
        lacks.len(),
        few(&lacks)
    );
    ensure!(extra.is_empty(), "{folder} lists {} names that it does not hold: {}", extra.len(), few(&extra));
    Ok(())
}

fn few(names: &[&String]) -> String {
    let shown: Vec<_> = names.iter().take(4).map(|name| name.as_str()).collect();
    format!("{}{}", shown.join(", "), if names.len() > 4 { ", …" } else { "" })
}

/// What is wrong with these bytes.
pub(super) fn difference(found: &[u8], wanted: &[u8]) -> String {
    let same = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
    format!("{} bytes were written, {} were read, and they differ from byte {same} on", wanted.len(), found.len())
}

/// Bytes that repeat late enough to show pieces that are missing or in the wrong place.
pub(super) fn pattern(len: usize, seed: u64) -> Bytes {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 33)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

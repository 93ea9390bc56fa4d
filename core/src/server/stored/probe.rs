//! The short probe of a storage: what it does, not what it says.

use bytes::Bytes;
use futures::future::join_all;

use super::wire::Wire;
use crate::error::{Error, Result};
use crate::format::{Layout, MAX_RECORD};
use crate::runtime::new_nonce;
use crate::storage::{Created, Flaw, ObjectKey};

/// How many race for one name.
const RACERS: u8 = 8;
/// How often. A server that looks first and writes then lets several win in about half of all races where it is busy.
const RACES: usize = 10;
/// Bytes as some ways to a store change them.
const FIRST: &[u8] = b"\x1f\x8b\r\n<html>\xff\0";

pub(super) async fn probe(wire: &Wire) -> Result<()> {
    if !wire.capabilities().atomic_create {
        return Err(refused(Flaw::Admitted));
    }
    let twice = Layout::probe(new_nonce(wire.runtime())?)?;
    let mut raced = Vec::new();
    for _ in 0..RACES {
        raced.push(Layout::probe(new_nonce(wire.runtime())?)?);
    }
    let verdict = examine(wire, &twice, &raced).await;
    // A verdict counts for more than litter, which the next probe does not meet.
    let removed = join_all(raced.iter().chain([&twice]).map(|key| wire.delete(key))).await;
    verdict?;
    removed.into_iter().collect::<Result<Vec<_>>>()?;
    gone(wire, &twice).await
}

async fn examine(wire: &Wire, twice: &ObjectKey, raced: &[ObjectKey]) -> Result<()> {
    create_twice(wire, twice).await?;
    // Each reads first: a racer that has to connect comes too late.
    for read in join_all((0..RACERS).map(|_| read(wire, twice))).await {
        read?;
    }
    for key in raced {
        race(wire, key).await?;
    }
    listed(wire, [twice].into_iter().chain(raced.first())).await
}

async fn create_twice(wire: &Wire, key: &ObjectKey) -> Result<()> {
    if wire.create(key, Bytes::from_static(FIRST)).await?.value != Created::Created {
        return Err(refused(Flaw::NewIsTaken));
    }
    if read(wire, key).await?.as_deref() != Some(FIRST) {
        return Err(refused(Flaw::Unread));
    }
    if wire.create(key, Bytes::from_static(b"second")).await?.value != Created::Exists {
        return Err(refused(Flaw::TakenIsCreated));
    }
    match read(wire, key).await?.as_deref() {
        Some(FIRST) => Ok(()),
        _ => Err(refused(Flaw::Replaced)),
    }
}

async fn race(wire: &Wire, key: &ObjectKey) -> Result<()> {
    let racers = (0..RACERS).map(|racer| async move {
        let reply = wire.create(key, Bytes::copy_from_slice(&[racer; 100])).await?;
        Ok::<_, Error>(reply.value)
    });
    let told = join_all(racers).await;
    let there = read(wire, key).await?;
    // What is no racer's is nobody's: a place that no racer has.
    let whose =
        |bytes: Bytes| (0..RACERS).find(|racer| bytes.as_ref() == [*racer; 100]).map_or(usize::MAX, usize::from);
    match Flaw::of_race(told, there.map(whose))? {
        None => Ok(()),
        Some(flaw) => Err(refused(flaw)),
    }
}

async fn listed(wire: &Wire, keys: impl Iterator<Item = &ObjectKey>) -> Result<()> {
    for key in keys {
        let (Some(record), Some(name)) = (key.folder(), key.parts().nth(1)) else {
            continue;
        };
        let folder = ObjectKey::new(record.as_str())?.folder().unwrap_or(crate::storage::Folder::ROOT);
        // Asked for what comes right before the name, any page size shows it.
        let before = &name[..name.len() - 1];
        if !wire.list(&folder, Some(before)).await?.value.names.iter().any(|listed| listed == name) {
            return Err(refused(Flaw::Unlisted));
        }
    }
    Ok(())
}

async fn gone(wire: &Wire, key: &ObjectKey) -> Result<()> {
    match read(wire, key).await? {
        None => Ok(()),
        Some(_) => Err(refused(Flaw::Undeleted)),
    }
}

async fn read(wire: &Wire, key: &ObjectKey) -> Result<Option<Bytes>> {
    Ok(wire.get(key, MAX_RECORD).await?.value)
}

fn refused(flaw: Flaw) -> Error {
    Error::from(flaw).with_operation("probe")
}

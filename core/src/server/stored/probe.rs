//! The short probe of a storage: what it does, not what it says.

use bytes::Bytes;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use tracing::debug;

use super::wire::Wire;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::format::{Layout, MAX_RECORD};
use crate::runtime::new_nonce;
use crate::storage::{Created, Flaw, ObjectKey};

/// How many race for one name at the most, if the storage bears as many requests.
const RACERS: u8 = 8;
/// With fewer there is no race.
const FEWEST: u8 = 2;
/// How often. A server that looks first and writes then lets several win in about half of all races where it is busy.
const RACES: usize = 10;
/// How often the usual method is probed again that was not heard of.
const DOUBTS: usize = 2;
/// How often another method has to pass.
const FALLBACK_PROBES: usize = 4;
/// Bytes as some ways to a store change them.
const FIRST: &[u8] = b"\x1f\x8b\r\n<html>\xff\0";

/// Has the storage create by the first of its methods that passes. What the first was refused for is the reason to refuse all.
pub(super) async fn choose(wire: &Wire) -> Result<()> {
    let Err(mut refusal) = probe(wire).await else { return Ok(()) };
    let Some(fallback) = wire.capabilities().fallback else { return Err(refusal) };
    // A connection may have broken: that says nothing of the method, which is for good.
    for _ in 0..DOUBTS {
        if refusal.outcome() != Outcome::Unknown || refusal.throttled() {
            break;
        }
        let Err(error) = probe(wire).await else { return Ok(()) };
        refusal = error;
    }
    let of_the_method = refusal.kind() == ErrorKind::Unsupported || refusal.outcome() == Outcome::Unknown;
    if !of_the_method || refusal.throttled() || !wire.adopt(Some(fallback)) {
        return Err(refusal);
    }
    debug!(%refusal, fallback, "names are created by another method");
    // It is raced for longer: what is usual elsewhere is known to hold there, and this one is known not to hold everywhere.
    for _ in 0..FALLBACK_PROBES {
        if probe(wire).await.is_err() {
            wire.adopt(None);
            return Err(refusal);
        }
    }
    Ok(())
}

pub(super) async fn probe(wire: &Wire) -> Result<()> {
    if !wire.capabilities().atomic_create {
        return Err(refused(Flaw::Admitted));
    }
    let twice = new_name(wire)?;
    let mut raced = Vec::new();
    let verdict = examine(wire, &twice, &mut raced).await;
    // A verdict counts for more than litter, which the next probe does not meet.
    let parallel = wire.capabilities().parallelism.clamp(1, RACES);
    raced.push(twice.clone());
    let removing = stream::iter(raced).map(|key| async move { wire.delete(&key).await }).buffer_unordered(parallel);
    let removed = removing.collect::<Vec<_>>().await;
    verdict?;
    removed.into_iter().collect::<Result<Vec<_>>>()?;
    gone(wire, &twice).await
}

fn new_name(wire: &Wire) -> Result<ObjectKey> {
    Layout::probe(new_nonce(wire.runtime())?)
}

async fn examine(wire: &Wire, twice: &ObjectKey, raced: &mut Vec<ObjectKey>) -> Result<()> {
    create_twice(wire, twice).await?;
    let mut racers = u8::try_from(wire.capabilities().parallelism).unwrap_or(RACERS).clamp(FEWEST, RACERS);
    // Each reads first: a racer that has to connect comes too late.
    for read in join_all((0..racers).map(|_| read(wire, twice))).await {
        read?;
    }
    for _ in 0..RACES {
        racers = race_within_rate(wire, racers, raced).await?;
    }
    listed(wire, [twice].into_iter().chain(raced.last())).await
}

/// One race that counts; says how many the storage bore. Where it limits our rate, the next try is later, by fewer, for a new name.
async fn race_within_rate(wire: &Wire, mut racers: u8, raced: &mut Vec<ObjectKey>) -> Result<u8> {
    let mut tried = 1;
    loop {
        let key = new_name(wire)?;
        raced.push(key.clone());
        let Err(error) = race(wire, racers, &key).await else {
            return Ok(racers);
        };
        wait_for_rate(wire, error, tried).await?;
        (tried, racers) = (tried + 1, (racers / 2).max(FEWEST));
    }
}

/// Waits as a storage asks that limits our rate; gives any other error back, and that one after some tries.
async fn wait_for_rate(wire: &Wire, error: Error, tried: u32) -> Result<()> {
    match wire.pause_after(&error, tried).filter(|_| error.throttled()) {
        Some(pause) => wire.runtime().sleep(pause).await,
        None => return Err(error),
    }
    Ok(())
}

/// One `create` outside of a race. It is sent again only if it was refused for our rate and did nothing.
async fn create(wire: &Wire, key: &ObjectKey, bytes: &'static [u8]) -> Result<Created> {
    let mut tried = 1;
    loop {
        match wire.create(key, Bytes::from_static(bytes)).await {
            Ok(reply) => return Ok(reply.value),
            Err(error) if error.outcome() == Outcome::Unknown => return Err(error),
            Err(error) => wait_for_rate(wire, error, tried).await?,
        }
        tried += 1;
    }
}

async fn create_twice(wire: &Wire, key: &ObjectKey) -> Result<()> {
    if create(wire, key, FIRST).await? != Created::Created {
        return Err(refused(Flaw::NewIsTaken));
    }
    if read(wire, key).await?.as_deref() != Some(FIRST) {
        return Err(refused(Flaw::Unread));
    }
    if create(wire, key, b"second").await? != Created::Exists {
        return Err(refused(Flaw::TakenIsCreated));
    }
    match read(wire, key).await?.as_deref() {
        Some(FIRST) => Ok(()),
        _ => Err(refused(Flaw::Replaced)),
    }
}

async fn race(wire: &Wire, racers: u8, key: &ObjectKey) -> Result<()> {
    let creates = (0..racers).map(|racer| async move {
        let reply = wire.create(key, Bytes::copy_from_slice(&[racer; 100])).await?;
        Ok::<_, Error>(reply.value)
    });
    let told = join_all(creates).await;
    // Whoever else was refused: two winners are two.
    if told.iter().filter(|told| matches!(told, Ok(Created::Created))).count() > 1 {
        return Err(refused(Flaw::SeveralWinners));
    }
    let there = read(wire, key).await?;
    // What is no racer's is nobody's: a place that no racer has.
    let whose =
        |bytes: Bytes| (0..racers).find(|racer| bytes.as_ref() == [*racer; 100]).map_or(usize::MAX, usize::from);
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

//! For one sync, something else lies where the store was: it is refused, and neither side is changed. (I10, I11)

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use longshore_core::{
    AttemptNumber, Author, Change, ClientId, Document, DomainName, ErrorKind, Hash, MemoryStorage, ObjectKey, Sequence,
    Server, ServerExt, StoreOptions, StoredServer, Tip,
};

use super::Broken;
use super::history::{Wrong, name};
use super::oracle::{Side, domains};
use super::world::{Checkpoint, World};
use crate::case::Rule;

type Objects = BTreeMap<ObjectKey, Bytes>;

pub(super) async fn sync_with(world: &World<'_>, side: Side, wrong: Wrong) -> Result<(), Broken> {
    // Without an entry that it has seen, a replica cannot know an older copy from the store.
    let Some(checkpoint) = world.checkpoint(side)?.filter(|checkpoint| *checkpoint > 0) else {
        return Ok(());
    };
    let domain = domains()?[side.1].clone();
    let objects = make(world, wrong, &domain, checkpoint).await?;
    let storage = MemoryStorage::new();
    storage.set_objects(objects.clone());
    count(world, wrong);
    world.restart(side.0);
    let client = world.client_over(side, Arc::new(storage.clone()))?;
    let synced = client.sync().await;
    world.set_checkpoint(side, Checkpoint::Unknown);
    let seen = match synced {
        Err(error) if expected(wrong).contains(&error.kind()) => None,
        Err(error) => Some(format!("it gave another error: {error}")),
        Ok(report) => Some(format!("it was synced with: {report:?}")),
    };
    let seen = seen.or_else(|| (storage.objects() != objects).then(|| "it was written to".to_owned()));
    world.check_replica(side);
    match seen {
        None => Ok(()),
        Some(seen) => {
            let rule = if let Wrong::Damaged(_) = wrong { Rule::Invariant(11) } else { Rule::Invariant(10) };
            Err(Broken::new(rule, format!("device {} found a store that is {wrong:?}, and {seen}", name(side.0))))
        }
    }
}

fn expected(wrong: Wrong) -> &'static [ErrorKind] {
    match wrong {
        // A flipped bit in an object's version reads as one of a newer version.
        Wrong::Damaged(_) => &[ErrorKind::Corrupt, ErrorKind::Unsupported],
        _ => &[ErrorKind::Replaced],
    }
}

fn count(world: &World<'_>, wrong: Wrong) {
    let damaged = matches!(wrong, Wrong::Damaged(_));
    world.counters.count(if damaged { "fault: damaged object" } else { "fault: wrong store" });
    world.counters.count(match wrong {
        Wrong::Emptied => "replaced: emptied store refused",
        Wrong::Another => "replaced: another store refused",
        Wrong::RolledBack => "replaced: rolled-back store refused",
        Wrong::Forked => "replaced: forked store refused",
        Wrong::Damaged(_) => "corrupt: damaged object refused",
    });
}

async fn make(world: &World<'_>, wrong: Wrong, domain: &DomainName, checkpoint: u64) -> Result<Objects, Broken> {
    let objects = world.shore.memory().objects();
    match wrong {
        Wrong::Emptied => Ok(Objects::new()),
        Wrong::Another => {
            let other = MemoryStorage::new();
            server(world, &other, domain)?.initialize(&StoreOptions::default()).await?;
            Ok(other.objects())
        }
        Wrong::RolledBack => rolled_back(objects, domain, checkpoint),
        Wrong::Forked => forked(world, objects, domain, checkpoint).await,
        Wrong::Damaged(dice) => damaged(objects, domain, checkpoint, dice),
    }
}

fn server(world: &World<'_>, storage: &MemoryStorage, domain: &DomainName) -> Result<StoredServer, Broken> {
    Ok(StoredServer::new(Arc::new(storage.clone()), Arc::clone(&world.clerk), domain)?)
}

fn entry_key(domain: &DomainName, number: u64) -> Result<ObjectKey, Broken> {
    Ok(ObjectKey::new(format!("domains/{domain}/log/{:016}/{number:016}/data", number / 256))?)
}

/// Without the entries from the checkpoint on.
fn rolled_back(mut objects: Objects, domain: &DomainName, checkpoint: u64) -> Result<Objects, Broken> {
    let first = entry_key(domain, checkpoint)?;
    let log = format!("domains/{domain}/log/");
    objects.retain(|key, _| !key.as_str().starts_with(&log) || *key < first);
    Ok(objects)
}

/// Rolled back, and then written to by somebody else.
async fn forked(world: &World<'_>, objects: Objects, domain: &DomainName, checkpoint: u64) -> Result<Objects, Broken> {
    let storage = MemoryStorage::new();
    let before = checkpoint - 1;
    let last = if before == 0 { None } else { objects.get(&entry_key(domain, before)?).map(|bytes| Hash::of(bytes)) };
    storage.set_objects(rolled_back(objects, domain, checkpoint)?);
    let server = server(world, &storage, domain)?;
    let mut tip = Tip::beginning(&server.initialize(&StoreOptions::default()).await?);
    if let Some(hash) = last {
        tip = Tip { sequence: Some(Sequence::new(before)?), hash, ..tip };
    }
    let client = ClientId::from_bytes([0xf0; 16]);
    let author = Author { client, attempt: AttemptNumber::FIRST, lease: None, time: None };
    let change = Change::put(Document::new("of another history", "fork")?);
    server.commit(&tip, &author, vec![change]).await?;
    Ok(storage.objects())
}

/// With a flipped bit in an object that opening must read.
fn damaged(mut objects: Objects, domain: &DomainName, checkpoint: u64, dice: u64) -> Result<Objects, Broken> {
    let read = [ObjectKey::new("format/data")?, entry_key(domain, checkpoint)?, entry_key(domain, checkpoint + 1)?];
    let there: Vec<&ObjectKey> = read.iter().filter(|key| objects.contains_key(key)).collect();
    let key = there[usize::try_from(dice % there.len() as u64).unwrap_or(0)].clone();
    if let Some(bytes) = objects.get_mut(&key) {
        let mut flipped = bytes.to_vec();
        let at = usize::try_from((dice / 8) % flipped.len() as u64).unwrap_or(0);
        flipped[at] ^= 1 << (dice % 8);
        *bytes = flipped.into();
    }
    Ok(objects)
}

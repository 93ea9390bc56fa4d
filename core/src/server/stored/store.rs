//! The store's identity: created once, read back, adopted.

use std::time::Duration;

use super::probe;
use super::records;
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{FormatHeader, Kind, Layout, MAX_RECORD, decode_known, encode_record};
use crate::model::Hash;
use crate::runtime::new_store_id;
use crate::server::{StoreInfo, StoreOptions};
use crate::storage::{Folder, Reply};

pub(super) async fn read(wire: &Wire) -> Result<Reply<Option<StoreInfo>>> {
    let key = Layout::format()?;
    let Reply { value, time } = wire.get(&key, MAX_RECORD).await?;
    let Some(stored) = value else {
        return Ok(Reply { value: None, time });
    };
    let (header, _): (FormatHeader, _) = decode_known(Kind::Format, &key, &stored, |method| wire.adopt(Some(method)))?;
    if header.requires.is_empty() && !wire.adopt(None) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the store's names are created by the usual method; open it without asking for another",
        )
        .with_key(&key)
        .with_expected("the usual method", wire.capabilities().method.unwrap_or("another")));
    }
    wire.settled();
    let retention = Duration::from_millis(header.retention);
    Ok(Reply { value: Some(StoreInfo { id: header.store, retention, hash: Hash::of(&stored) }), time })
}

/// Whoever creates the identity, it is the one that is read back: two that initialise at once agree.
pub(super) async fn initialize(wire: &Wire, options: &StoreOptions) -> Result<StoreInfo> {
    if let Some(info) = read(wire).await?.value {
        return Ok(info);
    }
    let ours = ours(wire).await?;
    if let Some(info) = read(wire).await?.value {
        return Ok(info);
    }
    if let Some(name) = ours {
        return Err(damaged(&name));
    }
    if options.probe {
        probe::choose(wire).await?;
    }
    create(wire, options).await?;
    read(wire).await?.value.ok_or_else(|| damaged("format"))
}

async fn create(wire: &Wire, options: &StoreOptions) -> Result<()> {
    let key = Layout::format()?;
    let header = FormatHeader {
        key: key.to_string(),
        store: new_store_id(wire.runtime())?,
        retention: u64::try_from(options.retention.as_millis()).unwrap_or(u64::MAX),
        requires: wire.capabilities().method.map(str::to_owned).into_iter().collect(),
    };
    let bytes = encode_record(Kind::Format, &header, &[])?;
    records::create(wire, &key, &bytes).await?;
    Ok(())
}

/// Learns by which method this store's names are created, where the storage knows several: before anything is created.
pub(super) async fn settle(wire: &Wire) -> Result<()> {
    if !wire.is_settled() {
        read(wire).await?;
    }
    Ok(())
}

/// A name at the root that belongs to a store. Not that of `format` itself: by some methods a folder stands there a moment before
/// what lies in it, or for good if its creator was killed, and without anything else nothing is lost.
async fn ours(wire: &Wire) -> Result<Option<String>> {
    let is_ours = |name: &&String| name.as_str() == Layout::DOMAINS;
    wire.walk(&Folder::ROOT, |names| names.iter().find(is_ours).cloned()).await
}

fn damaged(name: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "a store lies here whose `format` is missing: restore it from a backup, or choose an empty place",
    )
    .with_operation("initialize")
    .with_key(name)
}

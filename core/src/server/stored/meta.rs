//! Metadata: numbered versions of small blobs, written by compare-and-swap.

use bytes::Bytes;

use super::records::{self, Fate};
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::format::{Kind, Layout, MAX_INLINE, MAX_RECORD, MetadataHeader, decode_record, encode_record};
use crate::model::{MetadataName, MetadataVersion};
use crate::runtime::new_nonce;
use crate::sabotage::{Mistake, on};
use crate::server::Metadata;

/// How often a version that vanished between listing and reading is looked for anew.
const LOOKS: usize = 5;

pub(super) async fn read(wire: &Wire, layout: &Layout, name: &MetadataName) -> Result<Option<Metadata>> {
    for _ in 0..LOOKS {
        let Some(version) = newest(wire, layout, name).await? else {
            return Ok(None);
        };
        let key = layout.metadata(name, version)?;
        if let Some(stored) = wire.get(&key, MAX_RECORD).await?.value {
            let (header, bytes): (MetadataHeader, _) = decode_record(Kind::Metadata, &key, &stored)?;
            if header.name != *name || header.version != version {
                return Err(Error::new(ErrorKind::Corrupt, "it says that it is another piece or version").with_key(key));
            }
            return Ok(Some(Metadata { version, bytes }));
        }
    }
    Err(Error::new(ErrorKind::Corrupt, "a version of the metadata is listed and cannot be read").with_key(name))
}

pub(super) async fn write(
    wire: &Wire,
    layout: &Layout,
    name: &MetadataName,
    expected: Option<MetadataVersion>,
    bytes: Bytes,
) -> Result<MetadataVersion> {
    if bytes.len() > MAX_INLINE {
        return Err(Error::new(ErrorKind::Invalid, "a piece of metadata has at most 512 KiB").with_key(name));
    }
    let listed = wire.runtime().now();
    let found = newest(wire, layout, name).await?;
    let expected = if on(Mistake::ExpectedVersionIgnored) { found } else { expected };
    if found != expected {
        return Err(conflict(name, expected, found));
    }
    let version = expected.map_or(Ok(MetadataVersion::FIRST), MetadataVersion::next)?;
    let key = layout.metadata(name, version)?;
    let nonce = new_nonce(wire.runtime())?;
    let header = MetadataHeader { key: key.to_string(), name: name.clone(), version, nonce };
    match records::create(wire, &key, &encode_record(Kind::Metadata, &header, &bytes)?).await?.value {
        Fate::Mine | Fate::Found if records::late(wire, listed) => confirm(wire, layout, name, version).await,
        Fate::Mine | Fate::Found => Ok(version),
        Fate::Another => Err(conflict(name, expected, Some(version))),
        // What is hidden may be ours.
        Fate::Hidden => {
            let what = "a version of the metadata is said to exist and cannot be read";
            Err(Error::new(ErrorKind::Corrupt, what).with_outcome(Outcome::Unknown).with_key(key))
        }
    }
}

/// A version that was created late counts only if it is the newest now: its number may have been used and trimmed meanwhile.
async fn confirm(
    wire: &Wire,
    layout: &Layout,
    name: &MetadataName,
    version: MetadataVersion,
) -> Result<MetadataVersion> {
    let found = newest(wire, layout, name).await.map_err(|error| error.with_outcome(Outcome::Unknown))?;
    if found == Some(version) {
        return Ok(version);
    }
    Err(conflict(name, Some(version), found).with_outcome(Outcome::Unknown))
}

async fn newest(wire: &Wire, layout: &Layout, name: &MetadataName) -> Result<Option<MetadataVersion>> {
    records::newest(wire, &layout.versions(name)?).await
}

fn conflict(name: &MetadataName, expected: Option<MetadataVersion>, found: Option<MetadataVersion>) -> Error {
    let text = |version: Option<MetadataVersion>| version.map_or("none".to_owned(), |v| v.get().to_string());
    Error::new(ErrorKind::Conflict, "the metadata has another version than expected: read it again")
        .with_operation("metadata_write")
        .with_key(name)
        .with_expected(text(expected), text(found))
}

//! The JSON headers of created-once objects, and the objects they head.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::changes::{ChangeHeader, assemble};
use super::frame::{Frame, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    AttemptNumber, Change, ClientId, FencingToken, Hash, MetadataName, MetadataVersion, Nonce, StoreId,
};
use crate::storage::{ObjectKey, ServerTime};

/// What every header begins with.
#[derive(Deserialize)]
struct Common {
    key: String,
    #[serde(default)]
    requires: Vec<String>,
}

/// The header of `format/data`: what a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatHeader {
    /// The object's own name.
    pub key: String,
    /// The store's identity.
    pub store: StoreId,
    /// How long at least an entry is kept after a snapshot covers it, in milliseconds.
    pub retention: u64,
    /// Features that a client must know: the method of its storage by which names are created, if it is not the usual one.
    #[serde(default)]
    pub requires: Vec<String>,
}

/// A segment, as an entry or a snapshot names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// Its name under the store's root.
    pub name: String,
    /// Its stored bytes.
    pub length: u64,
    /// BLAKE3 of its stored bytes.
    pub hash: Hash,
}

/// The header of an entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryHeader {
    /// The object's own name.
    pub key: String,
    /// The client that wrote it.
    pub client: ClientId,
    /// That client's number for the attempt.
    pub attempt: AttemptNumber,
    /// The fencing token it was written under, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<FencingToken>,
    /// The newest server time its writer had seen, never before the entry below's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<ServerTime>,
    /// BLAKE3 of the stored bytes of the entry before; of `format/data` for entry 1.
    pub previous: Hash,
    /// `changes`, `snapshot`, `collect` or `drop`.
    pub kind: String,
    /// The changes, if their bodies are in the entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<ChangeHeader>,
    /// The segments that hold the changes, or the snapshot, otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentRef>,
    /// The objects that name a snapshot's segments, where those are too many to stand here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index: Vec<SegmentRef>,
}

/// What a lease record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseKind {
    /// A new holder has it.
    Grant,
    /// The holder goes on.
    Renew,
    /// It is free.
    Release,
}

/// The header of a lease record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseHeader {
    /// The object's own name.
    pub key: String,
    /// The record's number.
    pub token: FencingToken,
    /// The random identity of the grant; the same in its renewals and its release.
    pub nonce: Nonce,
    /// What it does.
    pub kind: LeaseKind,
    /// For how long, in milliseconds.
    pub ttl: u64,
    /// Why, in the holder's words: at most 200 characters.
    pub purpose: String,
}

/// The header of a version of metadata. The bytes follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataHeader {
    /// The object's own name.
    pub key: String,
    /// The name of the metadata.
    pub name: MetadataName,
    /// Its version.
    pub version: MetadataVersion,
    /// The random identity of the write: two writers of equal bytes must tell whose came first.
    pub nonce: Nonce,
}

/// The stored bytes of a record.
pub(crate) fn encode_record(kind: Kind, header: &impl Serialize, body: &[u8]) -> Result<Bytes> {
    Frame::encode(kind, header, &[body])
}

/// The header and body of the record stored under `key`.
///
/// The header names its own key: an object that was moved or swapped on the server is `Corrupt`.
pub(crate) fn decode_record<T: DeserializeOwned>(kind: Kind, key: &ObjectKey, stored: &[u8]) -> Result<(T, Bytes)> {
    decode_known(kind, key, stored, |_| false)
}

/// As [`decode_record`], of an object that may require features which the caller knows.
pub(crate) fn decode_known<T: DeserializeOwned>(
    kind: Kind,
    key: &ObjectKey,
    stored: &[u8],
    known: impl Fn(&str) -> bool,
) -> Result<(T, Bytes)> {
    read(kind, key, stored, known).map_err(|error| error.with_key(key))
}

fn read<T: DeserializeOwned>(
    kind: Kind,
    key: &ObjectKey,
    stored: &[u8],
    known: impl Fn(&str) -> bool,
) -> Result<(T, Bytes)> {
    let frame = Frame::decode(stored)?;
    let common: Common = frame.header(kind)?;
    if common.key != key.as_str() {
        return Err(
            Error::new(ErrorKind::Corrupt, "this object belongs under another name").with_expected(key, common.key)
        );
    }
    if let Some(feature) = common.requires.iter().find(|feature| !known(feature)) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "it needs a feature that this version, or this storage, does not have",
        )
        .with_expected("a known feature", feature));
    }
    Ok((frame.header(kind)?, frame.bodies().clone()))
}

/// The stored bytes of an entry; `changes` are those the header does not leave to segments.
pub(crate) fn encode_entry(mut header: EntryHeader, changes: &[Change]) -> Result<Bytes> {
    header.changes = changes.iter().map(ChangeHeader::of).collect();
    let bodies: Vec<&[u8]> = changes.iter().filter_map(|change| change.action.body()).map(AsRef::as_ref).collect();
    Frame::encode(Kind::Entry, &header, &bodies)
}

/// The header of an entry and the changes that it holds itself.
pub(crate) fn decode_entry(key: &ObjectKey, stored: &[u8]) -> Result<(EntryHeader, Vec<Change>)> {
    let (mut header, bodies): (EntryHeader, _) = decode_record(Kind::Entry, key, stored)?;
    let changes = assemble(std::mem::take(&mut header.changes), &bodies).map_err(|error| error.with_key(key))?;
    Ok((header, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(key: &str) -> (ObjectKey, Bytes) {
        let key = ObjectKey::new(key).unwrap();
        let header = LeaseHeader {
            key: key.to_string(),
            token: FencingToken::FIRST,
            nonce: Nonce::from_bytes([1; 16]),
            kind: LeaseKind::Grant,
            ttl: 30_000,
            purpose: "test".to_owned(),
        };
        let bytes = encode_record(Kind::Lease, &header, &[]).unwrap();
        (key, bytes)
    }

    #[test]
    fn an_object_under_another_name_is_corrupt() {
        let (here, bytes) = lease("domains/main/lease/0000000000000001/data");
        let (elsewhere, _) = lease("domains/main/lease/0000000000000002/data");
        assert!(decode_record::<LeaseHeader>(Kind::Lease, &here, &bytes).is_ok());
        let error = decode_record::<LeaseHeader>(Kind::Lease, &elsewhere, &bytes).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(elsewhere.as_str())));
    }

    #[test]
    fn an_object_of_another_kind_is_corrupt() {
        let (key, bytes) = lease("format/data");
        assert_eq!(decode_record::<FormatHeader>(Kind::Format, &key, &bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn unknown_features_are_refused_and_unknown_fields_are_not() {
        let key = ObjectKey::new("format/data").unwrap();
        let encode = |extra: serde_json::Value| {
            let mut header = serde_json::json!({ "key": "format/data", "store": "00".repeat(16), "retention": 1 });
            header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            Frame::encode(Kind::Format, &header, &[]).unwrap()
        };
        let decode = |bytes: &[u8]| decode_record::<FormatHeader>(Kind::Format, &key, bytes);
        assert!(decode(&encode(serde_json::json!({ "colour": "blue" }))).is_ok());
        let error = decode(&encode(serde_json::json!({ "requires": ["time-travel"] }))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

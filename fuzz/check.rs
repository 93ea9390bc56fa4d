//! What must hold for any bytes: decoding gives a value or an error, never a panic. The fuzz target and the replay of the corpus
//! (`core/tests/corpus.rs`) both include this file.

use longshore_core::format::{EntryHeader, FormatHeader, Frame, Kind, LeaseHeader, MetadataHeader, SnapshotHeader};
use longshore_core::{Attempt, ErrorKind};

/// Decodes the bytes as they are, and once more behind a prefix that fits them: else the checksum stops nearly every mutation.
pub(crate) fn check(bytes: &[u8]) {
    check_frame(bytes);
    check_frame(&sealed(bytes));
    let _ = Attempt::decode(bytes);
}

fn check_frame(stored: &[u8]) {
    match Frame::decode(stored) {
        Ok(frame) => check_headers(&frame),
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error}"),
    }
}

fn check_headers(frame: &Frame) {
    let _ = frame.header::<FormatHeader>(Kind::Format);
    let _ = frame.header::<EntryHeader>(Kind::Entry);
    let _ = frame.header::<SnapshotHeader>(Kind::Snapshot);
    let _ = frame.header::<LeaseHeader>(Kind::Lease);
    let _ = frame.header::<MetadataHeader>(Kind::Metadata);
}

/// The bytes with magic, version, length and checksum set right; kind, flags and the other lengths are the input's.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut stored = bytes.to_vec();
    stored.resize(stored.len().max(64), 0);
    let payload = (stored.len() - 64) as u64;
    stored[..8].copy_from_slice(b"\x89LSH\r\n\x1a\n");
    stored[8..10].copy_from_slice(&1_u16.to_le_bytes());
    stored[24..32].copy_from_slice(&payload.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stored[..32]).update(&stored[64..]);
    let sum = *hasher.finalize().as_bytes();
    stored[32..64].copy_from_slice(&sum);
    stored
}

//! The frame around every object: 64 bytes that say what follows, then a JSON header and bodies, compressed together.

use std::fmt;
use std::io;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FORMAT_VERSION;
use super::contexts;
use super::dense;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Hash;
use crate::sabotage::{Mistake, on};

/// The first eight bytes. Like PNG's, they show when a transfer meddled with line ends or the eighth bit.
const MAGIC: [u8; 8] = [0x89, b'L', b'S', b'H', 0x0d, 0x0a, 0x1a, 0x0a];
const PREFIX: usize = 64;
const COMPRESSED: u8 = 0b0000_0001;
/// Body bytes that are compressed together.
const PIECE: usize = 2 << 20;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The store's identity and format.
    Format,
    /// A numbered entry of the log.
    Entry,
    /// A batch of changes outside its entry.
    Segment,
    /// The live documents as of an entry.
    Snapshot,
    /// A grant, renewal or release of the lease.
    Lease,
    /// A version of a piece of metadata.
    Metadata,
    /// A part of a snapshot's lists.
    Index,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Format => 1,
            Self::Entry => 2,
            Self::Segment => 3,
            Self::Snapshot => 4,
            Self::Lease => 5,
            Self::Metadata => 6,
            Self::Index => 7,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Format),
            2 => Some(Self::Entry),
            3 => Some(Self::Segment),
            4 => Some(Self::Snapshot),
            5 => Some(Self::Lease),
            6 => Some(Self::Metadata),
            7 => Some(Self::Index),
            _ => None,
        }
    }

    /// The most bytes an object of this kind has after decompression. A segment may hold one document of a gigabyte, and the header
    /// of all its changes.
    const fn max_raw(self) -> u64 {
        match self {
            Self::Segment => (1 << 30) + (128 << 20),
            Self::Entry | Self::Snapshot | Self::Index => 64 << 20,
            Self::Format | Self::Lease => 1 << 20,
            Self::Metadata => 16 << 20,
        }
    }
}

/// A decoded object: its kind, its JSON header as text, and the bodies after it.
///
/// ```
/// use longshore_core::format::{Frame, Kind};
///
/// let stored = Frame::encode(Kind::Metadata, &serde_json::json!({ "version": 1 }), &[b"body"])?;
/// let frame = Frame::decode(&stored)?;
/// assert_eq!(frame.kind(), Kind::Metadata);
/// assert_eq!(frame.bodies().as_ref(), b"body");
/// assert!(Frame::decode(&stored[..stored.len() - 1]).is_err());
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Frame {
    kind: Kind,
    header: Bytes,
    bodies: Bytes,
}

impl Frame {
    /// The stored bytes of an object.
    pub fn encode(kind: Kind, header: &impl Serialize, bodies: &[&[u8]]) -> Result<Bytes> {
        let mut packer = Packer::default();
        for body in bodies {
            packer.write(body)?;
        }
        let parts = packer.seal(kind, header)?;
        let mut all = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
        for part in &parts {
            all.extend_from_slice(part);
        }
        Ok(all.freeze())
    }

    /// The object of these stored bytes: `Corrupt` if they are no whole frame, `Unsupported` if a newer version wrote them.
    pub fn decode(stored: &[u8]) -> Result<Self> {
        let prefix = Prefix::parse(stored)?;
        let payload = &stored[PREFIX..];
        prefix.check(stored, payload)?;
        let raw = if prefix.flags & COMPRESSED == 0 {
            Bytes::copy_from_slice(payload)
        } else {
            decompress(payload, prefix.raw_len)?.into()
        };
        if raw.len() as u64 != prefix.raw_len || u64::from(prefix.header_len) > prefix.raw_len {
            return Err(corrupt("its lengths contradict each other"));
        }
        let header_len = usize::try_from(prefix.header_len).map_err(|_| corrupt("its header is too long"))?;
        Ok(Self { kind: prefix.kind, header: raw.slice(..header_len), bodies: raw.slice(header_len..) })
    }

    /// What the object is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The JSON header, as stored.
    pub fn header_json(&self) -> &[u8] {
        &self.header
    }

    /// The bytes after the header.
    pub fn bodies(&self) -> &Bytes {
        &self.bodies
    }

    /// The header as a value; `Corrupt` if it is not of this shape.
    pub fn header<T: DeserializeOwned>(&self, kind: Kind) -> Result<T> {
        if self.kind != kind {
            return Err(corrupt("it is an object of another kind")
                .with_expected(format_args!("{kind:?}"), format_args!("{:?}", self.kind)));
        }
        serde_json::from_slice(&self.header).map_err(|error| corrupt("its header cannot be read").with_source(error))
    }
}

// Bodies are the user's own and may be large, and a header holds ids: only lengths are shown.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.kind)
            .field("header", &self.header.len())
            .field("bodies", &self.bodies.len())
            .finish()
    }
}

/// The first 64 bytes.
struct Prefix {
    kind: Kind,
    flags: u8,
    header_len: u32,
    raw_len: u64,
    stored_len: u64,
    checksum: Hash,
}

impl Prefix {
    fn parse(stored: &[u8]) -> Result<Self> {
        let fixed: &[u8; PREFIX] =
            stored.get(..PREFIX).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| corrupt("it is cut short"))?;
        if fixed[..8] != MAGIC {
            return Err(corrupt("it does not begin as our objects do"));
        }
        let version = u16::from_le_bytes([fixed[8], fixed[9]]);
        if version == 0 {
            return Err(corrupt("it is of version 0, which never was"));
        }
        if version > FORMAT_VERSION {
            return Err(newer("a newer version of longshore wrote it").with_expected(FORMAT_VERSION, version));
        }
        if fixed[11] & !COMPRESSED != 0 {
            return Err(newer("it is compressed or encrypted in a way this version does not know"));
        }
        let kind = Kind::from_code(fixed[10]).ok_or_else(|| newer("it is of a kind this version does not know"))?;
        Ok(Self {
            kind,
            flags: fixed[11],
            header_len: u32::from_le_bytes(array(&fixed[12..16])),
            raw_len: u64::from_le_bytes(array(&fixed[16..24])),
            stored_len: u64::from_le_bytes(array(&fixed[24..32])),
            checksum: Hash::from_bytes(array(&fixed[32..64])),
        })
    }

    fn check(&self, stored: &[u8], payload: &[u8]) -> Result<()> {
        if self.stored_len != payload.len() as u64 {
            return Err(corrupt("it is cut short or has bytes too many").with_expected(self.stored_len, payload.len()));
        }
        if self.raw_len > self.kind.max_raw() {
            return Err(corrupt("it declares more bytes than such an object may have"));
        }
        if checksum(&stored[..32], [payload]) != self.checksum && !on(Mistake::ChecksumUnchecked) {
            return Err(corrupt("its checksum is wrong"));
        }
        Ok(())
    }
}

/// Builds a frame whose bodies come one by one and whose header is known last.
///
/// The header is one zstd frame; the bodies follow in frames of [`PIECE`] bytes each. A decoder sees one stream. Whole pieces are
/// compressed at once, which is much faster than a stream of small writes.
#[derive(Default)]
pub(super) struct Packer {
    piece: Vec<u8>,
    packed: Vec<u8>,
    raw_len: u64,
}

impl Packer {
    pub(super) fn write(&mut self, mut body: &[u8]) -> Result<()> {
        self.raw_len += body.len() as u64;
        if dense::is_dense(body).map_err(internal)? {
            self.flush()?;
            dense::pack(body, &mut self.packed);
            return Ok(());
        }
        while self.piece.len() + body.len() >= PIECE {
            let (now, later) = body.split_at(PIECE - self.piece.len());
            self.piece.extend_from_slice(now);
            self.flush()?;
            body = later;
        }
        self.piece.extend_from_slice(body);
        Ok(())
    }

    /// Compresses what was held back.
    pub(super) fn flush(&mut self) -> Result<()> {
        if !self.piece.is_empty() {
            self.packed.extend(contexts::compress(&self.piece).map_err(internal)?);
            self.piece.clear();
        }
        Ok(())
    }

    /// Body bytes so far.
    pub(super) fn raw_len(&self) -> u64 {
        self.raw_len
    }

    /// Compressed bytes so far, without those held back.
    pub(super) fn packed_len(&self) -> usize {
        self.packed.len()
    }

    /// The most bytes that the frame can have before its header, with so many body bytes more.
    pub(super) fn most_with(&self, more: u64) -> u64 {
        PREFIX as u64 + self.packed.len() as u64 + most_packed((self.piece.len() as u64).saturating_add(more))
    }

    /// The stored bytes, in pieces.
    pub(super) fn seal(mut self, kind: Kind, header: &impl Serialize) -> Result<Vec<Bytes>> {
        let json = serde_json::to_vec(header).map_err(|error| internal(io::Error::other(error)))?;
        self.flush()?;
        let bodies = self.packed;
        let head = contexts::compress(&json).map_err(internal)?;
        let raw_len = self.raw_len + json.len() as u64;
        let header_len = u32::try_from(json.len()).map_err(|_| too_large())?;
        if raw_len > kind.max_raw() {
            return Err(too_large());
        }
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.extend_from_slice(&MAGIC);
        prefix.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        prefix.extend_from_slice(&[kind.code(), COMPRESSED]);
        prefix.extend_from_slice(&header_len.to_le_bytes());
        prefix.extend_from_slice(&raw_len.to_le_bytes());
        prefix.extend_from_slice(&((head.len() + bodies.len()) as u64).to_le_bytes());
        let sum = checksum(&prefix, [&head, &bodies]);
        prefix.extend_from_slice(sum.as_bytes());
        Ok(vec![prefix.freeze(), head.into(), bodies.into()])
    }
}

/// The most bytes that so many become: what does not compress grows a little. zstd's own bound is the half of this.
pub(super) fn most_packed(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 128 + 256)
}

fn checksum<'a>(prefix: &[u8], parts: impl IntoIterator<Item = &'a (impl AsRef<[u8]> + ?Sized + 'a)>) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(prefix);
    for part in parts {
        hasher.update(part.as_ref());
    }
    Hash::from_bytes(*hasher.finalize().as_bytes())
}

/// At most `raw_len` bytes. Memory grows with what really comes out, not with what was declared.
fn decompress(payload: &[u8], raw_len: u64) -> Result<Vec<u8>> {
    let unreadable = |error: io::Error| corrupt("its compression is damaged").with_source(error);
    let likely = raw_len.min(payload.len() as u64 * 8 + 1);
    contexts::decompress(payload, raw_len.saturating_add(1), usize::try_from(likely).unwrap_or(0)).map_err(unreadable)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

fn newer(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

fn too_large() -> Error {
    Error::new(ErrorKind::Invalid, "this is more than one object can hold")
}

fn internal(error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, "compression failed").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Bytes {
        Frame::encode(Kind::Entry, &serde_json::json!({ "a": 1 }), &[b"one", b"two"]).unwrap()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let stored = sample();
        let frame = Frame::decode(&stored).unwrap();
        assert_eq!(frame.header_json(), br#"{"a":1}"#);
        assert_eq!(frame.bodies().as_ref(), b"onetwo");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let stored = sample();
        for bit in 0..stored.len() * 8 {
            let mut bad = stored.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let stored = sample();
        for len in 0..stored.len() {
            assert_eq!(Frame::decode(&stored[..len]).unwrap_err().kind(), ErrorKind::Corrupt, "cut at {len}");
        }
    }

    /// A frame that declares little and holds much: the decoder stops at what was declared.
    #[test]
    fn a_bomb_stays_small() {
        let bomb = zstd::bulk::compress(&vec![0; 32 << 20], 19).unwrap();
        let raw = decompress(&bomb, 1000).unwrap();
        assert_eq!(raw.len(), 1001);
    }

    #[test]
    fn a_newer_version_is_unsupported_not_corrupt() {
        let mut stored = sample().to_vec();
        stored[8] = 2;
        assert_eq!(Frame::decode(&stored).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn version_0_is_corrupt_not_newer() {
        let mut stored = sample().to_vec();
        stored[8] = 0;
        assert_eq!(Frame::decode(&stored).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn any_payload_behind_a_true_checksum_gives_a_value_or_an_error(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            kind in 0_u8..8,
            flags in 0_u8..3,
            header_len: u32,
            raw_len: u64,
        ) {
            let mut stored = Vec::from(MAGIC);
            stored.extend_from_slice(&1_u16.to_le_bytes());
            stored.extend_from_slice(&[kind, flags]);
            stored.extend_from_slice(&header_len.to_le_bytes());
            stored.extend_from_slice(&raw_len.to_le_bytes());
            stored.extend_from_slice(&(payload.len() as u64).to_le_bytes());
            let sum = checksum(&stored, [&payload]);
            stored.extend_from_slice(sum.as_bytes());
            stored.extend_from_slice(&payload);
            let _ = Frame::decode(&stored);
        }
    }
}

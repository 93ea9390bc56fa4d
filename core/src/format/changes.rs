//! Batches of changes: headers in JSON, bodies behind them in the same order.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frame::{self, Kind, Packer};
use super::record::{SegmentRef, decode_record};
use super::{MAX_INLINE, SEGMENT_TARGET};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Action, Base, Change, DocumentId, Hash, Revision};
use crate::storage::ObjectKey;

/// Body bytes at which a segment is closed although it compresses well: readers hold one whole.
const MAX_RAW: u64 = 64 << 20;
/// Body bytes that an entry holds itself at the most.
const MAX_INLINE_RAW: u64 = 8 << 20;
/// Bytes of ids and revisions at which a segment is closed, and that an entry holds at the most: headers are held whole.
const MAX_NAMES: usize = 8 << 20;
const MAX_INLINE_NAMES: usize = 256 << 10;
/// What a change's header has beside its id and revisions, about.
const NAME_OVERHEAD: usize = 16;
/// The most that a change's header has beside its id and revisions, in JSON,
const HEADER_MOST: u64 = 192;
/// and the most that one byte of those becomes there.
const ESCAPED_MOST: u64 = 6;
/// The most that an entry's or a segment's header has beside its changes.
const RECORD_MOST: u64 = 2 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Put,
    Delete,
}

/// One change as it stands in a header.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeHeader {
    id: DocumentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<Revision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    action: Verb,
    #[serde(default, skip_serializing_if = "is_zero")]
    length: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(length: &u64) -> bool {
    *length == 0
}

impl ChangeHeader {
    pub(super) fn of(change: &Change) -> Self {
        Self {
            id: change.id.clone(),
            revision: change.revision.clone(),
            base: change.base.clone(),
            action: if change.action.is_delete() { Verb::Delete } else { Verb::Put },
            length: change.action.len() as u64,
        }
    }

    fn with_body(self, body: Bytes) -> Change {
        let action = match self.action {
            Verb::Put => Action::Put(body),
            Verb::Delete => Action::Delete,
        };
        Change { id: self.id, revision: self.revision, base: self.base, action }
    }
}

/// Puts headers and bodies together; `Corrupt` unless the lengths add up to all bodies.
pub(super) fn assemble(headers: Vec<ChangeHeader>, bodies: &Bytes) -> Result<Vec<Change>> {
    let wrong = || Error::new(ErrorKind::Corrupt, "the lengths of its changes do not add up");
    let mut rest = bodies.clone();
    let mut changes = Vec::with_capacity(headers.len());
    for header in headers {
        let length = usize::try_from(header.length).ok().filter(|length| *length <= rest.len()).ok_or_else(wrong)?;
        if header.action == Verb::Delete && length > 0 {
            return Err(wrong());
        }
        changes.push(header.with_body(rest.split_to(length)));
    }
    if rest.is_empty() { Ok(changes) } else { Err(wrong()) }
}

fn revision_len(revision: Option<&Revision>) -> usize {
    revision.map_or(0, |revision| revision.as_str().len())
}

/// Bytes of a change's header, about.
fn names_len(change: &Change) -> usize {
    let base = change.base.as_ref().map_or(0, |base| revision_len(base.revision.as_ref()));
    NAME_OVERHEAD + change.id.as_str().len() + revision_len(change.revision.as_ref()) + base
}

#[derive(Serialize, Deserialize)]
struct SegmentHeader {
    key: String,
    changes: Vec<ChangeHeader>,
}

/// The changes of the segment stored under `key`.
pub(crate) fn decode_segment(key: &ObjectKey, stored: &[u8]) -> Result<Vec<Change>> {
    let (header, bodies): (SegmentHeader, _) = decode_record(Kind::Segment, key, stored)?;
    assemble(header.changes, &bodies).map_err(|error| error.with_key(key))
}

/// Changes as the bytes of a segment under `key`.
pub(crate) fn encode_segment(key: &ObjectKey, changes: Vec<Change>) -> Result<Bytes> {
    let mut batcher = Batcher::new(u64::MAX);
    changes.into_iter().try_for_each(|change| batcher.push(change))?;
    Ok(batcher.seal(key.clone())?.parts.concat().into())
}

/// Gathers changes until they fill a segment. Bodies are compressed as they come and not kept.
pub(crate) struct Batcher {
    packer: Packer,
    headers: Vec<ChangeHeader>,
    /// Bytes of the headers, about.
    names: usize,
    /// The changes themselves, as long as they may still fit into an entry.
    inline: Option<Vec<Change>>,
    /// The most bytes that the storage takes as one object.
    limit: u64,
}

/// A segment ready to be stored.
pub(crate) struct SealedSegment {
    pub(crate) key: ObjectKey,
    pub(crate) parts: Vec<Bytes>,
    pub(crate) reference: SegmentRef,
    /// The document of its only change; none if it has several.
    pub(crate) only: Option<DocumentId>,
}

impl Batcher {
    /// A new one, for objects of at most `limit` bytes: only a change that is alone in its segment can be larger.
    pub(crate) fn new(limit: u64) -> Self {
        Self { packer: Packer::default(), headers: Vec::new(), names: 0, inline: Some(Vec::new()), limit }
    }

    pub(crate) fn push(&mut self, change: Change) -> Result<()> {
        self.names += names_len(&change);
        self.headers.push(ChangeHeader::of(&change));
        if let Some(body) = change.action.body() {
            self.packer.write(body)?;
        }
        if !self.fits_inline() {
            self.inline = None;
        }
        if let Some(inline) = &mut self.inline {
            inline.push(change);
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Whether a segment that begun can take this change too. A new one takes any.
    pub(crate) fn has_room_for(&self, change: &Change) -> bool {
        let (body, names) = (change.action.len() as u64, names_len(change));
        self.is_empty() || self.packer.raw_len() + body <= MAX_RAW && self.most(body, names, 1) <= self.limit
    }

    /// Whether a segment is full.
    pub(crate) fn is_full(&self) -> bool {
        self.packer.packed_len() >= SEGMENT_TARGET
            || self.packer.raw_len() >= MAX_RAW
            || self.names >= MAX_NAMES
            || self.most(0, 0, 0) >= self.limit
    }

    /// The most bytes that these changes and some more can become as one object, however badly they compress.
    fn most(&self, bodies: u64, names: usize, changes: u64) -> u64 {
        let header = (self.names + names) as u64 * ESCAPED_MOST + (self.headers.len() as u64 + changes) * HEADER_MOST;
        self.packer.most_with(bodies) + frame::most_packed(header + RECORD_MOST)
    }

    fn fits_inline(&self) -> bool {
        self.most(0, 0, 0) <= self.limit
            && self.packer.packed_len() <= MAX_INLINE
            && self.packer.raw_len() <= MAX_INLINE_RAW
            && self.names <= MAX_INLINE_NAMES
    }

    /// The changes themselves, if they are few enough for an entry.
    pub(crate) fn take_inline(&mut self) -> Result<Option<Vec<Change>>> {
        self.packer.flush()?;
        Ok(if self.fits_inline() { self.inline.take() } else { None })
    }

    pub(crate) fn seal(self, key: ObjectKey) -> Result<SealedSegment> {
        let only = if let [header] = &self.headers[..] { Some(header.id.clone()) } else { None };
        let header = SegmentHeader { key: key.to_string(), changes: self.headers };
        let parts = self.packer.seal(Kind::Segment, &header)?;
        let mut hasher = blake3::Hasher::new();
        for part in &parts {
            hasher.update(part);
        }
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let hash = Hash::from_bytes(*hasher.finalize().as_bytes());
        let reference = SegmentRef { name: key.to_string(), length, hash };
        Ok(SealedSegment { key, parts, reference, only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Document;

    /// A segment that is nearly full must not take a document of a gigabyte: together they are more than one object holds.
    #[test]
    fn a_nearly_full_segment_is_closed_before_a_large_document() {
        let put = |id: &str, len: usize| Change::put(Document::new(id, vec![0; len]).unwrap());
        let mut batcher = Batcher::new(u64::MAX);
        let large = put("large", 1 << 20);
        assert!(batcher.has_room_for(&large), "a new one takes any");
        let nearly = usize::try_from(MAX_RAW).unwrap() - 1;
        batcher.push(put("nearly", nearly)).unwrap();
        assert!(!batcher.is_full() && !batcher.has_room_for(&large));
        assert!(batcher.has_room_for(&put("small", 1)));
    }

    /// Noise in bodies and the worst of names in headers: whatever is cut by the bound keeps it once it is sealed.
    #[test]
    fn no_segment_of_several_changes_is_above_the_limit() {
        let limit = 300 << 10;
        let mut reader = blake3::Hasher::new().finalize_xof();
        let mut sealed = Vec::new();
        let mut batcher = Batcher::new(limit);
        let close = |batcher: &mut Batcher| std::mem::replace(batcher, Batcher::new(limit));
        for number in 0..400_usize {
            let mut body = vec![0; (number * 7919) % (64 << 10)];
            reader.fill(&mut body);
            let id = format!("{number}{}", "\u{1}".repeat(number % 900));
            let change = Change::put(Document::new(id.as_str(), body).unwrap());
            if !batcher.has_room_for(&change) {
                sealed.push(close(&mut batcher));
            }
            batcher.push(change).unwrap();
            if batcher.is_full() {
                sealed.push(close(&mut batcher));
            }
        }
        let key = ObjectKey::new("domains/main/segments/0/x").unwrap();
        let lengths: Vec<u64> =
            sealed.into_iter().map(|batcher| batcher.seal(key.clone()).unwrap().reference.length).collect();
        assert!(lengths.iter().all(|length| *length <= limit), "{lengths:?}");
        assert!(lengths.iter().sum::<u64>() / lengths.len() as u64 > limit / 3, "they are well filled: {lengths:?}");
    }
}

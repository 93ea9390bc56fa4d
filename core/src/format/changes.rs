//! Batches of changes: headers in JSON, bodies behind them in the same order.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frame::{Kind, Packer};
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

/// Gathers changes until they fill a segment. Bodies are compressed as they come and not kept.
pub(crate) struct Batcher {
    packer: Packer,
    headers: Vec<ChangeHeader>,
    /// Bytes of the headers, about.
    names: usize,
    /// The changes themselves, as long as they may still fit into an entry.
    inline: Option<Vec<Change>>,
}

/// A segment ready to be stored.
pub(crate) struct SealedSegment {
    pub(crate) key: ObjectKey,
    pub(crate) parts: Vec<Bytes>,
    pub(crate) reference: SegmentRef,
}

impl Batcher {
    pub(crate) fn new() -> Self {
        Self { packer: Packer::default(), headers: Vec::new(), names: 0, inline: Some(Vec::new()) }
    }

    pub(crate) fn push(&mut self, change: Change) -> Result<()> {
        self.names += NAME_OVERHEAD + change.id.as_str().len() + revision_len(change.revision.as_ref());
        self.names += change.base.as_ref().map_or(0, |base| revision_len(base.revision.as_ref()));
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
        self.is_empty() || self.packer.raw_len() + change.action.len() as u64 <= MAX_RAW
    }

    /// Whether a segment is full.
    pub(crate) fn is_full(&self) -> bool {
        self.packer.packed_len() >= SEGMENT_TARGET || self.packer.raw_len() >= MAX_RAW || self.names >= MAX_NAMES
    }

    fn fits_inline(&self) -> bool {
        self.packer.packed_len() <= MAX_INLINE
            && self.packer.raw_len() <= MAX_INLINE_RAW
            && self.names <= MAX_INLINE_NAMES
    }

    /// The changes themselves, if they are few enough for an entry.
    pub(crate) fn take_inline(&mut self) -> Result<Option<Vec<Change>>> {
        self.packer.flush()?;
        Ok(if self.fits_inline() { self.inline.take() } else { None })
    }

    pub(crate) fn seal(self, key: ObjectKey) -> Result<SealedSegment> {
        let header = SegmentHeader { key: key.to_string(), changes: self.headers };
        let parts = self.packer.seal(Kind::Segment, &header)?;
        let mut hasher = blake3::Hasher::new();
        for part in &parts {
            hasher.update(part);
        }
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let hash = Hash::from_bytes(*hasher.finalize().as_bytes());
        let reference = SegmentRef { name: key.to_string(), length, hash };
        Ok(SealedSegment { key, parts, reference })
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
        let mut batcher = Batcher::new();
        let large = put("large", 1 << 20);
        assert!(batcher.has_room_for(&large), "a new one takes any");
        let nearly = usize::try_from(MAX_RAW).unwrap() - 1;
        batcher.push(put("nearly", nearly)).unwrap();
        assert!(!batcher.is_full() && !batcher.has_room_for(&large));
        assert!(batcher.has_room_for(&put("small", 1)));
    }
}

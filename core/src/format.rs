//! What lies on the server: the bytes of every object, and their names. `docs/format.md` has it to the byte.
//!
//! Decoding is total: any bytes give a value or `Corrupt` (or `Unsupported`, from a newer version), within bounded memory.

mod changes;
mod contexts;
mod dense;
mod frame;
mod layout;
mod record;
mod snapshot;

pub(crate) use changes::{Batcher, SealedSegment, decode_segment, encode_segment};
pub use frame::{Frame, Kind};
pub(crate) use layout::Layout;
pub use record::{EntryHeader, FormatHeader, LeaseHeader, LeaseKind, MetadataHeader, SegmentRef};
pub(crate) use record::{decode_entry, decode_known, decode_record, encode_entry, encode_record};
pub use snapshot::{DocumentsDigest, IndexHeader, MARK_EVERY, Mark, SnapshotClient, SnapshotEntry, SnapshotHeader};

/// The version of the format that this library writes, and the newest it reads.
pub const FORMAT_VERSION: u16 = 1;

/// The most bytes a created-once object has, stored: 1 MiB.
pub const MAX_RECORD: u64 = 1 << 20;

/// The most bytes a segment has, stored: one document of a gigabyte, and some.
pub const MAX_SEGMENT: u64 = (1 << 30) + (128 << 20);

/// Changes whose compressed bytes reach this go into segments instead of the entry: 512 KiB.
pub const MAX_INLINE: usize = 512 << 10;

/// The compressed bytes at which a segment is closed: 8 MiB.
pub const SEGMENT_TARGET: usize = 8 << 20;

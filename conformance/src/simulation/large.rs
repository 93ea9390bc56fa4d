//! Bodies that do not fit into an entry, and those that do not fit into any object that the storage takes.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::dice::Dice;

/// The most bytes that one object may have over a storage that takes small ones only. A real one takes more; so small are the
/// bodies that need several objects.
pub(super) const LIMIT: u64 = 64 << 10;
/// More than an entry holds.
const SIZE: usize = 560 << 10;
/// More than half of what such a storage takes, and more than all.
const PART: usize = 40 << 10;
const TOO_LARGE: usize = 100 << 10;

/// A body that needs a segment, over a storage with or without a limit.
pub(super) fn body(number: u64, limit: Option<u64>) -> Bytes {
    noise(number, if limit.is_some() { PART } else { SIZE })
}

/// A body that no object below the limit can hold.
pub(super) fn too_large(number: u64) -> Bytes {
    noise(number, TOO_LARGE)
}

/// So many bytes and some that no compression makes fewer: each body has a beginning of its own.
fn noise(number: u64, size: usize) -> Bytes {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut dice = Dice::new(560);
        std::iter::repeat_with(|| dice.next().to_le_bytes()).take(SIZE / 8).flatten().collect()
    });
    let mut body = format!("large {number} ").into_bytes();
    body.extend_from_slice(&noise[..size]);
    body.into()
}

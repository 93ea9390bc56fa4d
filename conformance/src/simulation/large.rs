//! Bodies that do not fit into an entry.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::dice::Dice;

const SIZE: usize = 560 << 10;

/// A body of 560 KiB and some that no compression makes smaller: each has a beginning of its own.
pub(super) fn body(number: u64) -> Bytes {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut dice = Dice::new(560);
        std::iter::repeat_with(|| dice.next().to_le_bytes()).take(SIZE / 8).flatten().collect()
    });
    let mut body = format!("large {number} ").into_bytes();
    body.extend_from_slice(noise);
    body.into()
}

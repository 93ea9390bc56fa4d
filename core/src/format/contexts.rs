//! Zstd with contexts that are used again: making one costs more than packing a small object with it.
//!
//! They are not kept per thread. A runtime has many threads, each would come by an object sooner or later, and then each would hold
//! a megabyte for ever. All threads share a few instead: at most [`IDLE`] of a kind wait, of at most [`LARGEST`] bytes each, however
//! many threads there are and however many objects were in work at once. What is over that is freed after its use. A device that
//! syncs one store keeps one of each kind.

use std::io;
use std::sync::{Mutex, PoisonError};

use zstd::bulk::Compressor;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

const LEVEL: i32 = 3;
/// The largest window a reader grants: 8 MiB. Writers at our level use 2 MiB at most.
const WINDOW_LOG_MAX: u32 = 23;
/// Bytes by which a buffer grows at least.
const MORE: usize = 64 << 10;
/// How many of a kind wait. More would help only while more objects than this are packed at the same moment.
const IDLE: usize = 4;
/// The largest context that waits, in bytes. A larger one has just done so much work that a new one hardly counts beside it.
const LARGEST: usize = 1536 << 10;

static COMPRESSORS: Shelf<Compressor<'static>> = Shelf::new();
static DECOMPRESSORS: Shelf<DCtx<'static>> = Shelf::new();

/// These bytes as one zstd frame. It does not depend on what was compressed before.
pub(super) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSORS.compress(bytes)
}

/// What these zstd frames hold, at most `limit` bytes of it, in a buffer that has room for `likely` bytes at first.
pub(super) fn decompress(frames: &[u8], limit: u64, likely: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSORS.decompress(frames, limit, likely)
}

fn failed(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}

/// Where contexts wait. One whose use failed does not come back.
struct Shelf<T>(Mutex<Vec<T>>);

impl<T> Shelf<T> {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps it, or frees it if it is too large or enough are here.
    fn give_back(&self, context: T, size: usize) {
        if size > LARGEST {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(context);
        }
    }
}

impl Shelf<Compressor<'static>> {
    fn compress(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut compressor = self.take().map_or_else(|| Compressor::new(LEVEL), Ok)?;
        let packed = compressor.compress(bytes)?;
        let size = compressor.context_mut().sizeof();
        self.give_back(compressor, size);
        Ok(packed)
    }
}

impl Shelf<DCtx<'static>> {
    fn decompress(&self, frames: &[u8], limit: u64, likely: usize) -> io::Result<Vec<u8>> {
        let mut context = self.take().unwrap_or_else(DCtx::create);
        // This drops what an earlier use may have left in it.
        context.reset(ResetDirective::SessionAndParameters).map_err(failed)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(failed)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut raw, mut input) = (Vec::with_capacity(likely.min(limit)), InBuffer::around(frames));
        let mut left = 0;
        while raw.len() < limit && (left > 0 || input.pos() < frames.len()) {
            if raw.len() == raw.capacity() {
                raw.reserve_exact(raw.len().max(MORE).min(limit - raw.len()));
            }
            let before = (raw.len(), input.pos());
            // Where there is room for a whole frame, it is unpacked right into it.
            let mut output = OutBuffer::around_pos(&mut raw, before.0);
            left = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
            if (raw.len(), input.pos()) == before {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        raw.truncate(limit);
        let size = context.sizeof();
        self.give_back(context, size);
        Ok(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that compresses a little, so that the tables of a context fill up.
    fn sample(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut step = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        std::iter::repeat_with(|| format!("{} ", step() % 5000)).flat_map(String::into_bytes).take(len).collect()
    }

    #[test]
    fn a_used_context_gives_the_bytes_of_a_new_one() {
        let (compressors, decompressors) = (Shelf::new(), Shelf::new());
        let lengths = [0, 1, 70, 400, 3000, 20_000, 200_000, 2 << 20];
        for round in 0..40 {
            let bytes = sample(round / 2, lengths[usize::try_from(round * 5 + 3).unwrap() % lengths.len()]);
            let fresh = Compressor::new(LEVEL).unwrap().compress(&bytes).unwrap();
            assert_eq!(compressors.compress(&bytes).unwrap(), fresh, "round {round}");
            assert_eq!(decompressors.decompress(&fresh, u64::MAX, 0).unwrap(), bytes, "round {round}");
        }
    }

    /// One is left in the middle of a frame, one meets damage.
    #[test]
    fn what_ended_early_leaves_nothing_behind() {
        let bytes = sample(1, 300_000);
        let packed = Compressor::new(LEVEL).unwrap().compress(&bytes).unwrap();
        let shelf = Shelf::new();
        for _ in 0..10 {
            assert_eq!(shelf.decompress(&packed, 1000, 0).unwrap(), bytes[..1000]);
            assert_eq!(shelf.decompress(&packed, u64::MAX, 0).unwrap(), bytes);
            assert!(shelf.decompress(&packed[..packed.len() - 1], u64::MAX, 0).is_err());
            assert_eq!(shelf.decompress(&packed, u64::MAX, 0).unwrap(), bytes);
        }
    }

    #[test]
    fn few_wait_and_none_that_is_large() {
        let shelf = Shelf::new();
        (0..100).for_each(|number| shelf.give_back(number, LARGEST));
        assert_eq!(std::iter::from_fn(|| shelf.take()).count(), IDLE);
        shelf.give_back(1, LARGEST + 1);
        assert_eq!(shelf.take(), None);
    }

    #[test]
    fn what_packs_our_pieces_is_used_again_and_what_unpacked_a_large_one_is_freed() {
        let (compressors, decompressors) = (Shelf::new(), Shelf::new());
        for (len, kept) in [(500, true), (20_000, true), (2 << 20, false)] {
            let bytes = sample(2, len);
            let packed = compressors.compress(&bytes).unwrap();
            let compressor = compressors.take().unwrap();
            compressors.give_back(compressor, 0);
            assert_eq!(decompressors.decompress(&packed, u64::MAX, 0).unwrap(), bytes);
            assert_eq!(decompressors.take().is_some(), kept, "{len} bytes");
            assert_eq!(decompressors.decompress(&packed, u64::MAX, len).unwrap(), bytes);
            assert!(decompressors.take().is_some(), "into {len} bytes of room");
        }
    }
}

//! Bodies that do not compress, such as pictures and archives: found out by a sample, and stored in zstd frames of raw blocks. To
//! learn it by compressing them takes as long as all the rest of a push.

use std::io;

use super::contexts;

/// Smaller bodies are not worth the look: together with others they may compress yet.
const SMALLEST: usize = 64 << 10;
/// Of every so many bytes a few are looked at.
const STRIDE: usize = 64 << 10;
const LOOK: usize = 2 << 10;
/// A body is dense if compression saves less than this part of its sample.
const WORTH_IT: usize = 64;
/// Body bytes of one frame: a reader may hold a frame's window whole.
const FRAME: usize = 2 << 20;
/// The most bytes of a block (RFC 8878, section 3.1.1.2.4).
const BLOCK: usize = 128 << 10;
/// Bytes before a frame's blocks, and before each block.
const FRAME_HEADER: usize = 9;
const BLOCK_HEADER: usize = 3;

/// Whether a sample says that compression is in vain.
pub(super) fn is_dense(body: &[u8]) -> io::Result<bool> {
    if body.len() < SMALLEST {
        return Ok(false);
    }
    let sample = body.chunks(STRIDE).map(|chunk| &chunk[..chunk.len().min(LOOK)]).collect::<Vec<_>>().concat();
    let packed = contexts::compress(&sample)?.len();
    Ok(packed + sample.len() / WORTH_IT > sample.len())
}

/// Appends the body as zstd frames that hold it as it is (RFC 8878, section 3.1.1).
///
/// Room is made once: grown bit by bit, a gigabyte would be copied often, and held twice.
pub(super) fn pack(body: &[u8], packed: &mut Vec<u8>) {
    packed.reserve(packed_len(body.len()));
    for content in body.chunks(FRAME) {
        packed.extend_from_slice(&[0x28, 0xb5, 0x2f, 0xfd]);
        // One segment, whose length follows in four bytes.
        packed.push(0b1010_0000);
        packed.extend_from_slice(&word(content.len()));
        let last = content.len().div_ceil(BLOCK) - 1;
        for (number, block) in content.chunks(BLOCK).enumerate() {
            let header = word(block.len() << 3 | usize::from(number == last));
            packed.extend_from_slice(&header[..BLOCK_HEADER]);
            packed.extend_from_slice(block);
        }
    }
}

/// Exactly as many bytes as a body of this length becomes. Frames are whole numbers of blocks.
const fn packed_len(len: usize) -> usize {
    len + len.div_ceil(FRAME) * FRAME_HEADER + len.div_ceil(BLOCK) * BLOCK_HEADER
}

/// The low four bytes.
fn word(number: usize) -> [u8; 4] {
    let [a, b, c, d, ..] = (number as u64).to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn what_is_packed_is_zstd() {
        for len in [1, BLOCK - 1, BLOCK, BLOCK + 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + BLOCK + 7] {
            let (bytes, mut packed) = (random(len), Vec::new());
            pack(&bytes, &mut packed);
            assert!(packed.len() <= len + 32 + len / 10_000, "{len}: {}", packed.len());
            assert_eq!((packed_len(len), packed.capacity()), (packed.len(), packed.len()), "{len}: room is made once");
            assert!(contexts::decompress(&packed, u64::MAX, 0).unwrap() == bytes, "{len}");
        }
    }

    #[test]
    fn a_sample_tells() {
        let noise = random(3 << 20);
        assert!(is_dense(&noise).unwrap());
        assert!(!is_dense(&noise[..SMALLEST - 1]).unwrap(), "small ones are left to the compressor");
        let text: Vec<u8> = noise.iter().map(|byte| b"etaoin shrdlu cm"[usize::from(byte & 15)]).collect();
        assert!(!is_dense(&text).unwrap());
        // A tenth of it is text.
        let mut mixed = noise;
        mixed.chunks_mut(STRIDE).step_by(10).for_each(|chunk| chunk.fill(b' '));
        assert!(!is_dense(&mixed).unwrap());
    }
}

//! What every choice comes from.

use bytes::Bytes;

/// Seeded dice: the same seed throws the same numbers, on every machine.
///
/// ```
/// use longshore_conformance::simulation::Dice;
///
/// let (mut one, mut other) = (Dice::new(7), Dice::new(7));
/// assert_eq!(one.next(), other.next());
/// assert!(one.below(6) < 6);
/// ```
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice for one purpose: the same seed and purpose give the same choices.
    pub(crate) fn for_purpose(seed: u64, purpose: &str) -> Self {
        let fold = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, fold))
    }

    /// The next number (`SplitMix64`).
    #[expect(
        clippy::should_implement_trait,
        reason = "dice never run out, so an iterator's `Option` would say nothing"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// An index into something of this length.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// At most `count` of these, spread evenly over the list; where the first lies, the dice say.
    pub(crate) fn sample<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        if of.len() <= count {
            return of.to_vec();
        }
        let phase = self.index(of.len());
        (0..count).map(|at| of[(phase + at * of.len() / count) % of.len()].clone()).collect()
    }
}

/// That many bytes that no compressor makes smaller; the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Bytes {
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_distinct_and_follow_the_seed() {
        let all: Vec<u32> = (0..100).collect();
        let sample = Dice::for_purpose(7, "test").sample(&all, 30);
        assert_eq!(sample, Dice::for_purpose(7, "test").sample(&all, 30));
        let distinct: std::collections::BTreeSet<u32> = sample.into_iter().collect();
        assert_eq!(distinct.len(), 30);
        assert_eq!(Dice::for_purpose(7, "test").sample(&all, 100), all);
    }
}

//! Choices that come from a seed.

/// `SplitMix64`: small, seeded, good enough to choose by.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for one purpose: the same seed and purpose give the same choices.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let fold = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, fold))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// At most `count` of these, spread evenly over the list; where the first lies, the dice say.
    pub(crate) fn sample<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        if of.len() <= count {
            return of.to_vec();
        }
        let phase = self.below(of.len());
        (0..count).map(|at| of[(phase + at * of.len() / count) % of.len()].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_distinct_and_follow_the_seed() {
        let all: Vec<u32> = (0..100).collect();
        let sample = Dice::new(7, "test").sample(&all, 30);
        assert_eq!(sample, Dice::new(7, "test").sample(&all, 30));
        let distinct: std::collections::BTreeSet<u32> = sample.into_iter().collect();
        assert_eq!(distinct.len(), 30);
        assert_eq!(Dice::new(7, "test").sample(&all, 100), all);
    }
}

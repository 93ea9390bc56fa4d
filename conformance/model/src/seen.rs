//! The fingerprints of the states that were visited, each with the fingerprint that it was first reached from.

/// An open-addressed table: 16 bytes a place, at most two thirds full. A million states are 24 to 48 MB.
pub(crate) struct Seen {
    /// Fingerprint and parent; a fingerprint of 0 is an empty place.
    places: Vec<(u64, u64)>,
    len: usize,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self { places: vec![(0, 0); 1 << 12], len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether it was not there yet.
    pub(crate) fn insert(&mut self, print: u64, parent: u64) -> bool {
        let at = self.place(print);
        if self.places[at].0 == print {
            return false;
        }
        self.places[at] = (print, parent);
        self.len += 1;
        if self.len * 3 > self.places.len() * 2 {
            self.grow();
        }
        true
    }

    pub(crate) fn parent(&self, print: u64) -> Option<u64> {
        let (found, parent) = self.places[self.place(print)];
        (found == print).then_some(parent)
    }

    /// Where this fingerprint is, or would be.
    fn place(&self, print: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut at = usize::try_from(print & (mask as u64)).unwrap_or(0);
        while self.places[at].0 != 0 && self.places[at].0 != print {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let larger = vec![(0, 0); self.places.len() * 2];
        for (print, parent) in std::mem::replace(&mut self.places, larger) {
            if print != 0 {
                let at = self.place(print);
                self.places[at] = (print, parent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_known_with_its_first_parent() {
        let mut seen = Seen::new();
        for print in 1..100_000_u64 {
            assert!(seen.insert(print.wrapping_mul(0x9e37_79b9_7f4a_7c15), print));
        }
        for print in 1..100_000_u64 {
            assert!(!seen.insert(print.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0));
            assert_eq!(seen.parent(print.wrapping_mul(0x9e37_79b9_7f4a_7c15)), Some(print));
        }
        assert_eq!(seen.len(), 99_999);
    }
}

//! The checker: visits every state that a model can reach, breadth first, so that the first counterexample is a shortest one.
//!
//! A state that was visited is remembered by a fingerprint of 64 bits, not by itself. Two states of one fingerprint would be taken for
//! one: with ten million states, the chance that any two share one is about one in 370,000.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::seen::Seen;

/// What a model must say to be checked.
pub trait Model {
    /// Everything that can differ between two moments.
    type State: Clone + Hash;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// Adds every state that one step leads to.
    fn steps(&self, state: &Self::State, out: &mut Steps<Self::State>);

    /// The invariant that this state breaks, if it breaks one.
    fn broken(&self, state: &Self::State) -> Option<Broken>;
}

/// An invariant that does not hold, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Broken {
    /// Its number in the design: `I1` to `I11`.
    pub invariant: &'static str,
    /// What went wrong.
    pub what: &'static str,
}

impl Broken {
    /// `what` breaks `invariant`.
    pub const fn new(invariant: &'static str, what: &'static str) -> Self {
        Self { invariant, what }
    }
}

/// The steps out of a state.
pub struct Steps<S> {
    named: bool,
    found: Vec<(String, S)>,
}

impl<S> Steps<S> {
    /// Adds a step. It is named only when a counterexample is told.
    pub fn add(&mut self, name: impl FnOnce() -> String, state: S) {
        let name = if self.named { name() } else { String::new() };
        self.found.push((name, state));
    }

    /// Every step out of a state, with its name.
    pub fn of<M: Model<State = S>>(model: &M, state: &S) -> Vec<(String, S)> {
        let mut steps = Self { named: true, found: Vec::new() };
        model.steps(state, &mut steps);
        steps.found
    }
}

/// What came of a check.
#[derive(Debug)]
pub struct Outcome {
    /// States visited.
    pub states: usize,
    /// Steps from the beginning to the farthest of them.
    pub depth: usize,
    /// Whether every reachable state was visited.
    pub exhausted: bool,
    /// The shortest way to a broken invariant.
    pub counterexample: Option<Counterexample>,
}

/// A way to a broken invariant.
#[derive(Debug)]
pub struct Counterexample {
    /// What is broken at its end.
    pub broken: Broken,
    /// The steps, in order.
    pub steps: Vec<String>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "  {number:2}. {step}")?;
        }
        write!(f, "  => {}: {}", self.broken.invariant, self.broken.what)
    }
}

/// Visits states until all are seen, one breaks an invariant, or `limit` of them were visited.
pub fn check<M: Model>(model: &M, limit: usize) -> Outcome {
    let start = model.start();
    let mut search = Search { seen: Seen::new(), next: Vec::new() };
    search.seen.insert(fingerprint(&start), 0);
    let (mut layer, mut depth) = (vec![(fingerprint(&start), start)], 0);
    while !layer.is_empty() {
        for (from, state) in layer {
            if let Some((broken, last)) = search.visit(model, from, &state) {
                let steps = retrace(model, &search.seen, last);
                let counterexample = Some(Counterexample { broken, steps });
                return Outcome { states: search.seen.len(), depth: depth + 1, exhausted: false, counterexample };
            }
            if search.seen.len() > limit {
                return Outcome { states: search.seen.len(), depth, exhausted: false, counterexample: None };
            }
        }
        depth += usize::from(!search.next.is_empty());
        layer = std::mem::take(&mut search.next);
    }
    Outcome { states: search.seen.len(), depth, exhausted: true, counterexample: None }
}

/// What was visited, and what is to be visited in the next layer.
struct Search<S> {
    seen: Seen,
    next: Vec<(u64, S)>,
}

impl<S: Clone + Hash> Search<S> {
    /// Takes every step out of a state. What is broken after one of them, and that state's fingerprint.
    fn visit<M: Model<State = S>>(&mut self, model: &M, from: u64, state: &S) -> Option<(Broken, u64)> {
        let mut steps = Steps { named: false, found: Vec::new() };
        model.steps(state, &mut steps);
        for (_, state) in steps.found {
            let to = fingerprint(&state);
            if !self.seen.insert(to, from) {
                continue;
            }
            if let Some(broken) = model.broken(&state) {
                return Some((broken, to));
            }
            self.next.push((to, state));
        }
        None
    }
}

/// The names of the steps from the beginning to this fingerprint: its ancestors are known, so the way is walked once more.
fn retrace<M: Model>(model: &M, seen: &Seen, last: u64) -> Vec<String> {
    let mut way = vec![last];
    while let Some(from) = seen.parent(way[way.len() - 1]).filter(|&from| from != 0) {
        way.push(from);
    }
    let mut state = model.start();
    let mut names = Vec::new();
    for &wanted in way.iter().rev().skip(1) {
        let step = Steps::of(model, &state).into_iter().find(|(_, next)| fingerprint(next) == wanted);
        let Some((name, next)) = step else {
            names.push("(this step cannot be told: two states share a fingerprint)".to_owned());
            break;
        };
        names.push(name);
        state = next;
    }
    names
}

fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = Folding(0x9e37_79b9_7f4a_7c15);
    state.hash(&mut hasher);
    hasher.finish()
}

/// Folds each word in by a full multiplication. Fast, spread over all bits, and the same on every run.
struct Folding(u64);

impl Folding {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x2d35_8dcc_aa6c_78a5) * 0xa076_1d64_78bd_642f;
        let bytes = product.to_le_bytes();
        let half = |from: usize| u64::from_le_bytes(std::array::from_fn(|at| bytes[from + at]));
        self.0 = (self.0.rotate_left(23) ^ half(0) ^ half(8)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        let mut last = Folding(self.0);
        last.fold(self.0 >> 32);
        // 0 stands for "no parent".
        last.0.max(1)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.fold(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up by one or by two, and must not meet a number.
    struct Counter {
        forbidden: u8,
    }

    impl Model for Counter {
        type State = u8;

        fn start(&self) -> u8 {
            0
        }

        fn steps(&self, &state: &u8, out: &mut Steps<u8>) {
            for by in [1, 2] {
                if state + by <= 10 {
                    out.add(|| format!("+{by}"), state + by);
                }
            }
        }

        fn broken(&self, &state: &u8) -> Option<Broken> {
            (state == self.forbidden).then(|| Broken::new("I0", "met"))
        }
    }

    #[test]
    fn every_state_is_visited() {
        let outcome = check(&Counter { forbidden: 200 }, 1_000);
        assert!(outcome.exhausted && outcome.counterexample.is_none());
        assert_eq!((outcome.states, outcome.depth), (11, 5));
    }

    #[test]
    fn the_first_counterexample_is_a_shortest_one() {
        let found = check(&Counter { forbidden: 5 }, 1_000).counterexample.unwrap();
        assert_eq!(found.steps.len(), 3);
        assert!(found.to_string().ends_with("=> I0: met"));
    }
}

//! How a check is told.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Debug;

use longshore_model::{Model, Outcome, check};

/// More states than a bound may have: whoever raises one sees it end, and not the machine.
pub(crate) const LIMIT: usize = 60_000_000;

/// Whether the larger bounds were asked for.
pub(crate) fn full() -> bool {
    std::env::var("LONGSHORE_MODEL").is_ok_and(|size| size == "full")
}

#[allow(clippy::disallowed_types, reason = "the seconds are for people; nothing is decided by them")]
fn timed<M: Model>(model: &M, limit: usize) -> (Outcome, f32) {
    let start = std::time::Instant::now();
    let outcome = check(model, limit);
    (outcome, start.elapsed().as_secs_f32())
}

/// All rules on: every state within the bounds is visited, none breaks an invariant, and there are at least so many.
pub(crate) fn holds<M: Model + Debug>(name: &str, model: &M, least: usize) {
    let (outcome, seconds) = timed(model, LIMIT);
    let Outcome { states, depth, exhausted, counterexample } = outcome;
    println!("{name}: {states} states, {depth} steps deep, {seconds:.1} s");
    if let Some(found) = counterexample {
        panic!("{name}: a counterexample with all rules on\n{found}\nbounds: {model:?}");
    }
    assert!(exhausted, "{name}: not exhausted after {states} states");
    assert!(states >= least, "{name}: only {states} states, {least} were expected: the model has become trivial");
}

/// What is broken without some rules. Tells how.
pub(crate) fn breaks<M: Model>(removed: &[&str], model: &M, limit: usize) -> Option<&'static str> {
    let (outcome, seconds) = timed(model, limit);
    let states = outcome.states;
    let name = removed.join(" + ");
    match &outcome.counterexample {
        Some(found) => println!("without {name} ({states} states, {seconds:.1} s):\n{found}\n"),
        None if outcome.exhausted => println!("without {name}: no counterexample in {states} states, {seconds:.1} s\n"),
        None => {
            println!("without {name}: neither a counterexample nor the end after {states} states");
            return Some("no end");
        }
    }
    outcome.counterexample.map(|found| found.broken.invariant)
}

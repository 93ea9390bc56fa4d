//! The protocol of longshore as explicit-state models: what can happen when clients die at any step, replies are lost, writes land late,
//! machines sleep, replicas are copied and stores are replaced. Within bounds, every interleaving is visited.
//!
//! | part | what it models |
//! | --- | --- |
//! | [`log`] | opening, pulling, committing, conflicts; snapshots, the floor and trimming; clones, backups, replaced stores |
//! | [`garbage`] | segments, `collect` entries, the two steps of a snapshot, readers while all that runs |
//! | [`lease`] | grants, renewals and releases as numbered records; holders that sleep, watchers that wait |
//! | [`checker`] | visits the states; tells the shortest way to a broken invariant |
//!
//! Each model has `Rules`, a switch for each rule of the protocol. With all of them on no state within the bounds breaks an
//! invariant; the tests take each away and tell what happens then. The README has the bounds, and what is not modelled.

pub mod checker;
pub mod garbage;
pub mod lease;
pub mod log;
mod rules;
mod seen;

#[doc(inline)]
pub use checker::{Broken, Counterexample, Model, Outcome, Steps, check};

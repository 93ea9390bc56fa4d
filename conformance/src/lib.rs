//! The suite that every storage and every server of longshore must pass: what it does when calls are interrupted, replies are
//! lost, processes die and clocks are wrong.
//!
//! An adapter's whole test file, `tests/conformance.rs`, with `harness = false` in its manifest:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use longshore_conformance::{Harness, Scratch};
//! use longshore_core::{MemoryStorage, Storage};
//!
//! fn main() -> std::process::ExitCode {
//!     let shared = MemoryStorage::new();
//!     let open = move |_: Scratch| {
//!         let storage = shared.clone();
//!         async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
//!     };
//!     longshore_conformance::run(Harness::storage("memory", open).in_this_process())
//! }
//! ```
//!
//! | part | what it is |
//! | --- | --- |
//! | [`harness`] | what an author tells the suite about an adapter |
//! | [`case`](mod@case) | what a case is: its name, its rule, what it needs |
//! | [`suite`] | runs cases and says what came of each |
//! | [`verdict`] | what came of a case |
//! | [`report`] | the outcome as a table, as JSON and as `JUnit` XML |
//! | [`doctor`] | whether a store can hold data safely, answered in seconds |
//! | `proxy` | breaks connections on demand, for adapters that speak HTTP (feature `network`) |
//! | `meter` | counts what goes over the wire, for adapters that speak HTTP (feature `network`) |
//! | [`litter`] | removes what was written in a scratch place |
//! | [`faults`] | wrappers whose calls fail as networks, servers and processes do |
//! | [`simulation`] | random histories of several devices under faults, from a seed, with an oracle |
//! | [`clock`] | the runtime that cases give to servers and clients: its waits take no time |
//!
//! The suite follows semantic versions: a case that is new in a minor release warns until the next one, and fails from then on.

mod around;
mod aside;
pub mod case;
mod cases;
pub mod clock;
mod commands;
mod context;
#[cfg(feature = "crash")]
mod crash;
mod dice;
pub mod doctor;
pub mod faults;
pub mod harness;
mod health;
pub mod litter;
#[cfg(feature = "network")]
pub mod meter;
mod pace;
mod place;
#[cfg(feature = "crash")]
mod platform;
#[cfg(feature = "network")]
pub mod proxy;
mod release;
pub mod report;
mod runner;
pub mod simulation;
pub mod suite;
#[cfg(feature = "trials")]
mod trials;
pub mod verdict;

#[doc(inline)]
pub use case::{Case, Group, Need, Rule, Size};
#[doc(inline)]
pub use commands::Commands;
#[doc(inline)]
pub use harness::{Harness, Killable, Scratch, Site};
#[doc(inline)]
pub use suite::{CaseReport, Suite};
#[cfg(feature = "trials")]
pub use trials::run;
#[doc(inline)]
pub use verdict::Verdict;

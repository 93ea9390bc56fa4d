//! A small deterministic world: virtual time, seeded randomness, a storage that fails on demand, and devices that sync.
//!
//! Nothing here reads a clock or the system's randomness, so a seed gives the same run each time.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file is a crate of its own and uses its part")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test stops at what it did not expect")]

pub mod device;
pub mod fault;
pub mod forward;
pub mod forward_replica;
pub mod sim;
pub mod snapshot;
pub mod verdict;

pub use device::{Device, World, body};
pub use fault::Fault;
pub use forward::{Bend, Forward, RoundTrips};
pub use forward_replica::{BendReplica, ForwardReplica};
pub use sim::Rng;

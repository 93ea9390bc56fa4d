//! The sync engine: one client that moves a replica and a server towards each other.
//!
//! A sync opens the store, pulls what others committed, hands conflicts to the app, and pushes the outbox as one entry. It can
//! be dropped or killed at any moment; what it leaves behind is found in the journal and settled by the next one.

mod ahead;
mod boot;
mod client;
mod conflicts;
mod fate;
mod lease;
mod open;
mod options;
mod plan;
mod pull;
mod push;
mod report;
mod session;
mod state;

pub use client::{Client, ClientBuilder};
pub use conflicts::Resolver;
pub use options::{LockPolicy, OpenMode};
pub use plan::{Effect, Plan, Planned};
pub use report::{Observer, Phase, Progress, Status, SyncReport};

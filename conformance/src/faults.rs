//! Calls that fail in every way a network, a server or a process has: wrappers over any [`Storage`](longshore_core::Storage) and
//! any [`Server`](longshore_core::Server), for the cases of this suite and for the tests of your own app.
//!
//! A [`Plan`] belongs to one client and says which of its calls meets which [`Fault`]; it also writes down every call. Calls
//! count from 0 over the client's whole life, restarts included, since a new wrapper takes the same plan.
//!
//! ```
//! use std::sync::Arc;
//!
//! use longshore_conformance::clock::VirtualClock;
//! use longshore_conformance::faults::{Fault, FaultStorage, Plan};
//! use longshore_core::{Created, MemoryStorage, ObjectKey, Outcome, Storage};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let plan = Plan::new(&VirtualClock::new());
//! let storage = FaultStorage::new(Arc::new(MemoryStorage::new()), &plan);
//! plan.arm(0, Fault::After);
//!
//! let key = ObjectKey::new("records/one/data")?;
//! let error = storage.create(&key, "bytes".into()).await.expect_err("its reply is lost");
//! assert_eq!(error.outcome(), Outcome::Unknown);
//! assert_eq!(plan.met(), 1);
//! // It took effect all the same.
//! assert_eq!(storage.create(&key, "bytes".into()).await?.value, Created::Exists);
//! # Ok::<(), longshore_core::Error>(())
//! # })?;
//! # Ok::<(), longshore_core::Error>(())
//! ```
//!
//! A process that dies: the call never comes back, and [`Plan::alive`] says so.
//!
//! ```
//! use std::sync::Arc;
//!
//! use longshore_conformance::clock::VirtualClock;
//! use longshore_conformance::faults::{Fault, FaultStorage, Plan, When};
//! use longshore_core::{Client, Document, DomainName, MemoryReplica, MemoryStorage, StoredServer};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let clock = VirtualClock::new();
//! let (plan, shared, replica) = (Plan::new(&clock), MemoryStorage::new(), MemoryReplica::new());
//! let start = || {
//!     let storage = FaultStorage::new(Arc::new(shared.clone()), &plan);
//!     let server = StoredServer::new(Arc::new(storage), clock.runtime(), &DomainName::default())?;
//!     Ok::<_, longshore_core::Error>(
//!         Client::builder_on(clock.runtime(), Arc::new(server), Arc::new(replica.clone())).build(),
//!     )
//! };
//! replica.put(Document::new("list", "milk")?).await?;
//! plan.arm(3, Fault::Die(When::After));
//! assert!(plan.alive(start()?.sync()).await.is_none());
//!
//! plan.revive();
//! let report = plan.alive(start()?.sync()).await.expect("nobody dies here")?;
//! assert_eq!(report.pushed, 1);
//! # Ok::<(), longshore_core::Error>(())
//! # })?;
//! # Ok::<(), longshore_core::Error>(())
//! ```

/// Ends every error that a fault gives: else an author looks for it in the adapter.
macro_rules! injected {
    ($text:literal) => {
        concat!($text, " (a fault that the suite injected)")
    };
}

mod plan;
mod server;
mod storage;

use std::fmt;
use std::time::Duration;

use longshore_core::{Error, ErrorKind, Outcome};

pub use plan::{Call, Plan};
pub use server::FaultServer;
pub use storage::FaultStorage;

/// For how long a [`Fault::Slow`] call keeps its caller waiting: longer than any deadline of the core.
pub const SLOW: Duration = Duration::from_secs(2400);

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is never sent; the caller learns that the connection broke. `Unavailable`, `Unknown`.
    Before,
    /// It takes effect, and its reply is lost. `Unavailable`, `Unknown`.
    After,
    /// A part of its body is sent or received, then nothing more: a `put` whose payload ends in an error, a `get` whose stream
    /// breaks in the middle. A `create` that is cut never took effect. `Unavailable`, `Unknown`.
    Cut,
    /// As `Before` to its caller; it takes effect that many calls of this client later, or at [`Plan::land`].
    Late(u64),
    /// It is delivered twice; the caller gets the second answer. A `create` that won is told `Exists`.
    Twice,
    /// The answer is from the past: of an object and of the log that nothing is there yet, of a folder what this client saw
    /// there last. It carries no time.
    Stale,
    /// No answer within any deadline: the clock moves on by [`SLOW`]. `Unavailable`, `Unknown`.
    Slow {
        /// Whether the call took effect.
        applied: bool,
    },
    /// The server is busy, as 429 and 503 say. `Unavailable`, `NotApplied`, throttled.
    Refused {
        /// When to try again.
        after: Duration,
    },
    /// The caller's machine sleeps for so long, then the call goes on as if nothing had happened.
    Paused(Duration),
    /// The caller's process dies: the call never comes back, and no other of this client is sent until [`Plan::revive`].
    Die(When),
}

/// When a process dies in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before it was sent.
    Before,
    /// While it was under way; it may take effect.
    During,
    /// After it took effect, before its answer came.
    After,
}

/// Calls that change something.
const WRITES: [&str; 13] = [
    "create",
    "put",
    "delete",
    "initialize",
    "changes_write",
    "snapshot_put",
    "snapshot_seal",
    "snapshot_write",
    "trim",
    "lock",
    "renew",
    "unlock",
    "metadata_write",
];
/// Calls with a body that can be cut.
const BODIES: [&str; 12] = [
    "create",
    "put",
    "get",
    "changes_read",
    "changes_write",
    "segment",
    "snapshot",
    "snapshot_put",
    "snapshot_seal",
    "snapshot_write",
    "metadata_read",
    "metadata_write",
];
/// Calls whose answer can be old.
const READS: [&str; 8] = ["get", "list", "store", "floor", "snapshot", "changes_read", "segment", "metadata_read"];

impl Fault {
    /// One of each kind, with usual figures.
    pub const ALL: [Self; 13] = [
        Self::Before,
        Self::After,
        Self::Cut,
        Self::Late(4),
        Self::Twice,
        Self::Stale,
        Self::Slow { applied: false },
        Self::Slow { applied: true },
        Self::Refused { after: Duration::from_secs(2) },
        Self::Paused(Duration::from_secs(45)),
        Self::Die(When::Before),
        Self::Die(When::During),
        Self::Die(When::After),
    ];

    /// Whether it can happen to a call of this name. One that cannot leaves the call alone and is not counted.
    ///
    /// ```
    /// use longshore_conformance::faults::Fault;
    ///
    /// assert!(Fault::Stale.fits("list") && !Fault::Stale.fits("create"));
    /// assert!(Fault::Twice.fits("create") && !Fault::Twice.fits("get"));
    /// ```
    pub fn fits(self, operation: &str) -> bool {
        match self {
            Self::Late(_) | Self::Twice => WRITES.contains(&operation),
            Self::Cut => BODIES.contains(&operation),
            Self::Stale => READS.contains(&operation),
            _ => true,
        }
    }
}

/// Whether a call of this name changes something.
#[cfg(feature = "crash")]
pub(crate) fn is_write(operation: &str) -> bool {
    WRITES.contains(&operation)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => f.write_str("not sent"),
            Self::After => f.write_str("its reply lost"),
            Self::Cut => f.write_str("its body cut"),
            Self::Late(calls) => write!(f, "taking effect {calls} calls later"),
            Self::Twice => f.write_str("delivered twice"),
            Self::Stale => f.write_str("answered from the past"),
            Self::Slow { applied: true } => f.write_str("taking effect, answered past every deadline"),
            Self::Slow { applied: false } => f.write_str("not taking effect, answered past every deadline"),
            Self::Refused { after } => write!(f, "refused for {} s", after.as_secs()),
            Self::Paused(time) => write!(f, "sent after the machine slept for {} s", time.as_secs()),
            Self::Die(When::Before) => f.write_str("the process dead before it"),
            Self::Die(When::During) => f.write_str("the process dead in the middle of it"),
            Self::Die(When::After) => f.write_str("the process dead after it"),
        }
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, injected!("the connection broke")).with_outcome(Outcome::Unknown)
}

fn overdue() -> Error {
    Error::new(ErrorKind::Unavailable, injected!("no answer came within the deadline")).with_outcome(Outcome::Unknown)
}

fn refused(after: Duration) -> Error {
    Error::new(ErrorKind::Unavailable, injected!("the server is busy"))
        .with_outcome(Outcome::NotApplied)
        .with_throttled()
        .with_retry_after(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that no list names would meet no fault of its own, and no test would say so.
    #[test]
    fn every_call_is_known() {
        let sources = [include_str!("faults/storage.rs"), include_str!("faults/server.rs")];
        let mut calls = 0;
        for rest in sources.into_iter().flat_map(|source| source.split("begin(\"").skip(1)) {
            let name = rest.split('"').next().unwrap();
            assert!(WRITES.contains(&name) || READS.contains(&name), "{name}");
            calls += 1;
        }
        assert!(calls >= 20, "{calls} calls");
    }
}

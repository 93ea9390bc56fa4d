//! What a sync tells: its result, its progress, and a status to show.

use serde::{Deserialize, Serialize};

use crate::model::{Sequence, StoreId};

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// Documents changed here by what others committed.
    pub pulled: u64,
    /// Documents whose changes were committed.
    pub pushed: u64,
    /// Conflicts that were recorded by this sync.
    pub conflicts: u64,
    /// Conflicts that the app answered.
    pub resolved: u64,
    /// Conflicts that wait for an answer.
    pub unresolved: u64,
    /// Commits that another client was faster than.
    pub races_lost: u64,
    /// The entry this replica is at now.
    pub checkpoint: Option<Sequence>,
    /// Whether this sync initialised the store.
    pub initialized: bool,
    /// Whether this replica turned out to be a copy or a restored backup of another, and took a new identity.
    pub cloned: bool,
    /// Storage calls.
    pub requests: u64,
    /// Object bytes sent.
    pub bytes_up: u64,
    /// Object bytes received.
    pub bytes_down: u64,
}

/// What a sync is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// Checking that the store is the one it was.
    Open,
    /// Reading and applying what others committed.
    Pull,
    /// Asking the app about conflicts.
    Resolve,
    /// Staging and committing the outbox.
    Push,
}

/// How far a sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is at.
    pub phase: Phase,
    /// Documents done in this phase.
    pub done: u64,
    /// Documents in this phase, where that is known.
    pub total: Option<u64>,
    /// Body bytes of the documents done in this phase.
    pub bytes: u64,
}

/// Whoever wants to show progress. Any `Fn(Progress)` is one.
pub trait Observer: Send + Sync {
    /// Something moved.
    fn progress(&self, progress: Progress);
}

impl<F: Fn(Progress) + Send + Sync> Observer for F {
    fn progress(&self, progress: Progress) {
        self(progress);
    }
}

/// What an app can show its user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// When this replica was last verified to be in step, on this machine's wall clock: milliseconds since 1970. Between
    /// syncs in quick succession it may lag by a minute.
    pub last_synced: Option<u64>,
    /// Documents with changes that are not committed yet.
    pub pending: u64,
    /// Conflicts that wait for an answer.
    pub conflicts: u64,
    /// Why the last sync failed, if it did.
    pub last_error: Option<String>,
    /// The store, once this replica has joined one.
    pub store: Option<StoreId>,
    /// The entry this replica is at.
    pub checkpoint: Option<Sequence>,
}

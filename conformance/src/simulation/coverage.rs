//! What histories came by: faults that fired, and ways out of them that the engine took.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::time::lock;

/// A device did something.
pub(super) const STEP: &str = "step";

/// How often each fault fired and each way out was taken.
///
/// ```
/// use longshore_conformance::simulation::Simulation;
///
/// let coverage = Simulation::new(0..3).run().coverage;
/// assert!(coverage.of("sync: done") > 0);
/// assert_eq!(coverage.of("nothing has this name"), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// Planned faults that fire, and what befalls a device: each happens once, however many calls it spoils.
    pub const FAULTS: &[&'static str] = &[
        "fault: lost before",
        "fault: lost after",
        "fault: cut",
        "fault: late",
        "fault: twice",
        "fault: shown late",
        "fault: stale read",
        "fault: stale list",
        "fault: slow past the deadline",
        "fault: refused",
        "fault: outage",
        "fault: offline",
        "fault: process died before a call",
        "fault: process died after a call",
        "fault: sync dropped",
        "fault: suspended",
        "fault: suspended lease holder",
        "fault: reboot",
        "fault: restored from a backup",
        "fault: device copied",
        "fault: server clock jumped",
        "fault: wrong store",
        "fault: damaged object",
    ];

    /// Ways out that the engine takes, as far as they can be seen from outside.
    pub const BRANCHES: &[&'static str] = &[
        "late: landed while its sender went on",
        "late: landed after its sender died",
        "late: landed on a taken name",
        "create: read back, mine",
        "create: read back, another's",
        "create: read back, absent",
        "create: taken, and nothing shown",
        "create: never shown, given up",
        "create: repeated by the same process",
        "create: repeated by a later process",
        "create: two initialised at once",
        "push: race lost",
        "push: rebased and committed",
        "push: lost two races and more in one sync",
        "push: outcome unknown",
        "push: refused",
        "push: ahead of a poll, committed",
        "push: ahead of a poll, overtaken",
        "push: ahead of a poll, given up unwritten",
        "push: a later write stayed behind",
        "push: several segments or one",
        "push: several segments in one entry",
        "push: what is too large waits alone",
        "attempt: found committed by a pull",
        "attempt: abandoned",
        "pull: several documents in one transaction",
        "pull: several entries at once",
        "pull: a hole below a present entry",
        "pull: decided anew, the app wrote meanwhile",
        "open: looked at the checkpoint again",
        "open: floor read",
        "clone: noticed",
        "settled: an equal change",
        "conflict: edit against edit",
        "conflict: edit against deletion",
        "conflict: deletion against edit",
        "conflict: recorded again before an answer",
        "answer: keep local",
        "answer: take remote",
        "answer: merge",
        "answer: keep both",
        "answer: later",
        "answer: out of date",
        "lease: taken around a sync",
        "lease: taken for progress",
        "lease: waited for",
        "lease: taken over from a dead holder",
        "lease: renewed",
        "lease: given back",
        "lease: fenced",
        "replaced: emptied store refused",
        "replaced: another store refused",
        "replaced: rolled-back store refused",
        "replaced: forked store refused",
        "corrupt: damaged object refused",
        "stale: refused",
        "metadata: written",
        "metadata: conflict",
        "metadata: outcome unknown",
        "sync: done",
        "sync: interrupted",
        "sync: busy",
    ];

    /// How often that happened.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Everything that is expected of many histories, with how often it happened.
    pub fn expected(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::FAULTS.iter().chain(Self::BRANCHES).map(|name| (*name, self.of(name)))
    }

    /// How many faults fired. An outage is one, also where many calls fell into it.
    pub fn faults(&self) -> u64 {
        Self::FAULTS.iter().map(|name| self.of(name)).sum()
    }

    /// How many steps devices took.
    pub fn steps(&self) -> u64 {
        self.of(STEP)
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, count)| writeln!(f, "{count:>9}  {name}"))
    }
}

/// Counts from anywhere in a history.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<Coverage>>);

impl Counters {
    pub(super) fn count(&self, name: &'static str) {
        *lock(&self.0).0.entry(name).or_default() += 1;
    }

    pub(super) fn count_if(&self, happened: bool, name: &'static str) {
        if happened {
            self.count(name);
        }
    }

    pub(super) fn total(&self) -> Coverage {
        lock(&self.0).clone()
    }
}

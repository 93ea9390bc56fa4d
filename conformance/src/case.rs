//! What a case is.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::context::Context;
use crate::verdict::Failure;

/// A part of the suite.
///
/// ```
/// use longshore_conformance::Group;
///
/// assert_eq!(Group::named("crash"), Some(Group::Crash));
/// assert_eq!(Group::ALL.len(), 6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Group {
    /// The rules of the trait `Storage`.
    Storage,
    /// The rules of the trait `Server`.
    Server,
    /// Replicas that sync through the engine.
    Sync,
    /// The same with calls that fail in every way.
    Interruption,
    /// Processes that are killed.
    Crash,
    /// Connections that are cut: for adapters that speak HTTP.
    Network,
}

impl Group {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 6] =
        [Self::Storage, Self::Server, Self::Sync, Self::Interruption, Self::Crash, Self::Network];

    /// The first part of the names of its cases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Server => "server",
            Self::Sync => "sync",
            Self::Interruption => "interruption",
            Self::Crash => "crash",
            Self::Network => "network",
        }
    }

    /// The group of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == name)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a case guards: a rule of a trait, or an invariant of the whole.
///
/// ```
/// use longshore_conformance::Rule;
///
/// assert_eq!(Rule::Storage(1).to_string(), "rule 1 of Storage (a write is all or nothing)");
/// assert_eq!(Rule::Invariant(3).text(), "a change is committed once");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// That rule of `Storage`, numbered as in the trait's module.
    Storage(u8),
    /// That rule of `Server`, numbered as in the trait's module.
    Server(u8),
    /// That invariant, I1 to I13. The last two are about folders of files, which the command's own tests guard.
    Invariant(u8),
}

impl Rule {
    /// The rule in a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Storage(1) => "a write is all or nothing",
            Self::Storage(2) => "after an acknowledged write, every read sees it",
            Self::Storage(3) => "create is decided by the server, once",
            Self::Storage(4) => "a write ends as done, Exists, NotApplied or Unknown",
            Self::Storage(5) => "dropping a future is an interruption like any other",
            Self::Storage(6) => "missing objects are no error, a missing root or credential is one",
            Self::Storage(7) => "replies carry the server's own time",
            Self::Storage(8) => "what is claimed holds",
            Self::Server(1) => "entries are dense and immutable",
            Self::Server(2) => "an entry is committed by its bytes",
            Self::Server(3) => "a commit is atomic",
            Self::Server(4) => "fencing tokens only grow, and two unexpired leases never overlap",
            Self::Invariant(1) => "an acknowledged local write is in the documents and in the outbox",
            Self::Invariant(2) => "an acknowledged change is seen by every replica that syncs later",
            Self::Invariant(3) => "a change is committed once",
            Self::Invariant(4) => "no change is dropped without the app being told",
            Self::Invariant(5) => "all replicas end with the same documents",
            Self::Invariant(6) => "readers see whole commits in one order",
            Self::Invariant(7) => "fencing tokens only grow; two unexpired leases never overlap",
            Self::Invariant(8) => "every object that an entry names can be read",
            Self::Invariant(9) => "an interrupted client blocks nobody for longer than one time-to-live",
            Self::Invariant(10) => "a wrong, reset, rolled-back or forked store is an error at open",
            Self::Invariant(11) => "changed bytes are Corrupt, never wrong documents",
            Self::Invariant(12) => "an edit of a local file is never overwritten unseen",
            Self::Invariant(13) => "a missing file is a deletion only where it was recorded as written or seen",
            _ => "a rule of the design",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(number) => write!(f, "rule {number} of Storage ({})", self.text()),
            Self::Server(number) => write!(f, "rule {number} of Server ({})", self.text()),
            Self::Invariant(number) => write!(f, "invariant I{number} ({})", self.text()),
        }
    }
}

/// What a case needs beside an opener. Where it is not there, the case is ignored, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// A `Storage`: the case looks beneath the `Server`.
    Storage,
    /// Replies to reads carry the server's time.
    ReadTime,
    /// An opener of a store whose root is not there ([`Harness::missing_root`](crate::Harness::missing_root)).
    MissingRoot,
    /// An opener with wrong credentials ([`Harness::wrong_credentials`](crate::Harness::wrong_credentials)).
    WrongCredentials,
    /// A store that other processes can open: not one in memory.
    OtherProcess,
    /// A server whose time the suite moves on: the case's clients wait for leases, and their waits take no time.
    VirtualTime,
    /// A server whose time the suite moves on, or a size at which the case may wait in earnest for a lease to run out.
    Waits,
    /// A server that can be killed ([`Harness::killable`](crate::Harness::killable)). No other case runs beside one that needs it.
    Killable,
    /// A server of several parts, of which one can be killed ([`Harness::killable_part`](crate::Harness::killable_part)). No other
    /// case runs beside one that needs it.
    KillablePart,
    /// An opener of clients that reach the server through a proxy
    #[cfg_attr(feature = "network", doc = "([`Harness::over_network`](crate::Harness::over_network)).")]
    #[cfg_attr(not(feature = "network"), doc = "(`Harness::over_network`, with the feature `network`).")]
    Network,
}

/// How much a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Size {
    /// Seconds: every case, few rounds.
    Quick,
    /// At most two minutes on two cores over a folder.
    #[default]
    Ci,
    /// Everything, exhaustively.
    Full,
}

impl Size {
    /// The size of this name: `quick`, `ci` or `full`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Quick, Self::Ci, Self::Full].into_iter().find(|size| size.as_str() == name)
    }

    /// `quick`, `ci` or `full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Ci => "ci",
            Self::Full => "full",
        }
    }

    /// The value for this size.
    pub fn pick<T>(self, quick: T, ci: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Ci => ci,
            Self::Full => full,
        }
    }
}

/// The function of a case.
pub(crate) type CaseFn = fn(Context) -> BoxFuture<'static, Result<(), Failure>>;

/// One case: what it does to a fresh place, and what rule that guards. The suite brings all of them
/// ([`Suite::cases`](crate::Suite::cases)).
///
/// A case that a minor release adds only warns until the next one, and fails from then on.
///
/// ```
/// use longshore_conformance::{Group, Rule, Suite};
///
/// let cases = Suite::cases();
/// let race = cases.iter().find(|case| case.name() == "storage::create::of_many_at_once_one_wins").unwrap();
/// assert_eq!((race.group(), race.rule()), (Group::Storage, Rule::Storage(3)));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Case {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) rule: Rule,
    pub(crate) needs: &'static [Need],
    pub(crate) deadline: Duration,
    pub(crate) mandatory_from: (u16, u16),
    pub(crate) run: CaseFn,
}

impl Case {
    /// A case. Its name is that of its group, of its topic and of what it shows, with `::` between.
    pub(crate) const fn new(name: &'static str, group: Group, rule: Rule, run: CaseFn) -> Self {
        Self { name, group, rule, needs: &[], deadline: Duration::from_secs(120), mandatory_from: (0, 1), run }
    }

    /// What it needs; nothing by default.
    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// After how long it counts as hanging, at `Size::Ci`; two minutes by default. A full run has ten times that.
    pub(crate) const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The version of this crate (major, minor) from which on its failure counts; before, it warns. A case that is added
    /// later than version 0.1 names the minor release after the one that brings it.
    #[cfg_attr(not(test), expect(dead_code, reason = "no case is newer than the first version yet"))]
    pub(crate) const fn mandatory_from(mut self, major: u16, minor: u16) -> Self {
        self.mandatory_from = (major, minor);
        self
    }

    /// Whether it kills the server, or a part of it.
    pub(crate) fn kills(&self) -> bool {
        self.needs.iter().any(|need| matches!(need, Need::Killable | Need::KillablePart))
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its group.
    pub const fn group(&self) -> Group {
        self.group
    }

    /// What it guards.
    pub const fn rule(&self) -> Rule {
        self.rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_words() {
        let storage = (1..=8).map(Rule::Storage);
        let rules = storage.chain((1..=4).map(Rule::Server)).chain((1..=13).map(Rule::Invariant));
        for rule in rules {
            assert_ne!(rule.text(), "a rule of the design", "{rule:?}");
        }
    }
}

//! What befalls a storage call, or the process that makes it.

use std::fmt;

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not sent; the caller learns that the connection broke.
    LostBefore,
    /// It takes effect; its reply is lost.
    LostAfter,
    /// Part of the body arrives, then nothing: a write leaves nothing, a read ends early.
    Cut,
    /// The caller learns that the connection broke; the write takes effect so many calls later.
    Late { calls: u64 },
    /// It is delivered twice, and the second delivery is the one that is answered.
    Twice,
    /// It takes effect, its reply is lost, and its sender is shown nothing under that name for so many milliseconds.
    Hidden { millis: u64 },
    /// A read or a listing answers from so many milliseconds ago.
    Stale { millis: u64 },
    /// It takes so many milliseconds.
    Slow { millis: u64 },
    /// The server refuses it and says for how many seconds.
    Refused { seconds: u64 },
    /// Nothing gets through for so many calls.
    Outage { calls: u64 },
    /// The device has no network for so many calls: it knows that nothing was sent.
    Offline { calls: u64 },
    /// The process dies before it is sent.
    DieBefore,
    /// The process dies after it took effect.
    DieAfter,
    /// The app drops the call it waits for, after so many polls.
    Dropped { polls: u64 },
    /// The machine is suspended for so many milliseconds, after so many polls.
    Suspended { polls: u64, millis: u64 },
}

/// What a fault can befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Put,
    Get,
    List,
    Delete,
}

impl Fault {
    pub(super) fn befalls(self, kind: Kind) -> bool {
        let writes = matches!(kind, Kind::Create | Kind::Put | Kind::Delete);
        match self {
            Self::Late { .. } | Self::Twice => writes,
            Self::Stale { .. } => matches!(kind, Kind::Get | Kind::List),
            Self::Cut => kind != Kind::Delete,
            Self::Hidden { .. } => kind == Kind::Create,
            Self::Dropped { .. } | Self::Suspended { .. } => false,
            _ => true,
        }
    }

    /// Its name among the counters, for a call of this kind.
    pub(super) fn name(self, kind: Kind) -> &'static str {
        match self {
            Self::LostBefore => "fault: lost before",
            Self::LostAfter => "fault: lost after",
            Self::Cut => "fault: cut",
            Self::Late { .. } => "fault: late",
            Self::Twice => "fault: twice",
            Self::Hidden { .. } => "fault: shown late",
            Self::Stale { .. } if kind == Kind::List => "fault: stale list",
            Self::Stale { .. } => "fault: stale read",
            Self::Slow { .. } => "fault: slow past the deadline",
            Self::Refused { .. } => "fault: refused",
            Self::Outage { .. } => "fault: outage",
            Self::Offline { .. } => "fault: offline",
            Self::DieBefore => "fault: process died before a call",
            Self::DieAfter => "fault: process died after a call",
            Self::Dropped { .. } => "fault: sync dropped",
            Self::Suspended { .. } => "fault: suspended",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostBefore => f.write_str("is lost on its way"),
            Self::LostAfter => f.write_str("takes effect and its reply is lost"),
            Self::Cut => f.write_str("is cut in the middle"),
            Self::Late { calls } => write!(f, "is given up and lands {calls} calls later"),
            Self::Twice => f.write_str("is delivered twice"),
            Self::Hidden { millis } => write!(f, "takes effect, its reply is lost, and it is shown {millis} ms later"),
            Self::Stale { millis } => write!(f, "answers from {millis} ms ago"),
            Self::Slow { millis } => write!(f, "takes {millis} ms"),
            Self::Refused { seconds } => write!(f, "is refused for {seconds} s"),
            Self::Outage { calls } => write!(f, "fails, and the {calls} after it"),
            Self::Offline { calls } => write!(f, "finds no network, and the {calls} after it"),
            Self::DieBefore => f.write_str("kills its process before it is sent"),
            Self::DieAfter => f.write_str("kills its process after it took effect"),
            Self::Dropped { polls } => write!(f, "the app drops it at poll {polls}"),
            Self::Suspended { polls, millis } => write!(f, "the machine sleeps for {millis} ms at poll {polls}"),
        }
    }
}

/// A fault that waits for its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// How many calls that it could befall come before.
    pub(super) after: u64,
    pub(super) fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Dropped { .. } | Fault::Suspended { .. } => self.fault.fmt(f),
            fault => write!(f, "call {} {fault}", self.after + 1),
        }
    }
}

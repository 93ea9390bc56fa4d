//! A replica: what it keeps, and where it is in a sync.

use super::store::Entry;

/// One replica with its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// Its random id. A copied replica has the same until it notices.
    pub id: u8,
    /// How many attempts it made under this id.
    pub counter: u8,
    /// The store that it knows.
    pub store: Option<u8>,
    /// It has applied the log up to here.
    pub checkpoint: u8,
    /// The hash of the entry there.
    pub hash: u32,
    /// The hash of the last entry that it keeps one of (every 1,000th in the protocol).
    pub kept: u32,
    /// The changes in its documents.
    pub applied: u8,
    /// The changes not yet committed.
    pub outbox: u8,
    /// Those of them that the app must answer first.
    pub conflicts: u8,
    /// The attempt whose fate is not known.
    pub attempt: Option<Attempt>,
    /// Its last committed attempt.
    pub last: Option<Entry>,
    /// The server's time of the last reply that proved the checkpoint to be the head.
    pub head_time: Option<u8>,
    /// Whether its process has opened the store.
    pub session: bool,
    /// Where it is.
    pub step: Step,
}

/// One try to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The stored bytes.
    pub entry: Entry,
    /// When they were made.
    pub staged: u8,
}

/// Where a sync stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Between two syncs.
    Idle,
    /// It reported that this is not the store that it knows.
    Refused,
    /// About to read the entry at its checkpoint, and the next.
    Open,
    /// The entry at its checkpoint is missing, or another: the snapshots may say why. `previous` is what the next one names.
    Missing {
        /// The `previous` of the entry above, if there is one.
        previous: Option<u32>,
        /// Whether the store truly was another when it was read. The replica does not know this.
        replaced: bool,
    },
    /// About to read on.
    Pull,
    /// Two requests are on their way.
    Ahead(Replies),
    /// Replies that do not count by themselves; the floor decides.
    Doubt(Replies),
    /// The floor is below these: about to read the first once more. Used only where the rule against that is off.
    ReadAgain(Replies),
    /// The next entry does not name the hash of the one before.
    Unchained,
    /// About to read the newest snapshot.
    Boot,
    /// About to create the attempt's entry.
    Create {
        /// Whether it was sent before; used only where the rule about it is off.
        again: bool,
        /// Whether nothing was read before it in this sync. Sent again it is as any other.
        ahead: bool,
    },
    /// About to read what lies at the attempt's number.
    ReadBack,
    /// The attempt's entry is there, but the proof came late. `head` is the time of a `Created`.
    Late {
        /// The server's time, if the reply proves a head.
        head: Option<u8>,
    },
}

/// The replies about the two numbers above the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Replies {
    /// About the next number.
    pub first: Reply,
    /// About the one after.
    pub second: Reply,
    /// How many numbers were taken when the requests were sent.
    pub known: u8,
    /// The floor as it was then; used only where the rule about it is off.
    pub floor: u8,
}

/// What a read of a number gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It was not asked for.
    Unasked,
    /// Nothing yet.
    Waiting,
    /// No entry, at this time.
    Absent(u8),
    /// An entry, at this time.
    Found(Entry, u8),
}

impl Client {
    /// A new replica.
    pub fn new(id: u8) -> Self {
        Self {
            id,
            counter: 0,
            store: None,
            checkpoint: 0,
            hash: 0,
            kept: 0,
            applied: 0,
            outbox: 0,
            conflicts: 0,
            attempt: None,
            last: None,
            head_time: None,
            session: false,
            step: Step::Idle,
        }
    }

    /// The number above its checkpoint.
    pub fn next(&self) -> u8 {
        self.checkpoint + 1
    }

    /// Its process is gone; what it stored stays.
    pub fn stop(&mut self) {
        (self.session, self.step) = (false, Step::Idle);
    }

    /// Whether it is in the middle of a sync.
    pub fn is_busy(&self) -> bool {
        !matches!(self.step, Step::Idle | Step::Refused)
    }

    /// Whether an entry of these bytes is its own.
    pub fn knows(&self, entry: &Entry) -> bool {
        self.attempt.is_some_and(|open| open.entry == *entry) || self.last == Some(*entry)
    }
}

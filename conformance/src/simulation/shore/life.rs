//! One device's running process, as its storage calls show it: what befalls them, and what they tell of the engine's ways.

use std::collections::BTreeMap;

use bytes::Bytes;
use longshore_core::{Created, Error, ObjectKey, Outcome, Reply, Result};

use super::super::coverage::Counters;
use super::super::fault::{Fault, Kind, Planned};
use super::super::mix;
use super::call::{Answer, Call};
use super::is_in;
use crate::dice::Dice;

/// One device's running process, as its storage calls show it.
pub(super) struct Life {
    pub(super) device: &'static str,
    /// The number of its process.
    pub(super) number: u64,
    pub(super) dead: bool,
    pub(super) armed: Vec<Planned>,
    /// How many more calls fall into an outage, and how each ends.
    pub(super) outage: (u64, Fault),
    pub(super) dice: Dice,
    /// Creates whose fate its process does not know.
    pub(super) doubtful: BTreeMap<ObjectKey, Bytes>,
    /// Every create it ever sent: by which process, and what.
    pub(super) created: BTreeMap<ObjectKey, (u64, Bytes)>,
    /// What it is shown late, and from when on.
    pub(super) hidden: BTreeMap<ObjectKey, u64>,
    /// The name that its last call said to exist.
    said_to_exist: Option<ObjectKey>,
    pub(super) last_missing: Option<ObjectKey>,
    pub(super) formats_read: u64,
    pub(super) stale: bool,
    pub(super) fired: u64,
    /// Calls, creates of entries, and looks at the leases, since the last step began.
    pub(super) calls: u64,
    pub(super) entries_sent: u64,
    pub(super) lease_looks: u64,
    /// The entry that the step began with creating, until its first answer came.
    pub(super) ahead: Option<ObjectKey>,
}

impl Life {
    pub(super) fn new(device: &'static str, seed: u64) -> Self {
        Self {
            device,
            number: 1,
            dead: false,
            armed: Vec::new(),
            outage: (0, Fault::LostBefore),
            dice: Dice::new(mix(&[seed, 3])),
            doubtful: BTreeMap::new(),
            created: BTreeMap::new(),
            hidden: BTreeMap::new(),
            said_to_exist: None,
            last_missing: None,
            formats_read: 0,
            stale: false,
            fired: 0,
            calls: 0,
            entries_sent: 0,
            lease_looks: 0,
            ahead: None,
        }
    }

    pub(super) fn next_fault(&mut self, kind: Kind) -> Option<Fault> {
        if self.outage.0 > 0 {
            self.outage.0 -= 1;
            return Some(self.outage.1);
        }
        let mut fired = None;
        for (at, planned) in self.armed.iter_mut().enumerate().filter(|(_, planned)| planned.fault.befalls(kind)) {
            if planned.after == 0 {
                fired = fired.or(Some(at));
            } else {
                planned.after -= 1;
            }
        }
        let fault = self.armed.remove(fired?).fault;
        match fault {
            Fault::Outage { calls } => self.outage = (calls, Fault::LostBefore),
            Fault::Offline { calls } => self.outage = (calls, fault),
            _ => {}
        }
        Some(fault)
    }

    pub(super) fn watch_request(&mut self, call: &Call, counters: &Counters) {
        match call {
            Call::Create(key, bytes) => {
                self.entries_sent += u64::from(is_in(key, "log"));
                if self.calls == 1 && is_in(key, "log") {
                    self.ahead = Some(key.clone());
                }
                if let Some((life, before)) = self.created.insert(key.clone(), (self.number, bytes.clone()))
                    && before == bytes
                {
                    let same = life == self.number;
                    counters.count(if same {
                        "create: repeated by the same process"
                    } else {
                        "create: repeated by a later process"
                    });
                }
            }
            Call::Put(..) => counters.count("push: several segments or one"),
            Call::List(folder, _) => {
                counters.count_if(folder.as_str().ends_with("/snapshot"), "open: floor read");
                self.lease_looks += u64::from(folder.as_str().ends_with("/lease"));
                counters.count_if(self.lease_looks == 2, "lease: waited for");
            }
            Call::Get(key, _) if key.as_str() == "format/data" => {
                self.formats_read += 1;
                counters.count_if(self.formats_read > 1, "open: looked at the checkpoint again");
            }
            _ => {}
        }
    }

    pub(super) fn watch_reply(&mut self, call: &Call, result: &Result<Reply<Answer>>, counters: &Counters) {
        self.watch_ahead(call, result, counters);
        let before = self.said_to_exist.take();
        match (call, result.as_ref().map(|reply| &reply.value)) {
            (Call::Create(_, _), Ok(Answer::Created(Created::Created))) => {}
            (Call::Create(key, bytes), outcome) => {
                self.said_to_exist = outcome.is_ok().then(|| key.clone());
                counters.count_if(outcome.is_ok() && key.as_str() == "format/data", "create: two initialised at once");
                self.doubtful.insert(key.clone(), bytes.clone());
            }
            (Call::Get(key, _), Ok(Answer::Object(found))) => {
                let unseen = found.is_none() && before.as_ref() == Some(key);
                counters.count_if(unseen, "create: taken, and nothing shown");
                self.read_back(key, found.as_ref(), counters);
                self.look_for_holes(key, found.is_some(), counters);
            }
            _ => {}
        }
    }

    /// What came of an entry that was created before anything was read.
    fn watch_ahead(&mut self, call: &Call, result: &Result<Reply<Answer>>, counters: &Counters) {
        let Call::Create(key, _) = call else { return };
        let known = |outcome: &Error| outcome.outcome() == Outcome::NotApplied;
        if result.as_ref().is_err_and(known) || self.ahead.take_if(|ahead| ahead == key).is_none() {
            return;
        }
        // Where an answer was lost, what lies there may be its own.
        if let Ok(Reply { value: Answer::Created(created), .. }) = result {
            counters.count(match created {
                Created::Created => "push: ahead of a poll, committed",
                Created::Exists => "push: ahead of a poll, overtaken",
            });
        }
    }

    fn read_back(&mut self, key: &ObjectKey, found: Option<&Bytes>, counters: &Counters) {
        let Some(mine) = self.doubtful.remove(key) else {
            return;
        };
        counters.count(match found {
            Some(there) if *there == mine => "create: read back, mine",
            Some(_) => "create: read back, another's",
            None => "create: read back, absent",
        });
        if found.is_none() {
            self.doubtful.insert(key.clone(), mine);
        }
    }

    fn look_for_holes(&mut self, key: &ObjectKey, found: bool, counters: &Counters) {
        if !is_in(key, "log") {
            return;
        }
        let hole = found && self.last_missing.as_ref().is_some_and(|missing| missing < key);
        counters.count_if(hole, "pull: a hole below a present entry");
        self.last_missing = (!found).then(|| key.clone());
    }
}

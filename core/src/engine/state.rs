//! What the engine remembers between syncs, kept by the replica as one small blob.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{MARK_EVERY, Mark};
use crate::model::{AttemptNumber, ClientId, Hash, StoreId};
use crate::sabotage::{Mistake, on};
use crate::server::{Entry, Sighting, StoreInfo, Tip};
use crate::storage::ServerTime;

/// The version of this blob. A newer one is refused, since it may hold a promise that this version would break.
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    pub(super) client: ClientId,
    /// The last attempt's number.
    pub(super) attempt: Option<AttemptNumber>,
    pub(super) store: Option<Known>,
    /// When the wall clock read what, as this replica was last verified to be in step.
    pub(super) last_synced: Option<u64>,
    pub(super) last_error: Option<String>,
    /// The first look at somebody else's lease.
    pub(super) sighting: Option<Sighting>,
}

/// The store that this replica belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) id: StoreId,
    /// The hash of its `format`.
    pub(super) hash: Hash,
    retention: u64,
    /// The checkpoint.
    pub(super) tip: Tip,
    /// Head time: the server's time of the last reply that proved the checkpoint to be the head.
    pub(super) head_time: Option<ServerTime>,
    /// The newest server time ever seen.
    pub(super) newest_time: Option<ServerTime>,
    /// The hashes of every 1,000th entry. A snapshot lists the same: once there is a reader of snapshots, any difference tells of a
    /// fork. They are gathered from the first version on, since they cannot be had later.
    marks: Vec<Mark>,
}

impl State {
    pub(super) fn new(client: ClientId) -> Self {
        Self {
            version: VERSION,
            client,
            attempt: None,
            store: None,
            last_synced: None,
            last_error: None,
            sighting: None,
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let state: Self = serde_json::from_slice(bytes).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the replica's sync state is damaged").with_source(error)
        })?;
        if state.version > VERSION {
            return Err(Error::new(ErrorKind::Unsupported, "a newer version of longshore used this replica"));
        }
        Ok(state)
    }

    pub(super) fn encode(&self) -> Result<Bytes> {
        serde_json::to_vec(self)
            .map(Bytes::from)
            .map_err(|error| Error::new(ErrorKind::Internal, "the sync state cannot be written").with_source(error))
    }

    /// The store, or a defect of ours: nothing after opening runs without one.
    pub(super) fn known(&self) -> Result<&Known> {
        self.store.as_ref().ok_or_else(unopened)
    }

    pub(super) fn known_mut(&mut self) -> Result<&mut Known> {
        self.store.as_mut().ok_or_else(unopened)
    }

    pub(super) fn next_attempt(&mut self) -> Result<AttemptNumber> {
        let next = self.attempt.map_or(Ok(AttemptNumber::FIRST), AttemptNumber::next)?;
        self.attempt = Some(next);
        Ok(next)
    }
}

fn unopened() -> Error {
    Error::new(ErrorKind::Internal, "no store is open")
}

impl Known {
    pub(super) fn new(info: &StoreInfo) -> Self {
        Self {
            id: info.id,
            hash: info.hash,
            retention: u64::try_from(info.retention.as_millis()).unwrap_or(u64::MAX),
            tip: Tip::beginning(info),
            head_time: None,
            newest_time: None,
            marks: Vec::new(),
        }
    }

    /// A reply of this time proved the checkpoint to be the head. The last such reply counts, not the one with the highest time:
    /// a clock that ran ahead once must not vouch for years.
    pub(super) fn proved_head(&mut self, time: Option<ServerTime>) {
        self.head_time = time.or(self.head_time);
    }

    pub(super) fn saw(&mut self, time: Option<ServerTime>) {
        self.newest_time = self.newest_time.max(time);
    }

    /// Whether a reply about a number above the checkpoint counts by itself: it came less than half the retention after the
    /// checkpoint was last proved to be the head. Nothing above it can have been trimmed since.
    pub(super) fn counts(&self, time: Option<ServerTime>) -> bool {
        let Some((time, head)) = time.zip(self.head_time) else {
            return on(Mistake::HeadTimeIgnored);
        };
        time.since(head) < Duration::from_millis(self.retention) / 2 || on(Mistake::HeadTimeIgnored)
    }

    /// Moves the checkpoint to this entry.
    pub(super) fn advance(&mut self, tip: Tip) {
        if let Some(sequence) = tip.sequence
            && sequence.get().is_multiple_of(MARK_EVERY)
        {
            self.marks.push(Mark { sequence, hash: tip.hash });
        }
        self.tip = tip;
    }

    pub(super) fn advance_to(&mut self, entry: &Entry) {
        self.saw(entry.time);
        self.advance(entry.tip());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sequence;

    fn tip(number: u64) -> Tip {
        Tip { sequence: Sequence::new(number).ok(), hash: Hash::of(&number.to_le_bytes()), time: None }
    }

    /// Whether they were pulled or pushed, in this sync or an earlier one.
    #[test]
    fn every_thousandth_hash_is_kept_for_good() {
        let info = StoreInfo { id: StoreId::from_bytes([1; 16]), retention: Duration::ZERO, hash: Hash::of(b"format") };
        let mut state = State::new(ClientId::from_bytes([2; 16]));
        state.store = Some(Known::new(&info));
        for number in 1..=3500 {
            if number == 2500 {
                state = State::decode(&state.encode().unwrap()).unwrap();
            }
            state.known_mut().unwrap().advance(tip(number));
        }
        let expected =
            [1000, 2000, 3000].map(|number| Mark { sequence: Sequence::new(number).unwrap(), hash: tip(number).hash });
        assert_eq!(state.known().unwrap().marks, expected);
    }
}

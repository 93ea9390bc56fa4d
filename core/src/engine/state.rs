//! What the engine remembers between syncs, kept by the replica as one small blob.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{MARK_EVERY, Mark, SnapshotClient};
use crate::model::{AttemptNumber, ClientId, Hash, Sequence, StoreId};
use crate::replica::Attempt;
use crate::runtime::{Runtime, Ticks};
use crate::sabotage::{Mistake, on};
use crate::server::{Entry, Sighting, Snapshot, StoreInfo, Tip};
use crate::storage::ServerTime;

/// The version of this blob. A newer one is refused, since it may hold a promise that this version would break.
const VERSION: u32 = 1;
/// That of a replica whose documents are beyond its checkpoint: who does not know of snapshots must not go on from there.
const BETWEEN: u32 = 2;

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

/// How far the server's clock and ours may be apart on how much time went by.
const DOUBT: Duration = Duration::from_secs(24 * 3600);

/// A moment on our own clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    at: Ticks,
    /// The boot that `at` counts in.
    boot: String,
    /// Between two boots only the wall clock tells how much time went by; it is used to doubt, never to believe.
    wall: u64,
}

impl Moment {
    pub(super) fn now(runtime: &dyn Runtime) -> Self {
        Self { at: runtime.now(), boot: runtime.boot(), wall: runtime.wall() }
    }

    /// How much time went by since; none if a clock ran backwards.
    fn since(&self, earlier: &Self) -> Option<Duration> {
        if self.boot == earlier.boot {
            return (self.at >= earlier.at).then(|| self.at.since(earlier.at));
        }
        self.wall.checked_sub(earlier.wall).map(Duration::from_millis)
    }
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
    /// When that was on our own clocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head_at: Option<Moment>,
    /// The newest server time ever seen.
    pub(super) newest_time: Option<ServerTime>,
    /// The hashes of every 1,000th entry. A snapshot lists the same: any difference tells of a fork.
    marks: Vec<Mark>,
    /// The last attempt that was committed, under whatever name of ours. A snapshot at or above it lists it, or a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<SnapshotClient>,
    /// Some documents are of this entry already, and none of a later one: the snapshot was applied in part. Only a snapshot at or
    /// above it leads on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) between: Option<Sequence>,
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
        if state.version > BETWEEN {
            return Err(Error::new(ErrorKind::Unsupported, "a newer version of longshore used this replica"));
        }
        Ok(state)
    }

    pub(super) fn encode(&self) -> Result<Bytes> {
        let between = self.store.as_ref().is_some_and(|known| known.between.is_some());
        let version = if between { BETWEEN } else { VERSION };
        serde_json::to_vec(&Self { version, ..self.clone() })
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
            head_at: None,
            newest_time: None,
            marks: Vec::new(),
            last: None,
            between: None,
        }
    }

    /// An attempt of this client was committed.
    pub(super) fn committed(&mut self, client: ClientId, attempt: &Attempt) {
        let entry = Mark { sequence: attempt.sequence, hash: attempt.hash };
        self.last = Some(SnapshotClient { client, attempt: attempt.number, entry });
    }

    /// Whether a snapshot at or above the checkpoint is of the history that is known here: it agrees with every hash that is kept,
    /// and lists the last committed attempt, or a later one of the same client.
    pub(super) fn agrees(&self, snapshot: &Snapshot) -> bool {
        let same = |mark: &Mark| snapshot.hash_of(mark.sequence).is_none_or(|hash| hash == mark.hash);
        let own = self.tip.sequence.map(|sequence| Mark { sequence, hash: self.tip.hash });
        let lists = |last: &SnapshotClient| {
            snapshot.client(&last.client).is_some_and(|it| it == last || it.attempt > last.attempt)
        };
        self.marks.iter().chain(&own).all(same) && self.last.as_ref().is_none_or(lists)
    }

    /// Moves the checkpoint to the last entry of a snapshot, all of which is applied.
    pub(super) fn continue_from(&mut self, snapshot: &Snapshot) {
        self.saw(snapshot.time.max(snapshot.entry.time));
        self.marks.clone_from(&snapshot.marks);
        (self.tip, self.between) = (snapshot.tip(), None);
        (self.head_time, self.head_at) = (None, None);
    }

    /// A reply of this time proved the checkpoint to be the head. The last such reply counts, not the one with the highest time:
    /// a clock that ran ahead once must not vouch for years.
    pub(super) fn proved_head(&mut self, time: Option<ServerTime>, now: &Moment) {
        if time.is_some() {
            (self.head_time, self.head_at) = (time, Some(now.clone()));
        }
    }

    pub(super) fn saw(&mut self, time: Option<ServerTime>) {
        self.newest_time = self.newest_time.max(time);
    }

    /// Whether a reply about a number above the checkpoint counts by itself: it came less than half the retention after the
    /// checkpoint was last proved to be the head. Nothing above it can have been trimmed since.
    ///
    /// The server's clock says so only as long as our own agrees with it on how much time went by: it may have been ahead then.
    pub(super) fn counts(&self, time: Option<ServerTime>, now: &Moment) -> bool {
        let ours = self.head_at.as_ref().and_then(|at| now.since(at));
        let Some(((time, head), ours)) = time.zip(self.head_time).zip(ours) else {
            return on(Mistake::HeadTimeIgnored);
        };
        let retention = Duration::from_millis(self.retention);
        let apart = time.since(head).abs_diff(ours).max(head.since(time));
        (time.since(head) < retention / 2 && apart <= DOUBT.min(retention / 4)) || on(Mistake::HeadTimeIgnored)
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

    fn tip(number: u64) -> Tip {
        Tip { sequence: Sequence::new(number).ok(), hash: Hash::of(&number.to_le_bytes()), time: None }
    }

    /// The server's clock was a year ahead when the head was proved. Later it is right, and what it says is long ago is not.
    #[test]
    fn head_time_counts_while_both_clocks_agree() {
        const DAY: u64 = 24 * 3600 * 1000;
        let retention = Duration::from_millis(30 * DAY);
        let info = StoreInfo { id: StoreId::from_bytes([1; 16]), retention, hash: Hash::of(b"format") };
        let moment =
            |at: u64, boot: &str, wall: u64| Moment { at: Ticks::from_millis(at), boot: boot.to_owned(), wall };
        let (day, ours) = (|day: u64| Some(ServerTime::from_millis(day * DAY)), |day: u64| moment(day * DAY, "one", 0));
        let mut known = Known::new(&info);
        assert!(!known.counts(day(100), &ours(0)), "no head was proved");
        known.proved_head(day(100), &ours(0));
        assert!(
            known.counts(day(110), &ours(10)) && !known.counts(day(115), &ours(15)) && !known.counts(None, &ours(0))
        );
        assert!(known.counts(day(101), &ours(2)) && !known.counts(day(101), &ours(3)), "ours says that more went by");
        assert!(!known.counts(day(105), &ours(1)), "and less");
        assert!(!known.counts(day(98), &ours(0)), "the server's clock ran backwards");
        known.proved_head(day(465), &ours(0));
        assert!(!known.counts(day(110), &ours(20)), "it was a year ahead");
        // Between two boots the wall clock tells.
        known.proved_head(day(100), &moment(7 * DAY, "one", 1000 * DAY));
        assert!(known.counts(day(103), &moment(0, "two", 1003 * DAY)));
        assert!(!known.counts(day(103), &moment(0, "two", 1010 * DAY)));
        assert!(!known.counts(day(103), &moment(0, "two", 999 * DAY)));
        assert!(
            !known.counts(day(103), &moment(6 * DAY, "one", 1003 * DAY)),
            "a clock that only runs forward ran back"
        );
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

//! Opening: is this still the store that the replica knows? (I10)

use std::time::Duration;

use futures::future::try_join;

use super::options::OpenMode;
use super::plan::Plan;
use super::report::Phase;
use super::session::{Session, Verified};
use super::state::Known;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Sequence;
use crate::sabotage::{Mistake, on};
use crate::server::{Entry, StoreInfo, Tip};
use crate::storage::Reply;

/// For how long a client that stays open polls without looking at its checkpoint again.
const TRUST: Duration = Duration::from_secs(600);
/// How old the last valid read may be before a push looks at the checkpoint again.
pub(super) const FRESH: Duration = Duration::from_secs(120);

/// How many numbers are read at the beginning of a log: a copy that lost its first entry must not pass for an empty one.
pub(super) const BEGINNING: usize = 2;

/// What a read of one number gave.
pub(super) type Reading = Reply<Option<Entry>>;

impl Session<'_> {
    /// Checks the store, and gives the replies of the first poll.
    pub(super) async fn open(&mut self) -> Result<Vec<Reading>> {
        self.progress(Phase::Open, 0, None, 0);
        // Before a push the look at the checkpoint costs no time of its own here, beside the poll.
        if self.trusted(FRESH) || (self.trusted(TRUST) && !self.pushes().await?) {
            return self.poll().await;
        }
        self.opened = true;
        let at = self.now();
        let first = match &self.state.store {
            Some(known) => self.reopen(known.clone()).await?,
            None => self.join().await?,
        };
        self.verified = Some(Verified { tip: self.tip()?, at });
        Ok(first)
    }

    /// Reads what follows on the checkpoint.
    pub(super) async fn poll(&self) -> Result<Vec<Reading>> {
        let tip = self.tip()?;
        let count = if tip.sequence.is_none() { BEGINNING } else { 1 };
        self.client.server.changes_read(tip.next()?, count).await
    }

    /// Whether the checkpoint was seen in the store less than `age` ago.
    pub(super) fn trusted(&self, age: Duration) -> bool {
        let tip = self.state.store.as_ref().map(|known| known.tip);
        self.verified.is_some_and(|verified| Some(verified.tip) == tip && self.now().since(verified.at) < age)
    }

    pub(super) async fn pushes(&self) -> Result<bool> {
        Ok(self.attempt.is_some() || self.client.replica.pending_count().await? > 0)
    }

    /// Before a push: if the last valid read is old, looks at the checkpoint once more.
    pub(super) async fn freshen(&mut self) -> Result<()> {
        if self.trusted(FRESH) || on(Mistake::OldLookTrusted) {
            return Ok(());
        }
        let (at, known) = (self.now(), self.state.known()?.clone());
        self.reopen(known).await?;
        self.verified = Some(Verified { tip: self.tip()?, at });
        Ok(())
    }

    /// The checkpoint moved, or is still the head. When the store was last looked at does not change by that: an empty place
    /// has nothing at the next number either, and takes whatever is created there.
    pub(super) fn moved(&mut self) -> Result<()> {
        let tip = self.tip()?;
        self.verified = self.verified.map(|verified| Verified { tip, ..verified });
        Ok(())
    }

    async fn reopen(&self, known: Known) -> Result<Vec<Reading>> {
        let server = &self.client.server;
        let Some(sequence) = known.tip.sequence else {
            let (store, first) = try_join(server.store(), server.changes_read(Sequence::FIRST, BEGINNING)).await?;
            same_store(&known, store.value.as_ref())?;
            return Ok(first);
        };
        let (store, mut replies) = try_join(server.store(), server.changes_read(sequence, 2)).await?;
        same_store(&known, store.value.as_ref())?;
        let poll = replies.split_off(1);
        let (mine, next) = (replies.pop().and_then(|reply| reply.value), poll.first().and_then(|r| r.value.as_ref()));
        self.same_history(&known, sequence, mine.as_ref(), next).await?;
        Ok(poll)
    }

    /// Whether the entry at the checkpoint is the one that was applied, or gone for a good reason.
    async fn same_history(
        &self,
        known: &Known,
        sequence: Sequence,
        mine: Option<&Entry>,
        next: Option<&Entry>,
    ) -> Result<()> {
        if mine.is_some_and(|mine| mine.hash == known.tip.hash || on(Mistake::CheckpointHashUnchecked)) {
            return Ok(());
        }
        let chained = mine.is_none() && next.is_some_and(|next| next.previous == known.tip.hash);
        if chained || on(Mistake::MissingEntryIgnored) {
            return Ok(());
        }
        // Another entry may be a late write that landed where this one was trimmed: the snapshots are asked before it is blamed.
        match self.client.server.floor().await? {
            Some(newest) if newest > sequence => Err(below_floor(newest)),
            // The next entry is above it, so that it is the one that was committed.
            Some(newest) if newest == sequence && next.is_some() => {
                let same = next.is_some_and(|next| next.previous == known.tip.hash);
                if same { Ok(()) } else { Err(replaced(HISTORY, sequence)) }
            }
            Some(newest) if newest == sequence => self.same_snapshot(known, sequence).await,
            _ => Err(replaced(if mine.is_some() { HISTORY } else { ROLLED_BACK }, sequence)),
        }
    }

    /// With a snapshot right at the checkpoint: whether it is of the same history.
    async fn same_snapshot(&self, known: &Known, sequence: Sequence) -> Result<()> {
        match self.client.server.snapshot().await? {
            Some(snapshot) if snapshot.entry.sequence > sequence => Err(below_floor(snapshot.entry.sequence)),
            Some(snapshot) if snapshot.entry.sequence == sequence && known.agrees(&snapshot) => Ok(()),
            _ => Err(replaced(HISTORY, sequence)),
        }
    }

    /// A replica that belongs to no store yet.
    async fn join(&mut self) -> Result<Vec<Reading>> {
        let server = &self.client.server;
        let (store, first) = try_join(server.store(), server.changes_read(Sequence::FIRST, BEGINNING)).await?;
        let (info, first) = match (store.value, self.client.mode) {
            (Some(info), _) => (info, first),
            (None, OpenMode::CreateOrJoin) if self.agreed.is_some_and(|plan| !plan.initialize) => {
                return Err(Plan::outdated());
            }
            (None, OpenMode::CreateOrJoin) => {
                self.report.initialized = true;
                let info = server.initialize(&self.client.store_options).await?;
                (info, server.changes_read(Sequence::FIRST, BEGINNING).await?)
            }
            (None, OpenMode::Join) => {
                return Err(Error::new(ErrorKind::Missing, "there is no store here to join").with_operation("open"));
            }
        };
        self.state.store = Some(Known::new(&info));
        Ok(first)
    }

    /// The floor, where a reply does not count by itself. `number` is the lowest that has to be above the snapshot.
    pub(super) async fn above_floor(&self, number: Sequence) -> Result<()> {
        match self.client.server.floor().await? {
            Some(newest) if newest >= number => Err(below_floor(newest)),
            _ => Ok(()),
        }
    }

    /// An entry that does not follow on the checkpoint: trimmed beneath us, or another history.
    pub(super) async fn broken_chain(&self, number: Sequence) -> Error {
        match self.client.server.floor().await {
            Ok(Some(newest)) if newest >= number => below_floor(newest),
            Ok(_) => replaced(HISTORY, number),
            Err(error) => error,
        }
    }
}

const GONE: &str = "the store that this replica belongs to is not here any more: it was emptied, moved or not mounted; \
                    nothing was changed. Bring it back, or detach this replica and join anew";
const ANOTHER: &str = "another store lies here than the one this replica belongs to; nothing was changed. Check the \
                       address, or detach this replica and join anew";
pub(super) const HISTORY: &str = "the store has another history than this replica has seen: it was reset or forked, or an older \
                       copy was written to; nothing was changed. Detach this replica and join anew";
pub(super) const ROLLED_BACK: &str = "the store lacks entries that this replica has seen: an older copy was put in its place; \
                           nothing was changed. Bring the newer one back, or detach this replica and join anew";

fn same_store(known: &Known, found: Option<&StoreInfo>) -> Result<()> {
    let error = |what| Error::new(ErrorKind::Replaced, what).with_operation("open");
    match found {
        None if on(Mistake::StoreGoneIgnored) => Ok(()),
        None => Err(error(GONE)),
        Some(_) if on(Mistake::StoreIdUnchecked) => Ok(()),
        Some(found) if found.id != known.id || found.hash != known.hash => {
            Err(error(ANOTHER).with_expected(known.id, found.id))
        }
        Some(_) => Ok(()),
    }
}

pub(super) fn replaced(what: &'static str, number: Sequence) -> Error {
    Error::new(ErrorKind::Replaced, what).with_operation("open").with_key(format_args!("entry {}", number.get()))
}

/// A sync that meets this goes on from the snapshot. A plan cannot, and says so.
pub(super) fn below_floor(newest: Sequence) -> Error {
    let what = "entries that this replica needs were compacted into a snapshot, and a plan does not reach across one: sync \
                without a plan; nothing was changed";
    Error::new(ErrorKind::Unsupported, what)
        .with_operation("plan")
        .with_key(format_args!("snapshot {}", newest.get()))
        .with_below_floor()
}

/// The place before which nothing of ours can be missing.
pub(super) fn after(tip: &Tip, entries: &[Entry]) -> Tip {
    entries.last().map_or(*tip, Entry::tip)
}

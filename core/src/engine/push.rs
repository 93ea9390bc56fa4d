//! Pushing: the outbox becomes one entry, or several if it is huge: each journalled before it is sent, and sent until its fate is
//! known.

use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::stream::{self, StreamExt};

use super::open::below_floor;
use super::report::Phase;
use super::session::Session;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::model::{DocumentId, RowNumber};
use crate::replica::{Attempt, PendingChange, RowSet, Step};
use crate::runtime::jittered;
use crate::sabotage::{Mistake, on, taken_for_done};
use crate::server::{Author, Prepared, Staged, Tip, TooLarge, Written};
use crate::storage::Reply;

/// Body bytes of one page read from the outbox: as many as one piece of packing, so that one page is read while another is
/// packed.
const PAGE: usize = 1 << 20;
/// Lost races after which the lease is asked for.
const CONTENDED: u64 = 2;
/// Lost races after which a sync gives up and reports the store as busy. The outbox keeps everything.
const GIVE_UP: u64 = 100;

/// What was staged, and the rows it holds.
struct Load {
    staged: Staged,
    rows: RowSet,
    /// Whether that is all that was pending, and not only as much as an entry names.
    whole: bool,
}

/// What was taken from the outbox to be staged.
#[derive(Default)]
struct Noted {
    rows: Vec<RowNumber>,
    bytes: u64,
    /// Whether nothing is left there.
    whole: bool,
}

impl Session<'_> {
    /// Settles the open attempt, then commits what is pending now: entry after entry, if one cannot name it all. False if there
    /// was nothing to try.
    pub(super) async fn push(&mut self) -> Result<bool> {
        let mut load: Option<Load> = None;
        let (mut lost, mut tried) = (0, false);
        loop {
            let fresh = self.attempt.is_none();
            if fresh && !self.prepare(&mut load).await? {
                return Ok(tried);
            }
            tried = true;
            if self.send().await? {
                self.went_ahead();
                self.pause_after_contention(lost).await;
                if fresh && load.as_ref().is_none_or(|load| load.whole) {
                    return Ok(tried);
                }
                // What was staged may hold rows that are committed now, and others may be left.
                load = None;
                continue;
            }
            if self.ahead.take().is_some() {
                // That was probably no race: others committed since the last sync.
                self.client.note_overtaken(true);
                if on(Mistake::AheadEndsOvertaken) {
                    return Ok(tried);
                }
            } else {
                lost += 1;
                self.report.races_lost += 1;
                self.give_way(lost).await?;
            }
            let replies = self.poll().await?;
            self.pull(replies).await?;
            self.resolve().await?;
        }
    }

    /// What the store cannot take, once all else is committed: it is said, and stays in the outbox.
    pub(super) fn left_out(&self) -> Option<Error> {
        let (first, others) = self.too_large.split_first()?;
        let error = Error::from(first.clone());
        if others.is_empty() {
            return Some(error.with_operation("push"));
        }
        let what = format!("{}; {} more are too large as well", error.message(), others.len());
        Some(Error::new(error.kind(), what).with_operation("push"))
    }

    /// After a lost race: waits a little, and takes the lease if it happened often.
    async fn give_way(&mut self, lost: u64) -> Result<()> {
        if self.agreed.is_some() {
            let what = "another client committed first: make a new plan";
            return Err(Error::new(ErrorKind::Conflict, what).with_operation("push"));
        }
        if lost >= GIVE_UP {
            let what = "other clients were always faster: try again later; nothing is lost";
            return Err(Error::new(ErrorKind::Unavailable, what).with_operation("push"));
        }
        let pause = Duration::from_millis(20) * (1 << lost.min(6));
        self.client.runtime.sleep(jittered(&*self.client.runtime, pause)).await;
        if lost >= CONTENDED {
            self.lock_for_progress().await;
        }
        Ok(())
    }

    /// After winning under contention others get a chance: longer than one `create` takes.
    async fn pause_after_contention(&self, lost: u64) {
        if lost > 0 {
            self.client.runtime.sleep(self.client.create_time()).await;
        }
    }

    /// Journals an attempt at the next number; false if nothing is pending.
    async fn prepare(&mut self, load: &mut Option<Load>) -> Result<bool> {
        let moved = std::mem::take(&mut self.restage) && !on(Mistake::StagedKept);
        if load.is_none() || moved {
            *load = self.stage().await?;
            self.restage = false;
        }
        let Some(Load { staged, rows, .. }) = load else {
            return Ok(false);
        };
        self.keep_lease().await;
        let now = self.now();
        let number = self.state.next_attempt()?;
        let known = self.state.known()?;
        let author = Author {
            client: self.state.client,
            attempt: number,
            lease: self.lease.as_ref().filter(|lease| !lease.expired(now)).map(|lease| lease.token),
            time: known.newest_time,
        };
        let Prepared { sequence, hash, bytes } = self.client.server.prepare(&known.tip, &author, staged)?;
        let attempt = Attempt { number, sequence, hash, bytes, rows: rows.clone() };
        let journal = if on(Mistake::AttemptUnjournalled) { Vec::new() } else { vec![Step::Journal(attempt.clone())] };
        self.apply(None, journal).await?;
        self.attempt = Some(attempt);
        Ok(true)
    }

    /// Stages the newest row of each pending document; `None` if there is none that the store can take.
    async fn stage(&mut self) -> Result<Option<Load>> {
        self.too_large.clear();
        // Of an agreed plan only what it knew is pushed, and without a poll only what was found to be little.
        let newest = match (self.agreed, self.ahead) {
            (Some(plan), _) => plan.last_row(),
            (None, Some(ahead)) => Some(ahead.last),
            (None, None) => self.client.replica.outbox(&[]).await?.last_row,
        };
        let Some(last) = newest else {
            return Ok(None);
        };
        let first = self.client.replica.pending(None, last, PAGE).await?;
        if first.is_empty() {
            return Ok(None);
        }
        let in_conflict = self.client.replica.conflicts().await?.len() as u64;
        let total = self.client.replica.pending_count().await?.saturating_sub(in_conflict);
        let noted = Mutex::new(Noted::default());
        let note = |change: &PendingChange| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.rows.push(change.row);
            noted.bytes += change.change.action.len() as u64;
            // Before it is known that this is all there is to do, nothing is told of it.
            if self.ahead.is_none() {
                self.progress(Phase::Push, noted.rows.len() as u64, Some(total), noted.bytes);
            }
        };
        let changes = self.pages(first, last).map(|change| {
            change.map(|change| {
                note(&change);
                change.change
            })
        });
        let end = stream::poll_fn(|_| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).whole = true;
            Poll::Ready(None)
        });
        let changes = changes.chain(end);
        let staged = self.client.server.put(self.tip()?.number(), changes.boxed()).await?;
        let Noted { mut rows, whole, .. } = noted.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = staged.too_large.first().filter(|_| on(Mistake::TooLargeStopsAll)) {
            return Err(Error::from(first.clone()).with_operation("push"));
        }
        if !staged.too_large.is_empty() {
            let left = self.rows_of(&staged.too_large).await?;
            rows.retain(|row| !left.contains(*row) || on(Mistake::TooLargeDropped));
            self.too_large.clone_from(&staged.too_large);
        }
        let rows: RowSet = rows.into_iter().collect();
        Ok((!rows.is_empty()).then_some(Load { staged, rows, whole }))
    }

    async fn rows_of(&self, large: &[TooLarge]) -> Result<RowSet> {
        let ids: Vec<DocumentId> = large.iter().map(|large| large.id.clone()).collect();
        let outbox = self.client.replica.outbox(&ids).await?;
        Ok(outbox.rows.into_values().flatten().map(|pending| pending.row).collect())
    }

    fn pages(
        &self,
        first: Vec<PendingChange>,
        last: RowNumber,
    ) -> impl stream::Stream<Item = Result<PendingChange>> + Send {
        let replica = &self.client.replica;
        stream::unfold(Some(Ok(first)), move |page| async move {
            let page = match page? {
                Ok(page) => page,
                Err(error) => return Some((vec![Err(error)], None)),
            };
            let after = page.last()?.row;
            let following = if after < last { Some(replica.pending(Some(after), last, PAGE).await) } else { None };
            Some((page.into_iter().map(Ok).collect(), following))
        })
        .flat_map(stream::iter)
    }

    /// Sends the open attempt; true once it is in the log, false if another entry has its number.
    async fn send(&mut self) -> Result<bool> {
        let Some(attempt) = self.attempt.clone() else {
            return Err(Error::new(ErrorKind::Internal, "no attempt is open"));
        };
        self.freshen().await?;
        if on(Mistake::RowsDroppedFirst) {
            self.apply(None, vec![Step::Commit, Step::Journal(attempt.clone())]).await?;
        }
        let entry = Prepared { sequence: attempt.sequence, hash: attempt.hash, bytes: attempt.bytes };
        let sent = self.now();
        let written = self.client.server.changes_write(&entry).await;
        let doubt = written.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown);
        let dismissed = on(Mistake::LateAnswerDismissed) && self.now().since(sent) >= Duration::from_secs(30);
        if dismissed || (doubt && on(Mistake::NextNumberOnDoubt)) {
            let time = self.tip()?.time;
            self.state.known_mut()?.advance(Tip { sequence: Some(attempt.sequence), hash: attempt.hash, time });
            self.attempt = None;
            self.apply(None, vec![Step::Abandon]).await?;
            return Ok(false);
        }
        let Reply { value, time } = match written {
            Err(error) if taken_for_done(&error) => Reply::new(Written::Committed),
            Err(error) => return self.not_written(error).await,
            Ok(written) => written,
        };
        self.client.note_create_time(self.now().since(sent));
        match value {
            Written::Taken => Ok(false),
            Written::BelowFloor => Err(below_floor(attempt.sequence)),
            Written::Committed => {
                if !self.state.known()?.counts(time, &self.moment()) {
                    self.above_floor(attempt.sequence).await?;
                }
                self.state.known_mut()?.saw(time);
                let newest = self.state.known()?.newest_time;
                let tip = Tip { sequence: Some(attempt.sequence), hash: attempt.hash, time: newest };
                self.committed(tip, time).await?;
                Ok(true)
            }
        }
    }
}

//! Pushing without a poll: what is created behind the checkpoint proves that it was the head, and that there is nothing to pull.

use std::time::Duration;

use super::open::FRESH;
use super::options::LockPolicy;
use super::report::Phase;
use super::session::Session;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::model::RowNumber;
use crate::replica::{PendingChange, Step};
use crate::sabotage::{Mistake, on};

/// Bytes of bodies and ids that go ahead at the most: an entry holds them, however little they compress.
const MOST: usize = 448 << 10;
/// How long a client waits after its last commit. One that creates entry after entry with no poll between them leaves others, who poll,
/// no moment to create theirs.
const REST: Duration = Duration::from_secs(1);

/// What goes ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    /// The newest row: what the app writes later waits for the next sync.
    pub(super) last: RowNumber,
    /// Rows.
    count: u64,
    /// Bytes of bodies.
    bytes: u64,
}

impl Session<'_> {
    /// Commits what is pending, if others have probably committed nothing. If they have, that one try is lost, and everything
    /// goes on from there as ever.
    ///
    /// False if nothing was tried, or the store refused it: then the sync begins as any other.
    pub(super) async fn push_ahead(&mut self) -> Result<bool> {
        self.ahead = self.goes_ahead().await?;
        if self.ahead.is_none() {
            return Ok(false);
        }
        self.progress(Phase::Open, 0, None, 0);
        let pushed = self.push().await;
        let refused = self.ahead.take().is_some() && self.attempt.is_none();
        match pushed {
            // Who may not write can still read.
            Err(error) if refused && error.kind() != ErrorKind::Unavailable => {
                self.client.note_overtaken(true);
                Ok(false)
            }
            pushed => pushed,
        }
    }

    /// Only little, and only soon after the store was looked at. An attempt whose fate is open, a conflict, a plan or the lease
    /// ask for the log first.
    async fn goes_ahead(&self) -> Result<Option<Ahead>> {
        let client = self.client;
        let begun =
            self.state.store.as_ref().is_some_and(|known| known.tip.sequence.is_some() && known.between.is_none());
        let alone = self.agreed.is_none() && self.attempt.is_none() && client.lock_policy != LockPolicy::Always;
        let rested = client.committed_at().is_none_or(|at| self.now().since(at) >= REST);
        if !begun || !alone || !rested || !self.trusted(FRESH) || client.was_overtaken() {
            return Ok(None);
        }
        if !client.replica.conflicts().await?.is_empty() {
            return Ok(None);
        }
        let Some(last) = client.replica.outbox(&[]).await?.last_row else {
            return Ok(None);
        };
        let page = client.replica.pending(None, last, MOST).await?;
        let whole = page.last().is_some_and(|pending| pending.row == last);
        let sum = |of: fn(&PendingChange) -> usize| page.iter().map(of).sum::<usize>();
        let bytes = sum(|pending| pending.change.action.len());
        let names = sum(|pending| pending.change.id.as_str().len());
        Ok((whole && bytes + names <= MOST).then_some(Ahead { last, count: page.len() as u64, bytes: bytes as u64 }))
    }

    /// What went ahead was committed.
    pub(super) fn went_ahead(&mut self) {
        if let Some(Ahead { count, bytes, .. }) = self.ahead.take() {
            self.progress(Phase::Push, count, Some(count), bytes);
        }
    }

    /// The entry was not written, as the server says or shows. What went ahead is no attempt any more: the app may change
    /// it, or take it back, before a server is reached.
    pub(super) async fn not_written(&mut self, error: Error) -> Result<bool> {
        let unwritten = error.outcome() == Outcome::NotApplied || on(Mistake::AheadAbandonsOnDoubt);
        if self.ahead.is_some() && unwritten {
            self.attempt = None;
            self.apply(None, vec![Step::Abandon]).await?;
        }
        Err(error)
    }
}

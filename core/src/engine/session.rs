//! One sync under way: what it knows, and how it moves the replica.

use crate::engine::Client;
use crate::engine::ahead::Ahead;
use crate::engine::open::{Reading, below_floor};
use crate::engine::plan::Plan;
use crate::engine::report::{Phase, Progress, SyncReport};
use crate::engine::state::{Moment, State};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RowNumber;
use crate::replica::{Applied, Attempt, Batch, Claim, Step};
use crate::runtime::{Ticks, new_client_id};
use crate::sabotage::{Mistake, on};
use crate::server::{Lease, Tip, TooLarge, Traffic};

/// One minute: how old the kept time of the last sync may get before a poll without news writes it down.
const STATUS_LAG: u64 = 60_000;

/// From how many snapshots one sync goes on: it takes a new one only where the log behind the last was trimmed meanwhile.
const BOOTS: u32 = 10;

/// That the store was found to be the known one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verified {
    pub(super) tip: Tip,
    pub(super) at: Ticks,
}

pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) state: State,
    /// The state as the replica has it.
    saved: Option<State>,
    pub(super) attempt: Option<Attempt>,
    pub(super) report: SyncReport,
    pub(super) verified: Option<Verified>,
    pub(super) lease: Option<Lease>,
    /// Whether pending rows were settled, answered or put into conflict, or a collection was seen: what was staged from them
    /// must be staged again.
    pub(super) restage: bool,
    /// Documents that the store takes no object for: what was staged last has no change of theirs.
    pub(super) too_large: Vec<TooLarge>,
    /// Body bytes stored here so far.
    pub(super) pulled_bytes: u64,
    /// Whether this sync looked at the store itself, as a process's first one does, and did not only poll.
    pub(super) opened: bool,
    /// What is pushed without a poll before it.
    pub(super) ahead: Option<Ahead>,
    /// What the caller agreed to, if it wants exactly that.
    pub(super) agreed: Option<&'a Plan>,
    before: Traffic,
    /// Held while the session lives.
    pub(super) claim: Claim,
}

impl<'a> Session<'a> {
    pub(super) async fn begin(client: &'a Client, verified: Option<Verified>) -> Result<Session<'a>> {
        let claim = client.replica.claim().await?;
        let loaded = client.replica.load().await?;
        let saved = loaded.state.as_deref().map(State::decode).transpose()?;
        let state = match &saved {
            Some(state) => state.clone(),
            None => State::new(new_client_id(&*client.runtime)?),
        };
        for change in client.replica.uncommitted().await? {
            client.replica.queue(change).await?;
        }
        if on(Mistake::AttemptAssumed) && loaded.attempt.is_some() {
            client.replica.apply(Batch { seen: None, steps: vec![Step::Commit] }).await?;
        }
        let overlooked = on(Mistake::AttemptForgotten) || on(Mistake::AttemptAssumed);
        Ok(Session {
            client,
            state,
            saved,
            attempt: loaded.attempt.filter(|_| !overlooked),
            report: SyncReport::default(),
            verified,
            lease: None,
            restage: false,
            too_large: Vec::new(),
            pulled_bytes: 0,
            opened: false,
            ahead: None,
            agreed: None,
            before: client.server.traffic(),
            claim,
        })
    }

    /// Everything a sync does. What was [left out](Self::left_out) is no failure of it: the caller says it afterwards.
    pub(super) async fn run(&mut self) -> Result<()> {
        let mut booted = 0;
        while let Err(error) = self.in_step(booted > 0).await {
            if !error.is_below_floor() {
                return Err(error);
            }
            if booted == BOOTS {
                let what = "the log is trimmed faster than this sync follows: try again";
                return Err(Error::new(ErrorKind::Unavailable, what).with_operation("sync"));
            }
            self.ahead = None;
            self.boot().await?;
            booted += 1;
        }
        self.report.unresolved = self.client.replica.conflicts().await?.len() as u64;
        self.state.last_synced = Some(self.client.runtime.wall());
        self.state.last_error = self.left_out().map(|error| error.to_string());
        self.save_if_worth_it().await?;
        self.unlock().await;
        Ok(())
    }

    /// Opens, pulls and pushes; behind a snapshot that was just applied it goes on without opening.
    async fn in_step(&mut self, booted: bool) -> Result<()> {
        if !booted && self.push_ahead().await? {
            return Ok(());
        }
        let first = if booted { self.poll().await? } else { self.begin_pull().await? };
        self.pull_first(first).await?;
        self.resolve().await?;
        self.push().await?;
        Ok(())
    }

    async fn begin_pull(&mut self) -> Result<Vec<Reading>> {
        self.check_agreed_outbox().await?;
        let first = self.open().await?;
        let first = self.lock_if_always(first).await?;
        self.check_agreed().await?;
        // Documents of a snapshot that was applied in part are no state of the log: only a snapshot leads on.
        match self.state.known()?.between {
            Some(between) => Err(below_floor(between)),
            None => Ok(first),
        }
    }

    /// Pulls what others committed, and remembers for the next push whether they had.
    async fn pull_first(&mut self, first: Vec<Reading>) -> Result<()> {
        let (before, pushes) = (self.tip()?, self.pushes().await?);
        self.pull(first).await?;
        if pushes {
            self.client.note_overtaken(self.tip()? != before);
        }
        Ok(())
    }

    /// Does these steps and saves the state with them.
    pub(super) async fn apply(&mut self, seen: Option<RowNumber>, mut steps: Vec<Step>) -> Result<Applied> {
        steps.push(Step::State(self.state.encode()?));
        let applied = self.client.replica.apply(Batch { seen, steps }).await?;
        if applied == Applied::Done {
            self.saved = Some(self.state.clone());
        }
        Ok(applied)
    }

    pub(super) async fn save(&mut self) -> Result<()> {
        self.apply(None, Vec::new()).await.map(drop)
    }

    /// Saves what changed, unless it is only the time: a sync without news should not write to the disk each time.
    async fn save_if_worth_it(&mut self) -> Result<()> {
        let Some(saved) = &self.saved else {
            return self.save().await;
        };
        let lag = self.state.last_synced.unwrap_or(0).abs_diff(saved.last_synced.unwrap_or(0));
        let mut same = saved.clone();
        same.last_synced = self.state.last_synced;
        if let (Some(same), Some(now)) = (&mut same.store, &self.state.store) {
            (same.head_time, same.newest_time) = (now.head_time, now.newest_time);
            same.head_at.clone_from(&now.head_at);
        }
        if same == self.state && lag < STATUS_LAG && !self.opened { Ok(()) } else { self.save().await }
    }

    /// Writes down why the sync failed, for the status. If that fails too, the error itself still reaches the caller.
    pub(super) async fn remember_failure(&mut self, error: &crate::error::Error) {
        // What was decided and not done is forgotten: a checkpoint may have moved in memory over entries that were never applied.
        self.state = match &self.saved {
            _ if on(Mistake::FailureKeepsCheckpoint) => self.state.clone(),
            Some(saved) => saved.clone(),
            None => State::new(self.state.client),
        };
        self.state.last_error = Some(error.to_string());
        if let Err(error) = self.save().await {
            tracing::warn!(%error, "the failure could not be written down");
        }
    }

    pub(super) fn tip(&self) -> Result<Tip> {
        Ok(self.state.known()?.tip)
    }

    pub(super) fn now(&self) -> Ticks {
        self.client.runtime.now()
    }

    /// Now, on all clocks of ours.
    pub(super) fn moment(&self) -> Moment {
        Moment::now(&*self.client.runtime)
    }

    pub(super) fn progress(&self, phase: Phase, done: u64, total: Option<u64>, bytes: u64) {
        if let Some(observer) = &self.client.observer {
            observer.progress(Progress { phase, done, total, bytes });
        }
    }

    /// The report, with the traffic of this sync.
    pub(super) fn finish(&self) -> SyncReport {
        let traffic = self.client.server.traffic() - self.before;
        let mut report = self.report.clone();
        report.checkpoint = self.state.store.as_ref().and_then(|known| known.tip.sequence);
        (report.requests, report.bytes_up, report.bytes_down) =
            (traffic.requests, traffic.bytes_up, traffic.bytes_down);
        report
    }
}

//! What a device does, step by step, and what may come of it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{DocumentId, Error, ErrorKind, LockRequest, Locked, MetadataName, Outcome, SyncReport};

use super::Broken;
use super::coverage::STEP;
use super::fault::Fault;
use super::history::{Deed, End, Step, name};
use super::oracle::Side;
use super::shadow::Shadow;
use super::time::let_others_run;
use super::world::{Checkpoint, World};
use super::wrong;
use crate::case::Rule;

/// Half an hour, less what a device's clock may be off by in it.
const LONG: u64 = 29 * 60_000;

/// How a call ended for the app.
pub(super) enum Ended<T> {
    Done(T),
    /// Its process died.
    Died,
    /// The app dropped it.
    Dropped,
}

impl World<'_> {
    /// Follows a device's script.
    pub(super) async fn follow(&self, at: usize) {
        for step in &self.history.clients[at].script {
            self.time.sleep(step.gap).await;
            let_others_run().await;
            self.shore.note(|| format!("{} {step}", name(at)));
            self.pier(at).arm(&step.faults);
            self.counters.count(STEP);
            if let Err(broken) = self.take(at, step).await {
                self.oracle.blame(broken);
            }
        }
    }

    async fn take(&self, at: usize, step: &Step) -> Result<(), Broken> {
        let side = (at, step.domain);
        match &step.deed {
            Deed::Write(write) => self.write(side, write),
            Deed::WriteMany { first, count, bodies } => self.write_many(side, (*first, *count, *bodies))?,
            Deed::Sync => self.sync(side, step).await?,
            Deed::Lease { ttl, hold, end } => self.lease(side, step, (*ttl, *hold, *end)).await?,
            Deed::Metadata => self.count_up(side, step).await?,
            Deed::Restart => self.restart(at),
            Deed::Reboot => {
                self.counters.count("fault: reboot");
                self.restart(at);
                self.devices.borrow()[at].machine.reboot();
            }
            Deed::Backup => self.backup(at),
            Deed::Restore => self.restore(at),
            Deed::CopyOf(other) => self.copy(*other, at),
            Deed::WrongStore(kind) => wrong::sync_with(self, side, *kind).await?,
            Deed::ServerClock(by) => {
                self.counters.count_if(self.history.timed, "fault: server clock jumped");
                self.shore.jump(*by);
            }
        }
        Ok(())
    }

    /// Waits for a call as an app does: while its process lives, its machine runs, and it wants to.
    async fn guarded<T>(&self, side: Side, step: &Step, call: impl Future<Output = T>) -> Ended<T> {
        let mut call = pin!(call);
        let (pier, mut polls, mut asleep) = (self.pier(side.0), 0, None);
        poll_fn(|context| {
            if let Some(sleep) = &mut asleep {
                let sleep: &mut super::time::Sleep = sleep;
                if pin!(sleep).poll(context).is_pending() {
                    return Poll::Pending;
                }
                asleep = None;
            }
            let poll = polls;
            polls += 1;
            step.meanwhile.iter().filter(|(at, _)| *at == poll).for_each(|(_, write)| self.write(side, write));
            for planned in &step.faults {
                match planned.fault {
                    Fault::Dropped { polls } if polls == poll => {
                        self.counters.count("fault: sync dropped");
                        return Poll::Ready(Ended::Dropped);
                    }
                    Fault::Suspended { polls, millis } if polls == poll => asleep = Some(self.suspend(side.0, millis)),
                    _ => {}
                }
            }
            if asleep.is_some() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            match call.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Ended::Done(value)),
                Poll::Pending if pier.dead() => Poll::Ready(Ended::Died),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn suspend(&self, at: usize, millis: u64) -> super::time::Sleep {
        let until = self.time.now() + millis;
        let held = self.shore.holds_until(name(at)).is_some_and(|end| end < until);
        self.counters.count(if held { "fault: suspended lease holder" } else { "fault: suspended" });
        self.time.until(until)
    }

    async fn sync(&self, side: Side, step: &Step) -> Result<(), Broken> {
        let before = self.oracle.shadow(side);
        let checkpoint = self.checkpoint(side)?;
        let client = self.client(side)?;
        let ended = self.guarded(side, step, client.sync()).await;
        self.set_checkpoint(side, Checkpoint::Unknown);
        match ended {
            Ended::Died => {
                self.restart(side.0);
                self.interrupted(side);
            }
            Ended::Dropped => self.interrupted(side),
            Ended::Done(Ok(report)) => {
                let pulled = report.checkpoint.map_or(0, longshore_core::Sequence::get) - checkpoint.unwrap_or(0);
                self.counters.count_if(pulled > 2, "pull: several entries at once");
                self.synced(side, &report, &before)?;
            }
            Ended::Done(Err(error)) => self.failed(side, &error, &before)?,
        }
        self.check_replica(side);
        Ok(())
    }

    fn interrupted(&self, side: Side) {
        self.counters.count("sync: interrupted");
        self.counters.count_if(self.oracle.shadow(side).attempt.is_some(), "push: outcome unknown");
    }

    /// A sync that ended well has committed everything that was pending when it began, and is not in conflict.
    pub(super) fn synced(&self, side: Side, report: &SyncReport, before: &Shadow) -> Result<(), Broken> {
        self.shore.note(|| format!("{} {report:?}", name(side.0)));
        let number = report.checkpoint.map_or(0, longshore_core::Sequence::get);
        self.set_checkpoint(side, Checkpoint::At(Some(number)));
        self.counters.count("sync: done");
        self.counters.count_if(report.races_lost > 0, "push: race lost");
        self.counters.count_if(report.races_lost > 1, "push: lost two races and more in one sync");
        self.counters.count_if(report.races_lost > 0 && report.pushed > 0, "push: rebased and committed");
        self.counters.count_if(report.cloned, "clone: noticed");
        self.all_committed(side, before, &[])
    }

    /// Everything that was pending before, and is not in conflict, was committed; but for these.
    fn all_committed(&self, side: Side, before: &Shadow, but: &[DocumentId]) -> Result<(), Broken> {
        let after = self.oracle.shadow(side);
        for (id, row) in before.pending() {
            let newest = after.newest(&id).filter(|(newest, _)| *newest == row);
            let waits = after.conflicts.contains_key(&id) || but.contains(&id);
            if let Some((_, written)) = newest.filter(|_| !waits) {
                let seen = format!("device {} has synced, and {} is still pending", name(side.0), written.words());
                return Err(Broken::new(Rule::Invariant(2), seen));
            }
        }
        Ok(())
    }

    /// A sync that ended well but for documents that no object can hold: those wait, and nothing waits with them. False if there
    /// is none.
    pub(super) fn left_out(&self, side: Side, error: &Error, before: &Shadow) -> Result<bool, Broken> {
        // The app may have written them since, or made others by an answer.
        let mut too_large = self.too_large(before);
        too_large.extend(self.too_large(&self.oracle.shadow(side)));
        let left = error.kind() == ErrorKind::Unsupported && error.operation() == Some("push");
        if !left || too_large.is_empty() {
            return Ok(false);
        }
        self.all_committed(side, before, &too_large)?;
        let beside = before.pending().keys().any(|id| !too_large.contains(id));
        self.counters.count_if(beside, "push: what is too large waits alone");
        Ok(true)
    }

    fn failed(&self, side: Side, error: &Error, before: &Shadow) -> Result<(), Broken> {
        self.shore.note(|| format!("{} sync failed: {error}", name(side.0)));
        if self.left_out(side, error, before)? {
            return Ok(());
        }
        match error.kind() {
            ErrorKind::Unavailable => {
                self.counters.count("sync: interrupted");
                let open = self.oracle.shadow(side).attempt.is_some();
                let known = error.outcome() == Outcome::NotApplied;
                self.counters.count_if(open && !known, "push: outcome unknown");
                self.counters.count_if(known, "push: refused");
                Ok(())
            }
            ErrorKind::Locked => {
                self.counters.count("sync: busy");
                Ok(())
            }
            kind => self.excused(side, kind, error),
        }
    }

    /// Where a reply came from the past, the engine may refuse the store; a probe whose calls fail may refuse it too.
    fn excused(&self, side: Side, kind: ErrorKind, error: &Error) -> Result<(), Broken> {
        let (stale, fired) = self.pier(side.0).met();
        let refusal = matches!(kind, ErrorKind::Replaced | ErrorKind::Corrupt | ErrorKind::Unsupported);
        if (stale && refusal) || (fired && kind == ErrorKind::Unsupported) {
            self.counters.count("stale: refused");
            let unseen = error.message().contains("said to exist");
            self.counters.count_if(unseen, "create: never shown, given up");
            return Ok(());
        }
        let seen = format!("device {} met no fault that explains it, and a call failed: {error}", name(side.0));
        let rule = if kind == ErrorKind::Replaced { Rule::Invariant(10) } else { Rule::Invariant(11) };
        Err(Broken::new(rule, seen))
    }

    async fn lease(&self, side: Side, step: &Step, (ttl, hold, end): (u64, u64, End)) -> Result<(), Broken> {
        if self.checkpoint(side)?.is_none() {
            return Ok(());
        }
        let client = self.client(side)?;
        let sighting = self.devices.borrow()[side.0].sighting.clone().filter(|_| side.1 == 0);
        let request = LockRequest::new("the app's own").with_ttl(Duration::from_millis(ttl)).with_sighting(sighting);
        let mut lease = match self.guarded(side, step, client.lock(&request)).await {
            Ended::Done(Ok(Locked::Granted(lease))) => lease,
            Ended::Done(Ok(Locked::Held(other))) => {
                self.devices.borrow_mut()[side.0].sighting = Some(other.sighting).filter(|_| side.1 == 0);
                return Ok(());
            }
            Ended::Done(Err(error)) => return self.allowed(side, &error),
            Ended::Died => {
                self.restart(side.0);
                return Ok(());
            }
            Ended::Dropped => return Ok(()),
        };
        // Its app does not run meanwhile, as on a machine that sleeps.
        self.counters.count_if(hold > ttl, "fault: suspended lease holder");
        self.time.sleep(hold).await;
        if matches!(end, End::Renew) {
            lease = match self.guarded(side, &step.bare(), client.renew(&lease)).await {
                Ended::Done(Ok(lease)) => lease,
                ended => return self.lease_ended(side, ended.map(|ended| ended.map(drop))),
            };
        }
        if matches!(end, End::Forget) {
            return Ok(());
        }
        let ended = self.guarded(side, &step.bare(), client.unlock(&lease)).await;
        self.lease_ended(side, ended)
    }

    fn lease_ended(&self, side: Side, ended: Ended<Result<(), Error>>) -> Result<(), Broken> {
        match ended {
            Ended::Done(Err(error)) => self.allowed(side, &error),
            Ended::Died => {
                self.restart(side.0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn allowed(&self, side: Side, error: &Error) -> Result<(), Broken> {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Locked => Ok(()),
            ErrorKind::Fenced => {
                self.counters.count("lease: fenced");
                Ok(())
            }
            kind => self.excused(side, kind, error),
        }
    }

    async fn count_up(&self, side: Side, step: &Step) -> Result<(), Broken> {
        if self.checkpoint(side)?.is_none() {
            return Ok(());
        }
        let client = self.client(side)?;
        let name = MetadataName::new("counter")?;
        let body = Bytes::from(format!("metadata {}", self.next_write()));
        let call = async {
            let newest = client.metadata_read(&name).await?.map(|metadata| metadata.version);
            Ok(client.metadata_write(&name, newest, body.clone()).await)
        };
        let started = self.time.now();
        let written = match self.guarded(side, step, call).await {
            Ended::Done(Ok(written)) => written,
            Ended::Done(Err(error)) => return self.allowed(side, &error),
            ended => {
                self.counters.count("metadata: outcome unknown");
                return self.lease_ended(side, ended.map(|ended| ended.map(drop)));
            }
        };
        match written {
            Ok(version) => {
                self.counters.count("metadata: written");
                self.metadata.borrow_mut().acknowledged.push((side.1, version, body));
                Ok(())
            }
            Err(error) if error.outcome() == Outcome::Unknown => {
                self.counters.count("metadata: outcome unknown");
                // Its version was there for long before its reply came, so that others may have written the next.
                let superseded = error.kind() == ErrorKind::Conflict && self.time.now() - started >= LONG;
                if superseded { Ok(()) } else { self.allowed(side, &error) }
            }
            Err(error) => {
                self.counters.count_if(error.kind() == ErrorKind::Conflict, "metadata: conflict");
                self.metadata.borrow_mut().refused.push(body);
                if error.kind() == ErrorKind::Conflict { Ok(()) } else { self.allowed(side, &error) }
            }
        }
    }

    fn backup(&self, at: usize) {
        for (domain, half) in self.devices.borrow_mut()[at].halves.iter_mut().enumerate() {
            half.backup = Some(half.replica.fork());
            self.oracle.backup((at, domain));
        }
    }

    /// What was written since the backup, and never committed, is gone with its disk.
    fn restore(&self, at: usize) {
        let restored = {
            let mut devices = self.devices.borrow_mut();
            let mut restored = false;
            for (domain, half) in devices[at].halves.iter_mut().enumerate() {
                if let Some(backup) = &half.backup {
                    half.replica = backup.fork();
                    half.checkpoint = Checkpoint::Unknown;
                    self.oracle.restore((at, domain));
                    restored = true;
                }
            }
            restored
        };
        if restored {
            self.counters.count("fault: restored from a backup");
            self.restart(at);
        }
    }

    fn copy(&self, from: usize, to: usize) {
        self.counters.count("fault: device copied");
        {
            let mut devices = self.devices.borrow_mut();
            for domain in 0..2 {
                let copy = devices[from].halves[domain].replica.fork();
                devices[to].halves[domain].replica = copy;
                devices[to].halves[domain].checkpoint = Checkpoint::Unknown;
                self.oracle.copy((from, domain), (to, domain));
            }
        }
        self.restart(to);
    }
}

impl Step {
    /// The same without what befalls its first call.
    fn bare(&self) -> Self {
        Self { faults: Vec::new(), meanwhile: Vec::new(), ..self.clone() }
    }
}

impl<T> Ended<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Ended<U> {
        match self {
            Self::Done(value) => Ended::Done(f(value)),
            Self::Died => Ended::Died,
            Self::Dropped => Ended::Dropped,
        }
    }
}

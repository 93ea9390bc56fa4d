//! Rounds of one story: a user writes on a device, a child process syncs it and is killed at a call (SIGKILL), and then the same
//! replica goes on. Nothing may be lost, nothing may be there twice, no lease may stay.
//!
//! A call is one of the server or of the replica: between two of the replica there may be none of the server, and what one
//! transaction must do together may have been done in two. The child says in which call it dies. At least 80 of 100 kills must
//! lie after the first call of the server in a sync and before the last. A child that comes to its end alive counts for nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{Change, Document, DocumentId, LockRequest, Locked, SyncReport};
use longshore_replica::SqliteReplica;

use super::course::Course;
use crate::case::Rule;
use crate::cases::oracle::{self, Documents};
use crate::context::Context;
use crate::crash::{self, Fate, Order, Place, Work};
use crate::dice::Dice;
use crate::faults::Plan;
use crate::verdict::{Failure, ensure};

/// The time-to-live of a sync's lease, and what jitter and the last look may add.
const TTL: Duration = Duration::from_secs(30);
const SLACK: Duration = Duration::from_secs(2);
/// Of so many rounds one dies at the edge of its sync, where the last call takes effect.
const EDGE: usize = 8;

/// Two devices on one store, and what both must hold.
struct Devices {
    cx: Context,
    dice: Dice,
    expected: Documents,
    writes: usize,
    /// How many kills there were, and how many of them in the middle of a sync.
    kills: usize,
    proved: usize,
}

const NAMES: [&str; 2] = ["a", "b"];

pub(super) async fn in_a_push(cx: Context) -> Result<(), Failure> {
    let mut devices = Devices::new(cx).begin().await?;
    for round in 0..devices.rounds() {
        let bulk = round % 3 == 2;
        devices.write(0, round, bulk).await?;
        let course = devices.course(0, Work::Sync).await?;
        devices.write(0, round, bulk).await?;
        devices.kill(0, round, Work::Sync, &course).await?;
        devices.settle(&[0, 1]).await.map_err(|failure| failure.within(format!("round {round}")))?;
    }
    devices.end().await
}

pub(super) async fn in_a_pull(cx: Context) -> Result<(), Failure> {
    let mut devices = Devices::new(cx).begin().await?;
    for round in 0..devices.rounds() {
        let bulk = round % 3 == 2;
        devices.write_on_both(round, bulk).await?;
        let course = devices.course(1, Work::Sync).await?;
        devices.write_on_both(round, bulk).await?;
        devices.kill(1, round, Work::Sync, &course).await?;
        devices.settle(&[1, 0, 1]).await.map_err(|failure| failure.within(format!("round {round}")))?;
    }
    devices.end().await
}

pub(super) async fn with_the_lease(cx: Context) -> Result<(), Failure> {
    let mut devices = Devices::new(cx).begin().await?;
    for round in 0..devices.rounds() {
        devices.write(0, round, false).await?;
        let course = devices.course(0, Work::SyncUnderLease).await?;
        devices.write(0, round, false).await?;
        devices.kill(0, round, Work::SyncUnderLease, &course).await?;
        let within = |failure: Failure| failure.within(format!("round {round}"));
        devices.takes_the_lease_over(1).await.map_err(within)?;
        devices.settle(&[0, 1]).await.map_err(within)?;
    }
    devices.end().await
}

impl Devices {
    fn new(cx: Context) -> Self {
        let dice = Dice::for_purpose(cx.seed(), "crash");
        Self { cx, dice, expected: Documents::new(), writes: 0, kills: 0, proved: 0 }
    }

    /// Both join, and have synced before: a first sync makes other calls than a later one.
    async fn begin(mut self) -> Result<Self, Failure> {
        for device in [0, 1] {
            self.write(device, 0, false).await?;
            self.settle(&[0, 1, 0]).await?;
        }
        Ok(self)
    }

    /// At full size 210 over the three stories.
    fn rounds(&self) -> usize {
        self.cx.size().pick(1, 8, 70)
    }

    fn path(&self, device: usize) -> PathBuf {
        self.cx.scratch().path().join(format!("crash-{}-{}.db", self.cx.slot, NAMES[device]))
    }

    async fn replica(&self, device: usize) -> Result<Arc<SqliteReplica>, Failure> {
        crash::replica(self.path(device)).await
    }

    async fn put(&mut self, device: usize, documents: Vec<Document>) -> Result<(), Failure> {
        self.expected.extend(documents.iter().map(|document| (document.id.clone(), document.body.clone())));
        let changes = documents.into_iter().map(Change::put).collect();
        Ok(self.replica(device).await?.write(changes).await?)
    }

    /// An edit, a new document, a deletion, and perhaps as much as needs a segment.
    async fn write(&mut self, device: usize, round: usize, bulk: bool) -> Result<(), Failure> {
        self.writes += 1;
        let step = self.writes;
        let mut documents = vec![
            Document::new("edited", format!("edit {step} of round {round}"))?,
            Document::new(format!("new/{step}"), format!("new {step} of round {round}"))?,
        ];
        if bulk {
            let mut text = |_| format!("{:016x}", self.dice.next());
            let body: String = (0..80_000).map(&mut text).collect();
            documents.push(Document::new("bulk", body)?);
        }
        self.put(device, documents).await?;
        let old = DocumentId::new(format!("new/{}", step.saturating_sub(1)))?;
        if self.expected.remove(&old).is_some() {
            self.replica(device).await?.delete(old).await?;
        }
        Ok(())
    }

    /// One has written and synced, and the other has written too: it pulls, and then pushes.
    async fn write_on_both(&mut self, round: usize, bulk: bool) -> Result<(), Failure> {
        self.write(0, round, bulk).await?;
        self.sync(0, Work::Sync).await?;
        let step = self.writes;
        self.put(1, vec![Document::new(format!("own/{step}"), format!("own {step} of round {round}"))?]).await
    }

    /// What such a sync calls in a process of its own that nobody kills.
    async fn course(&self, device: usize, work: Work) -> Result<Course, Failure> {
        let order = Order::new(&self.cx, self.path(device), work, None, 0);
        match crash::run(order).await? {
            Fate::Ended { calls } => {
                let said = calls.join(" ");
                Course::new(calls).ok_or_else(|| Failure::new(format!("a sync has no middle: {said}")))
            }
            Fate::Died { words, .. } => Err(Failure::new(format!("a child {words}, and nobody killed it"))),
        }
    }

    /// A child syncs this device, and dies at a call that the dice choose.
    async fn kill(&mut self, device: usize, round: usize, work: Work, course: &Course) -> Result<(), Failure> {
        let at = self.place(round, course);
        let order = Order::new(&self.cx, self.path(device), work, Some(at), self.dice.next());
        match crash::run(order).await? {
            Fate::Died { call, .. } => {
                ensure!(call == at.call, "a child was to die in call {} and died in call {call}", at.call);
                self.kills += 1;
                self.proved += usize::from(course.middle().contains(&at));
                Ok(())
            }
            // It made fewer calls than its like before: that proves nothing, and is no fault.
            Fate::Ended { calls: made } => {
                ensure!(made.len() <= at.call, "a child was to die in call {at:?} of {made:?} and lives");
                Ok(())
            }
        }
    }

    fn place(&mut self, round: usize, course: &Course) -> Place {
        if round % EDGE == EDGE - 1 {
            let edges = course.edges();
            return edges[round / EDGE % edges.len()];
        }
        self.dice.one_of(&if round.is_multiple_of(2) { course.writes() } else { course.middle() })
    }

    async fn sync(&self, device: usize, work: Work) -> Result<SyncReport, Failure> {
        let replica = self.replica(device).await?;
        let client = crash::client(&self.cx, &Plan::new(self.cx.clock()), &replica, work).await?;
        let report = client
            .sync()
            .await
            .map_err(|error| Failure::from(error).within(format!("device {} syncs after the kill", NAMES[device])))?;
        ensure!(!report.cloned, "device {} took itself for a copy: it forgot what it had sent", NAMES[device]);
        ensure!(report.conflicts == 0, "device {} met a conflict, and nobody quarrelled", NAMES[device]);
        Ok(report)
    }

    /// These sync in this order, and both hold what was written.
    async fn settle(&mut self, order: &[usize]) -> Result<(), Failure> {
        for device in order {
            self.sync(*device, Work::Sync).await?;
        }
        for (device, name) in NAMES.iter().enumerate() {
            oracle::equal(&format!("device {name}"), &self.documents(device).await?, &self.expected)?;
        }
        Ok(())
    }

    async fn documents(&self, device: usize) -> Result<Documents, Failure> {
        let (replica, mut documents) = (self.replica(device).await?, Documents::new());
        for id in replica.list(None, usize::MAX).await? {
            let body = replica.get(&id).await?.map_or_else(Bytes::new, |document| document.body);
            documents.insert(id, body);
        }
        Ok(documents)
    }

    /// Another device syncs under the lease of the dead one, after one time-to-live at the most; then it is free.
    async fn takes_the_lease_over(&self, device: usize) -> Result<(), Failure> {
        let before = self.cx.clock().millis();
        self.sync(device, Work::SyncUnderLease).await?;
        let waited = Duration::from_millis(self.cx.clock().millis() - before);
        ensure!(waited <= TTL + SLACK, "a dead process blocked another for {} s", waited.as_secs());
        let server = self.cx.server().await?;
        match server.lock(&LockRequest::new("nobody has it")).await? {
            Locked::Granted(lease) => Ok(server.unlock(&lease).await?),
            Locked::Held(held) => Err(Failure::new(format!("after a sync under the lease it is still held: {held:?}"))),
        }
    }

    /// Nothing is in the log twice, and the kills were where they were to be.
    async fn end(self) -> Result<(), Failure> {
        let log = oracle::log(&*self.cx.server().await?).await?;
        oracle::committed_once(&log)?;
        oracle::equal("the log", &oracle::fold(&log), &self.expected)
            .map_err(|failure| failure.with_rule(Rule::Invariant(2)))?;
        enough(self.proved, self.kills, self.rounds())
    }
}

/// Whether so many kills in the middle of a sync, of all that happened, in so many rounds show what the case is about.
fn enough(proved: usize, kills: usize, rounds: usize) -> Result<(), Failure> {
    ensure!(kills * 2 + 1 >= rounds, "only {kills} children died in {rounds} rounds");
    ensure!(proved * 5 >= kills * 4, "only {proved} of {kills} kills came in the middle of a sync");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child may end before the call that it was to die in: then it made fewer than another before.
    #[test]
    fn some_children_may_end_instead_of_dying() {
        for (rounds, alive) in [(8, 2), (70, 7), (70, 20)] {
            let edges = (0..rounds).filter(|round| round % EDGE == EDGE - 1).count();
            let kills = rounds - alive;
            assert_eq!(enough(kills - edges, kills, rounds), Ok(()), "{rounds} rounds");
        }
        assert_eq!(enough(0, 0, 1), Ok(()));
    }

    #[test]
    fn kills_at_the_edges_and_children_that_all_live_show_nothing() {
        assert!(enough(5, 8, 8).is_err());
        assert!(enough(1, 1, 8).is_err());
        assert!(enough(0, 0, 70).is_err());
    }
}

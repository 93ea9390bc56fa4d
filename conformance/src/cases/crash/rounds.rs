//! Rounds of one story: a user writes on a device, a child process syncs it and is killed at a call (SIGKILL), and then the same
//! replica goes on. Nothing may be lost, nothing may be there twice, no lease may stay.
//!
//! A call is one of the server or of the replica: between two of the replica there may be none of the server, and what one
//! transaction must do together may have been done in two. The child says in which call it dies. At least 80 of 100 kills must
//! lie after the first call of the server in a sync and before the last. A round whose child comes to its end alive counts for nothing
//! and is repeated.

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
/// The rounds of a story in the smaller sizes: too few for a share of them to mean much.
const FEW: usize = 8;
/// Rounds that end with a kill at full size, in all stories together.
const ALL: usize = 200;
/// The stories that share them.
const STORIES: usize = 3;

/// Two devices on one store, and what both must hold.
struct Devices {
    cx: Context,
    dice: Dice,
    expected: Documents,
    writes: usize,
    rounds: Rounds,
}

/// How far a story is.
#[derive(Debug)]
struct Rounds {
    /// How many there are to be, each with a kill.
    wanted: usize,
    /// How many were begun, and how many ended with a kill; of those, how many in the middle of a sync.
    begun: usize,
    kills: usize,
    proved: usize,
    /// Whether the child of the round before lived, so that this is the same round again.
    again: bool,
}

impl Rounds {
    fn new(wanted: usize) -> Self {
        Self { wanted, begun: 0, kills: 0, proved: 0, again: false }
    }

    /// The number of the next round, unless all ended with a kill, or too many with none.
    fn begin(&mut self) -> Option<usize> {
        let more = self.kills < self.wanted && self.begun < self.wanted * 2;
        self.begun += usize::from(more);
        more.then_some(self.kills)
    }

    fn died(&mut self, in_the_middle: bool) {
        self.kills += 1;
        self.proved += usize::from(in_the_middle);
        self.again = false;
    }

    fn lived(&mut self) {
        self.again = true;
    }

    /// Whether so many kills in the middle of a sync, in so many rounds, show what the case is about.
    fn enough(&self) -> Result<(), Failure> {
        let Self { wanted, kills, proved, .. } = *self;
        let least = if wanted <= FEW { wanted / 2 } else { ALL.div_ceil(STORIES) };
        ensure!(kills >= least, "only {kills} children died in {wanted} rounds, and {least} must");
        // Of a few rounds, one child that lives again and again is a large part, and says nothing about the store.
        let of = if wanted <= FEW { kills } else { wanted };
        ensure!(proved * 5 >= of * 4, "only {proved} of {of} kills came in the middle of a sync");
        Ok(())
    }
}

const NAMES: [&str; 2] = ["a", "b"];

pub(super) async fn in_a_push(cx: Context) -> Result<(), Failure> {
    let mut devices = Devices::new(cx).begin().await?;
    while let Some(round) = devices.rounds.begin() {
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
    while let Some(round) = devices.rounds.begin() {
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
    while let Some(round) = devices.rounds.begin() {
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
        // At full size 210 over the three stories.
        let rounds = Rounds::new(cx.size().pick(1, FEW, 70));
        Self { cx, dice, expected: Documents::new(), writes: 0, rounds }
    }

    /// Both join, and have synced before: a first sync makes other calls than a later one.
    async fn begin(mut self) -> Result<Self, Failure> {
        for device in [0, 1] {
            self.write(device, 0, false).await?;
            self.settle(&[0, 1, 0]).await?;
        }
        Ok(self)
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
                self.rounds.died(course.middle().contains(&at));
                Ok(())
            }
            // It made fewer calls than its like before: that proves nothing, and is no fault.
            Fate::Ended { calls: made } => {
                ensure!(made.len() <= at.call, "a child was to die in call {at:?} of {made:?} and lives");
                self.rounds.lived();
                Ok(())
            }
        }
    }

    fn place(&mut self, round: usize, course: &Course) -> Place {
        // Where a child lived on at the edge, its like would too.
        if round % EDGE == EDGE - 1 && !self.rounds.again {
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
        self.rounds.enough()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A story in which these rounds end so: with a kill at the edge or in the middle, or with a child that lives.
    fn story(wanted: usize, mut lives: impl FnMut(usize) -> bool) -> Rounds {
        let mut rounds = Rounds::new(wanted);
        while let Some(round) = rounds.begin() {
            if lives(rounds.begun) {
                rounds.lived();
            } else {
                rounds.died(round % EDGE != EDGE - 1 || rounds.again);
            }
        }
        rounds
    }

    /// A child may end before the call that it was to die in: then it made fewer than another before.
    #[test]
    fn a_round_whose_child_lives_is_repeated() {
        for wanted in [1, 8, 70] {
            for every in [usize::MAX, 7, 3, 2] {
                let rounds = story(wanted, |begun| begun % every == 0);
                assert_eq!((rounds.kills, rounds.enough()), (wanted, Ok(())), "{wanted} rounds, every {every} lives");
                assert!(rounds.begun <= wanted * 2, "{rounds:?}");
            }
        }
    }

    #[test]
    fn of_many_rounds_four_fifths_were_kills_in_the_middle_of_a_sync() {
        let rounds = |wanted, kills, proved| Rounds { kills, proved, ..Rounds::new(wanted) };
        assert_eq!(rounds(70, 70, 56).enough(), Ok(()));
        assert!(rounds(70, 70, 55).enough().is_err());
        // All that died did so in the middle, and they are too few.
        assert!(rounds(70, 66, 66).enough().is_err());
        assert_eq!(rounds(70, 67, 57).enough(), Ok(()));
        assert_eq!(rounds(FEW, 5, 5).enough(), Ok(()));
    }

    /// What a story must show at full size, times the stories, is what the suite promises of a full run.
    #[test]
    fn at_full_size_there_are_two_hundred_kills_and_four_fifths_of_them_in_the_middle() {
        let least = |enough: fn(usize) -> Rounds| (1..=70).find(|number| enough(*number).enough().is_ok()).unwrap();
        let kills = least(|kills| Rounds { kills, proved: kills, ..Rounds::new(70) });
        let proved = least(|proved| Rounds { kills: 70, proved, ..Rounds::new(70) });
        assert!(kills * STORIES >= ALL, "{kills} kills of each story");
        assert!(proved * STORIES * 5 >= ALL * 4, "{proved} proved kills of each story");
    }

    #[test]
    fn kills_at_the_edges_and_children_that_all_live_show_nothing() {
        let rounds = |wanted, kills, proved| Rounds { kills, proved, ..Rounds::new(wanted) };
        assert!(rounds(8, 8, 5).enough().is_err());
        assert!(rounds(8, 1, 1).enough().is_err());
        assert!(rounds(70, 0, 0).enough().is_err());
        assert_eq!(story(8, |_| true).begun, 16);
        assert!(story(8, |_| true).enough().is_err());
    }
}

//! A server that is killed and starts again must have what it acknowledged: here are storages in memory that are killed by a hook,
//! and forget; the case that kills must catch each of them, and no right one.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/judge.rs"]
mod judge;
#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "broken/matrix.rs"]
mod matrix;
#[path = "broken/printed.rs"]
mod printed;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use judge::{Cell, Judged};
use longshore_conformance::{Harness, Killable, Size, Suite};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Outcome,
    Payload, Reply, Result, Storage,
};
use matrix::{Matrix, Row};
use tokio::sync::watch;

const CASE: &str = "crash::of_the_server";
const OF_A_PART: &str = "crash::of_a_part_of_the_server";

fn main() -> ExitCode {
    printed::run(&[
        ("one_that_keeps_what_it_acknowledged_passes", one_that_keeps_what_it_acknowledged_passes),
        ("one_that_hangs_while_it_is_dead_passes", one_that_hangs_while_it_is_dead_passes),
        ("one_that_forgets_is_caught", one_that_forgets_is_caught),
        ("of_one_with_several_parts_one_may_die", of_one_with_several_parts_one_may_die),
        ("one_that_needs_all_of_its_parts_is_caught", one_that_needs_all_of_its_parts_is_caught),
        ("a_hook_that_fails_says_so", a_hook_that_fails_says_so),
        ("without_a_hook_nothing_is_killed", without_a_hook_nothing_is_killed),
    ])
}

/// What a kill does to what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    /// Nothing.
    KeepsAll,
    /// Nothing; and nobody says that it died: calls wait until it runs again, as at a gateway before a dead disk.
    Hangs,
    /// The last entry of the log that was acknowledged is gone.
    ForgetsAnEntry,
    /// The last four are.
    ForgetsFourEntries,
    /// The last segment is gone, the log is not.
    ForgetsASegment,
    /// Everything is gone.
    ForgetsAll,
    /// It is again what it was at the kill before.
    GoesBack,
    /// It stays dead.
    NeverStarts,
    /// The last four entries are gone when it comes back.
    ForgetsAtTheStart,
    /// It does not even die.
    CannotBeKilled,
}

#[derive(Clone, Debug)]
struct Mortal {
    disk: MemoryStorage,
    kill: Kill,
    runs: Arc<watch::Sender<bool>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kills: usize,
    /// What was acknowledged, the newest last.
    written: Vec<ObjectKey>,
    at_the_kill_before: BTreeMap<ObjectKey, Bytes>,
}

fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "nobody answers").with_outcome(Outcome::Unknown)
}

impl Mortal {
    fn new(kill: Kill) -> Self {
        Self { disk: MemoryStorage::new(), kill, runs: Arc::new(watch::Sender::new(true)), state: Arc::default() }
    }

    async fn answers(&self) -> Result<()> {
        if self.kill == Kill::Hangs {
            self.runs.subscribe().wait_for(|runs| *runs).await.unwrap();
        }
        if *self.runs.borrow() { Ok(()) } else { Err(gone()) }
    }

    /// The reply is lost if the server died meanwhile; else the write is acknowledged.
    async fn acknowledge(&self, key: &ObjectKey) -> Result<()> {
        tokio::task::yield_now().await;
        self.answers().await?;
        self.state.lock().unwrap().written.push(key.clone());
        Ok(())
    }

    fn forget(&self, state: &mut State, count: usize, of: &str) {
        let mut objects = self.disk.objects();
        let last: Vec<ObjectKey> =
            state.written.iter().rev().filter(|key| key.as_str().contains(of)).take(count).cloned().collect();
        state.written.retain(|key| !last.contains(key));
        objects.retain(|key, _| !last.contains(key));
        self.disk.set_objects(objects);
    }
}

#[async_trait]
impl Killable for Mortal {
    async fn kill(&self) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.kills += 1;
        self.runs.send_replace(false);
        match self.kill {
            Kill::KeepsAll | Kill::Hangs | Kill::NeverStarts | Kill::ForgetsAtTheStart => {}
            Kill::ForgetsAnEntry => self.forget(&mut state, 1, "/log/"),
            Kill::ForgetsFourEntries => self.forget(&mut state, 4, "/log/"),
            Kill::ForgetsASegment => self.forget(&mut state, 1, "/segments/"),
            Kill::ForgetsAll => self.disk.set_objects(BTreeMap::new()),
            Kill::GoesBack => {
                let now = self.disk.objects();
                let before = std::mem::replace(&mut state.at_the_kill_before, now);
                if state.kills > 1 {
                    self.disk.set_objects(before);
                }
            }
            Kill::CannotBeKilled => {
                self.runs.send_replace(true);
                return Err(Error::new(ErrorKind::Denied, "it is not ours"));
            }
        }
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        let runs = *self.runs.borrow();
        if self.kill == Kill::NeverStarts && !runs {
            return Err(Error::new(ErrorKind::Internal, "its configuration is damaged"));
        }
        if self.kill == Kill::ForgetsAtTheStart {
            self.forget(&mut self.state.lock().unwrap(), 4, "/log/");
        }
        self.runs.send_replace(true);
        Ok(())
    }
}

/// A part of a server. The others go on without it.
struct Part(Mortal);

#[async_trait]
impl Killable for Part {
    async fn kill(&self) -> Result<()> {
        self.0.kill().await?;
        self.0.runs.send_replace(true);
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        self.0.start().await
    }
}

#[async_trait]
impl Storage for Mortal {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.answers().await?;
        let reply = self.disk.create(key, bytes).await?;
        if reply.value == Created::Created {
            self.acknowledge(key).await?;
        }
        Ok(reply)
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.answers().await?;
        let reply = self.disk.put(key, payload).await?;
        self.acknowledge(key).await?;
        Ok(reply)
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        tokio::task::yield_now().await;
        self.answers().await?;
        self.disk.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.answers().await?;
        self.disk.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.answers().await?;
        self.disk.delete(key).await
    }
}

fn harness(mortal: &Mortal) -> Harness {
    let shared = mortal.clone();
    let open = move |_| {
        let storage = shared.clone();
        async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    };
    Harness::storage(format!("{:?}", mortal.kill), open).in_this_process()
}

fn row(harness: Harness, case: &'static str, seed: u64) -> Row {
    let name = harness.name().to_owned();
    let reports = Suite::new(harness).size(Size::Quick).seed(seed).only(case).run().unwrap();
    Row { name, caught_by: vec![case], judged: reports.iter().map(Judged::new).collect() }
}

fn killed(kill: Kill, seed: u64) -> Row {
    let mortal = Mortal::new(kill);
    row(harness(&mortal).killable(mortal), CASE, seed)
}

fn killed_in_part(kill: Kill, seed: u64) -> Row {
    let mortal = Mortal::new(kill);
    row(harness(&mortal).killable_part(Part(mortal)), OF_A_PART, seed)
}

fn one_that_keeps_what_it_acknowledged_passes() {
    for seed in 0..8 {
        let mortal = Mortal::new(Kill::KeepsAll);
        let row = row(harness(&mortal).killable(mortal.clone()), CASE, seed);
        assert!(row.judged.iter().all(|judged| judged.cell == Cell::Passed), "seed {seed}: {:?}", row.judged);
        let state = mortal.state.lock().unwrap();
        assert!(state.kills >= 3 && *mortal.runs.borrow(), "{} kills", state.kills);
        assert!(mortal.disk.objects().is_empty(), "it left something");
    }
}

/// No client gives such a server up: who waits for all of them before the server is started waits for ever.
fn one_that_hangs_while_it_is_dead_passes() {
    let row = killed(Kill::Hangs, 1);
    assert!(row.judged.iter().all(|judged| judged.cell == Cell::Passed), "{:?}", row.judged);
}

fn one_that_forgets_is_caught() {
    let kills =
        [Kill::ForgetsAnEntry, Kill::ForgetsFourEntries, Kill::ForgetsASegment, Kill::ForgetsAll, Kill::GoesBack];
    for seed in 0..5 {
        let matrix = Matrix { rows: kills.into_iter().map(|kill| killed(kill, seed)).collect() };
        for line in matrix.rows.iter().flat_map(Row::failures) {
            println!("{line}");
        }
        println!("{matrix}");
        let complaints = matrix.complaints(&[]);
        assert!(complaints.is_empty(), "seed {seed}: {}", complaints.join("\n"));
    }
}

fn of_one_with_several_parts_one_may_die() {
    for seed in 0..8 {
        let mortal = Mortal::new(Kill::KeepsAll);
        let row = row(harness(&mortal).killable_part(Part(mortal.clone())), OF_A_PART, seed);
        assert!(row.judged.iter().all(|judged| judged.cell == Cell::Passed), "seed {seed}: {:?}", row.judged);
        assert!(mortal.state.lock().unwrap().kills >= 2);
        assert!(mortal.disk.objects().is_empty(), "it left something");
    }
}

fn one_that_needs_all_of_its_parts_is_caught() {
    for kill in [
        Kill::ForgetsAnEntry,
        Kill::ForgetsFourEntries,
        Kill::ForgetsASegment,
        Kill::ForgetsAll,
        Kill::ForgetsAtTheStart,
    ] {
        let row = killed_in_part(kill, 1);
        assert!(row.missed().is_empty(), "{}", row.missed().join("\n"));
    }
    // Nobody stands in for it.
    let mortal = Mortal::new(Kill::KeepsAll);
    let alone = row(harness(&mortal).killable_part(mortal), OF_A_PART, 1);
    assert!(alone.judged[0].seen.contains("while a part is dead"), "{}", alone.judged[0].seen);
}

/// It fails the case, and says nothing of a rule.
fn a_hook_that_fails_says_so() {
    let seen = |kill| {
        let judged = killed(kill, 1).judged[0].clone();
        assert_eq!(judged.cell, Cell::Beside, "{}", judged.seen);
        judged.seen
    };
    let stays = seen(Kill::NeverStarts);
    assert!(stays.contains("the harness could not start the server: its configuration is damaged"), "{stays}");
    let lives = seen(Kill::CannotBeKilled);
    assert!(lives.contains("the harness could not kill the server: it is not ours"), "{lives}");
}

fn without_a_hook_nothing_is_killed() {
    let said = |case| {
        let ignored = row(harness(&Mortal::new(Kill::KeepsAll)), case, 1);
        assert_eq!(ignored.judged[0].cell, Cell::Ignored);
        ignored.judged[0].seen.clone()
    };
    assert_eq!(said(CASE), "the harness does not say how its server is killed");
    assert_eq!(said(OF_A_PART), "the harness does not say how a part of its server is killed");
}

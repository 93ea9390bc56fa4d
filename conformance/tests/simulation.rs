//! A thousand histories break nothing, and come by every fault and every way out of one; a broken storage is found and its history
//! made small; the same seed is the same history.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_conformance::Rule;
use longshore_conformance::simulation::{Coverage, Options, Simulation};
use longshore_core::{
    Answer, ByteRange, Capabilities, Created, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply,
    Result, Storage,
};

const HISTORIES: u64 = 1000;
/// How often each must be met in a thousand histories.
const OFTEN: u64 = 20;

/// The least of each history.
const FAULTS: u64 = 10;
const STEPS: u64 = 4 * 50;

/// Every history breaks nothing, is long enough and meets enough faults. What they came by.
fn live(simulation: &Simulation) -> Coverage {
    let report = simulation.run_with(|seed, met| {
        assert!(met.faults() >= FAULTS, "the history of seed {seed} met {} faults:\n{met}", met.faults());
        assert!(met.steps() >= STEPS, "the history of seed {seed} has {} steps", met.steps());
    });
    assert!(report.passed(), "{}", report.failure.unwrap());
    report.coverage
}

/// As many parts of the seeds as there are cores, side by side.
fn parts(seeds: u64) -> Vec<Range<u64>> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    (0..cores).map(|part| seeds * part / cores..seeds * (part + 1) / cores).collect()
}

#[test]
fn a_thousand_histories_break_nothing_and_meet_everything() {
    let mut coverage = Coverage::default();
    std::thread::scope(|scope| {
        let start = |seeds| scope.spawn(move || live(&Simulation::new(seeds)));
        let running: Vec<_> = parts(HISTORIES).into_iter().map(start).collect();
        for part in running {
            coverage.add(&part.join().unwrap());
        }
    });
    let rare: Vec<_> = coverage.expected().filter(|(_, count)| *count < OFTEN).collect();
    assert!(rare.is_empty(), "too rare in {HISTORIES} histories: {rare:?}\n{coverage}");
}

#[test]
fn fewer_and_more_devices_break_nothing() {
    for (clients, operations) in [(2, 100), (3, 67), (6, 50)] {
        live(&Simulation::new(5000..5025).options(Options::default().clients(clients, clients).operations(operations)));
    }
}

/// Of ten planned faults hardly ever all happen.
#[test]
fn a_history_goes_on_until_it_met_ten_faults() {
    live(&Simulation::new(0..20).options(Options::default().operations(50).faults(10)));
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in [1, 7, 42] {
        let trace = || Simulation::new(0..1).trace(seed);
        let first = trace();
        assert!(first.len() > 500, "seed {seed} has a history of {} lines", first.len());
        assert_eq!(first, trace(), "seed {seed}");
    }
}

/// How a storage is broken.
#[derive(Clone, Copy, Debug)]
enum Defect {
    CreateOverwrites,
    CreateSaysCreatedToLosers,
    WriteForgotten,
    ListShowsNothing,
}

/// Keeps its rules, but for every so many calls.
#[derive(Debug)]
struct Broken {
    inner: MemoryStorage,
    defect: Defect,
    every: u64,
    calls: AtomicU64,
}

impl Broken {
    fn now(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) % self.every == self.every - 1
    }
}

#[async_trait]
impl Storage for Broken {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        match self.defect {
            Defect::CreateOverwrites if self.now() => {
                let reply = self.inner.put(key, bytes.into()).await?;
                Ok(reply.map(|()| Created::Created))
            }
            Defect::CreateSaysCreatedToLosers if self.now() => {
                Ok(self.inner.create(key, bytes).await?.map(|_| Created::Created))
            }
            Defect::WriteForgotten if self.now() => Ok(Reply::new(Created::Created)),
            _ => self.inner.create(key, bytes).await,
        }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.inner.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.inner.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        if matches!(self.defect, Defect::ListShowsNothing) && folder.as_str().ends_with("/lease") {
            return Ok(Reply::new(Listing::default()));
        }
        self.inner.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.inner.delete(key).await
    }
}

fn broken(defect: Defect, every: u64) -> impl Fn(MemoryStorage) -> Arc<dyn Storage> {
    move |inner| Arc::new(Broken { inner, defect, every, calls: AtomicU64::new(0) })
}

#[test]
fn a_broken_storage_is_found_and_its_history_is_made_small() {
    let cases = [
        (Defect::CreateOverwrites, 5),
        (Defect::CreateSaysCreatedToLosers, 5),
        (Defect::WriteForgotten, 40),
        (Defect::ListShowsNothing, 1),
    ];
    for (defect, every) in cases {
        let options = Options::default().tries(300);
        let report = Simulation::new(0..20).options(options).storage(broken(defect, every)).run();
        let failure = report.failure.unwrap_or_else(|| panic!("{defect:?} passed {} histories", report.lived));
        println!("{defect:?}: {failure}");
        let (smallest, drawn) = failure.size;
        assert!(smallest * 5 <= drawn, "{defect:?} was hardly made smaller: {failure}");
    }
}

/// The run that a failure's replay line says, of a simulation with a storage of its own: what is said in code is read back.
fn replayed(failure: &str) -> Simulation {
    let line = failure.lines().find_map(|line| line.strip_prefix("replay: ")).unwrap();
    let numbers: Vec<u64> =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let [first, end, fewest, most, operations, faults, tries] = numbers[..] else { panic!("{line}") };
    let code = format!(
        "Simulation::new({first}..{end}).options(Options::default().clients({fewest}, {most})\
         .operations({operations}).faults({faults}).tries({tries}))"
    );
    assert!(line.contains(&code) && !line.contains("cargo run"), "{line}");
    let size = |number: u64| usize::try_from(number).unwrap();
    let options = Options::default().clients(size(fewest), size(most)).operations(size(operations));
    Simulation::new(first..end).options(options.faults(size(faults)).tries(size(tries)))
}

/// Each setting changes what is drawn, so each must be in the line.
#[test]
fn a_replay_line_gives_the_same_failure() {
    let usual = Options::default().tries(20);
    let unusual = [
        usual.clone(),
        usual.clone().clients(2, 3),
        usual.clone().operations(31),
        usual.clone().faults(25),
        usual.clients(6, 6).operations(20).faults(4).tries(40),
    ];
    for options in unusual {
        let run =
            |simulation: Simulation| simulation.storage(broken(Defect::WriteForgotten, 40)).run().failure.unwrap();
        let failure = run(Simulation::new(0..20).options(options)).to_string();
        assert_eq!(run(replayed(&failure)).to_string(), failure);
    }
}

/// An app author's merge that depends on something else than the conflict: devices would answer one conflict differently.
#[test]
fn a_resolver_that_changes_its_mind_is_found() {
    let calls = AtomicU64::new(0);
    let fickle = move |_: &_| {
        let odd = calls.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        if odd { Answer::KeepLocal } else { Answer::TakeRemote }
    };
    let failure = Simulation::new(0..5).resolver(fickle).run().failure.unwrap();
    assert_eq!(failure.rule, Rule::Invariant(5), "{failure}");
}

/// A resolver that never decides leaves its app with conflicts for ever.
#[test]
fn a_resolver_that_never_decides_is_found() {
    let options = Options::default().tries(100);
    let failure = Simulation::new(0..5).options(options).resolver(|_| Answer::Later).run().failure.unwrap();
    assert_eq!(failure.rule, Rule::Invariant(5), "{failure}");
}

/// A resolver that panics is a failure with a history, not the end of the run.
#[test]
fn a_panic_is_reported_with_its_history() {
    let options = Options::default().tries(20);
    let failure = Simulation::new(0..5).options(options).resolver(|_| panic!("a bug")).run().failure.unwrap();
    assert!(failure.seen.contains("a bug"), "{failure}");
}

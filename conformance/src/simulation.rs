//! Many devices, many days, dice for everything: histories drawn from seeds, lived in virtual time over a storage in memory that
//! fails in every way, and judged at every step.
//!
//! A history is 2 to 6 devices, as usual 4 to 6, that write, delete, sync beside each other, answer conflicts or leave them, restart, reboot, sleep,
//! are copied and restored from backups, with clocks that are off and drift. Its calls are lost before or after they take effect,
//! cut, late, delivered twice, answered from the past, slow, or refused; its processes die at any of them. After each sync the
//! replica is held against the log and against what its app wrote; at the end nothing fails any more, everybody syncs until it
//! is quiet, and the invariants I1 to I11 are checked.
//!
//! The same seed gives the same history, byte for byte. A seed that fails is shrunk: what is not needed for the failure is taken out
//! of its history.
//!
//! # Your own merge
//! An app's conflict code runs in it: its bodies, its merge, and what its merge must keep.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use longshore_conformance::simulation::{Options, Simulation};
//! use longshore_core::{Answer, Conflict, Document, Version};
//!
//! // Documents are lists of lines; the app adds a line.
//! fn lines(version: &Version) -> BTreeSet<String> {
//!     match version {
//!         Version::Present(Document { body, .. }) => String::from_utf8_lossy(body).lines().map(str::to_owned).collect(),
//!         _ => BTreeSet::new(),
//!     }
//! }
//! fn union(conflict: &Conflict) -> Answer {
//!     let all: Vec<String> = lines(&conflict.local).union(&lines(&conflict.remote)).cloned().collect();
//!     Answer::Merge { revision: None, body: all.join("\n").into() }
//! }
//! fn keeps_local_lines(conflict: &Conflict, answer: &Answer) -> Result<(), String> {
//!     let kept = match answer {
//!         Answer::KeepLocal => lines(&conflict.local),
//!         Answer::Merge { body, .. } => String::from_utf8_lossy(body).lines().map(str::to_owned).collect(),
//!         _ => lines(&conflict.remote),
//!     };
//!     lines(&conflict.local).difference(&kept).next().map_or(Ok(()), |line| Err(format!("the line {line:?} is gone")))
//! }
//! let simulation = || {
//!     Simulation::new(0..5)
//!         .options(Options::default().operations(20))
//!         .edits(|dice, before| {
//!             let before = before.map(|document| String::from_utf8_lossy(&document.body).into_owned());
//!             format!("{}line {}\n", before.unwrap_or_default(), dice.below(1_000_000)).into()
//!         })
//!         .keeps(keeps_local_lines)
//! };
//! assert!(simulation().resolver(union).run().passed());
//!
//! // A resolver that drops what was written here is found, with the invariant that it breaks.
//! let found = simulation().resolver(|_| Answer::TakeRemote).run();
//! let failure = found.failure.expect("it drops lines");
//! assert!(failure.to_string().contains("I4"), "{failure}");
//! ```

mod app;
mod arguments;
mod coverage;
mod fault;
mod heal;
mod history;
mod large;
mod leases;
mod ledger;
mod machine;
mod metadata;
mod oracle;
mod shadow;
mod shore;
mod shrink;
mod steps;
mod time;
mod watched;
mod world;
mod wrong;

pub use crate::dice::Dice;
pub use arguments::Arguments;
pub use coverage::Coverage;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use longshore_core::{Answer, Conflict, Document, Error, MemoryStorage, Storage};

use self::history::History;
use self::world::{Lived, Setting, live};
use crate::case::Rule;

/// A history in which fewer faults happened than this goes on.
const LEAST_FAULTS: u64 = 10;
/// How often a history may go on.
const MORE: usize = 8;

/// How large a history is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The fewest and the most devices at its beginning, from 1 to 6; copies of devices come on top, up to 6 in all.
    pub clients: (usize, usize),
    /// What each device does, in steps.
    pub operations: usize,
    /// How many faults are planned. Not every one meets its call: a history goes on until ten happened, or as many as were planned if
    /// that is fewer.
    pub faults: usize,
    /// How often a failing history is lived again to make it smaller.
    pub tries: usize,
}

impl Default for Options {
    /// 4 to 6 devices, 50 steps each, 24 faults.
    fn default() -> Self {
        Self { clients: (4, 6), operations: 50, faults: 24, tries: 600 }
    }
}

impl Options {
    /// Sets the fewest and the most devices.
    pub fn clients(mut self, fewest: usize, most: usize) -> Self {
        let fewest = fewest.clamp(1, 6);
        self.clients = (fewest, most.clamp(fewest, 6));
        self
    }

    /// Sets what each device does.
    pub fn operations(mut self, operations: usize) -> Self {
        self.operations = operations;
        self
    }

    /// Sets how many faults are planned.
    pub fn faults(mut self, faults: usize) -> Self {
        self.faults = faults;
        self
    }

    /// Sets how often a failing history is lived again to make it smaller.
    pub fn tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }
}

/// A run over many histories. See the [module](self).
#[derive(Clone)]
#[must_use]
pub struct Simulation {
    seeds: Range<u64>,
    options: Options,
    setting: Setting,
}

impl Simulation {
    /// A run over the histories of these seeds.
    pub fn new(seeds: Range<u64>) -> Self {
        Self { seeds, options: Options::default(), setting: Setting::default() }
    }

    /// How large a history is.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Who decides conflicts; by default an app that gives every answer there is.
    ///
    /// It must give the same answer whenever it is asked about the same conflict.
    pub fn resolver(mut self, resolver: impl Fn(&Conflict) -> Answer + Send + Sync + 'static) -> Self {
        self.setting.app.resolve = Some(Arc::new(resolver));
        self
    }

    /// What an answer must keep of a conflict: an error says what it drops.
    pub fn keeps(mut self, keeps: impl Fn(&Conflict, &Answer) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.setting.app.keeps = Some(Arc::new(keeps));
        self
    }

    /// What the app makes of a document, or of none. Its choices come from the dice. Revisions are the simulation's own.
    pub fn edits(mut self, edit: impl Fn(&mut Dice, Option<&Document>) -> Bytes + Send + Sync + 'static) -> Self {
        self.setting.app.edit = Some(Arc::new(edit));
        self
    }

    /// What lies between the faults and the memory: a storage that answers at once, from that memory. For broken ones, which must
    /// be found.
    pub fn storage(mut self, wrap: impl Fn(MemoryStorage) -> Arc<dyn Storage> + Send + Sync + 'static) -> Self {
        self.setting.storage = Some(Arc::new(wrap));
        self
    }

    /// Lives the histories one after another, up to the first that fails, and makes that one smaller.
    pub fn run(&self) -> Report {
        self.run_with(|_, _| ())
    }

    /// As [`run`](Self::run), and tells each seed when its history has ended, with what that came by.
    pub fn run_with(&self, mut tell: impl FnMut(u64, &Coverage)) -> Report {
        let mut report = Report { lived: 0, coverage: Coverage::default(), failure: None };
        for seed in self.seeds.clone() {
            let (history, lived) = self.live(seed, false);
            report.lived += 1;
            report.coverage.add(&lived.coverage);
            if let Some(broken) = lived.broken {
                report.failure = Some(self.explain(history, broken));
                return report;
            }
            tell(seed, &lived.coverage);
        }
        report
    }

    /// Every storage call of a seed's history and every step, a line each: the same each time.
    pub fn trace(&self, seed: u64) -> Vec<String> {
        self.live(seed, true).1.trace
    }

    /// A seed's history, and what came of it. One that met too few faults is lived once more, from its beginning, with more to it.
    fn live(&self, seed: u64, traced: bool) -> (History, Lived) {
        let mut history = History::draw(seed, &self.options);
        let mut lived = live(&history, &self.setting, traced);
        let least = LEAST_FAULTS.min(self.options.faults as u64);
        for _ in 0..MORE {
            if lived.broken.is_some() || lived.coverage.faults() >= least {
                break;
            }
            history.go_on(&self.options);
            lived = live(&history, &self.setting, traced);
        }
        (history, lived)
    }

    fn explain(&self, history: History, broken: Broken) -> Failure {
        let seed = history.seed;
        let before = history.size();
        let (history, broken) = shrink::shrink(history, broken, &self.setting, self.options.tries);
        let (options, size) = (self.options.clone(), (history.size(), before));
        let own = self.setting.is_own();
        Failure { seed, options, rule: broken.rule, seen: broken.seen, history: history.lines(), size, own }
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("seeds", &self.seeds).field("options", &self.options).finish_non_exhaustive()
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
#[must_use]
pub struct Report {
    /// How many histories were lived.
    pub lived: u64,
    /// What they came by.
    pub coverage: Coverage,
    /// The first that failed.
    pub failure: Option<Failure>,
}

impl Report {
    /// Whether no history failed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// A history that broke a rule. Its text says all: the rule, what was seen, the replay command, and the smallest history that
/// still does it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// How large its history was to be.
    pub options: Options,
    /// The rule.
    pub rule: Rule,
    /// What was seen.
    pub seen: String,
    /// The smallest history that breaks it, in lines.
    pub history: Vec<String>,
    /// How many steps and faults that has, and how many the drawn one has.
    pub size: (usize, usize),
    /// Whether the app or the storage is not the simulation's own: then only its author's program can replay it.
    own: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, options, rule, seen, size: (size, before), .. } = self;
        writeln!(f, "seed {seed} breaks {rule}")?;
        writeln!(f, "seen: {seen}")?;
        if self.own {
            let Options { clients: (fewest, most), operations, faults, tries } = options;
            let sizes = format!("clients({fewest}, {most}).operations({operations}).faults({faults}).tries({tries})");
            let seeds = format!("{seed}..{}", seed + 1);
            writeln!(
                f,
                "replay: your program with Simulation::new({seeds}).options(Options::default().{sizes}) and all else as it is"
            )?;
        } else {
            let replay = Arguments { options: options.clone(), trace: true, ..Arguments::new(*seed..seed + 1) };
            writeln!(f, "replay: cargo run --release -p longshore-conformance --example simulate -- {replay}")?;
        }
        writeln!(f, "the smallest history found ({size} steps and faults of {before}):")?;
        self.history.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// A rule that a history broke, and what was seen.
#[derive(Clone, Debug)]
struct Broken {
    rule: Rule,
    seen: String,
}

impl Broken {
    fn new(rule: Rule, seen: String) -> Self {
        Self { rule, seen }
    }
}

/// A call beneath all faults that failed: something there cannot be read.
impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::new(Rule::Invariant(8), format!("a call failed that must not: {error}"))
    }
}

/// One number of several, for dice that depend on all of them.
fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x5eed, |all, part| Dice::new(all ^ part.wrapping_mul(0x2545_f491_4f6c_dd1d)).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(own: bool) -> Failure {
        let options = Options::default().clients(2, 3).operations(31).faults(25).tries(40);
        let (rule, seen) = (Rule::Invariant(3), "twice".to_owned());
        Failure { seed: 7, options, rule, seen, history: Vec::new(), size: (1, 2), own }
    }

    #[test]
    fn the_programs_replay_line_says_every_setting() {
        let text = failure(false).to_string();
        let line = text.lines().find_map(|line| line.strip_prefix("replay: ")).unwrap();
        let (program, words) = line.split_once(" -- ").unwrap();
        assert_eq!(program, "cargo run --release -p longshore-conformance --example simulate");
        let arguments = Arguments::parse(words.split(' ')).unwrap();
        assert!(arguments.trace);
        assert_eq!((arguments.seeds, arguments.options), (7..8, failure(false).options));
    }

    /// The example knows no app or storage but its own.
    #[test]
    fn with_an_app_or_a_storage_of_its_own_a_run_is_repeated_in_code() {
        let text = failure(true).to_string();
        assert!(!text.contains("cargo run"), "{text}");
        let code =
            "Simulation::new(7..8).options(Options::default().clients(2, 3).operations(31).faults(25).tries(40))";
        assert!(text.contains(code), "{text}");
        let usual = || Simulation::new(0..1);
        assert!(!usual().setting.is_own());
        let with = [
            usual().resolver(|_| Answer::KeepLocal),
            usual().keeps(|_, _| Ok(())),
            usual().edits(|_, _| Bytes::new()),
            usual().storage(|memory| Arc::new(memory)),
        ];
        assert!(with.iter().all(|simulation| simulation.setting.is_own()));
    }
}

//! Segments, and what deletes them: writers and compactors that upload, collectors, readers while all that runs.
//!
//! The order of commits is a list here: who is at the head appends, everybody else pulls first. What that rests on is in
//! [`crate::log`]. The unit of time is half a retention.

mod collector;
mod compactor;
mod readers;
mod writer;

use crate::checker::{Broken, Model, Steps};
use crate::rules::rules;

pub use collector::{Collecting, Collector};
pub use compactor::{Compacting, Compactor};
pub use readers::{Reader, Reading};
pub use writer::{Writer, Writing};

/// The highest number of an entry here.
const LONGEST: usize = 8;
/// The most segments.
const SEGMENTS: usize = 12;
/// How long a superseded snapshot is kept.
const RETENTION: u8 = 2;

rules! {
    /// Who has seen a `collect` above its segments uploads them again.
    upload_again_after_collect,
    /// And under a new name.
    new_name_after_collect,
    /// A `collect` entry is appended before anything is deleted.
    collect_entry_first,
    /// The roots are read after that entry stands.
    roots_read_after_the_entry,
    /// Only segments whose base is below the `collect` entry are deleted.
    base_below_the_collect,
    /// They are read up to the head (else: up to the `collect` entry).
    roots_reach_to_the_head,
    /// Entries from the floor on are roots.
    entries_are_roots,
    /// The newest snapshot is a root.
    newest_snapshot_is_a_root,
    /// A snapshot superseded less than a retention ago is a root.
    superseded_snapshots_are_roots,
    /// Its age counts from its supersession (else: from its publication).
    age_from_supersession,
    /// The rule about a `collect` that was seen binds compactors too.
    snapshots_obey_collects,
    /// A snapshot names older segments only if it chose them after the last `collect` before it.
    old_segments_are_chosen_again,
    /// And only if no entry of a newer snapshot stands before it.
    newest_entry_is_chosen_from,
    /// The first step of a snapshot is an entry that names its segments (else: it is only published).
    snapshot_entry_first,
    /// Nothing is trimmed before the snapshot is published.
    publish_before_trim,
    /// The newest snapshot is the highest (else: the one published last).
    newest_is_highest,
    /// A first sync that misses a segment looks for a newer snapshot.
    first_sync_starts_over,
    /// A pull that misses a segment below the floor continues from the snapshot.
    pull_takes_the_snapshot,
}

/// How often each thing may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Half a retention passes.
    pub ticks: u8,
    /// Commits with a segment.
    pub writes: u8,
    /// Collections.
    pub collections: u8,
    /// Snapshots.
    pub snapshots: u8,
    /// Readers that begin.
    pub reads: u8,
}

/// A model of segments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// The rules.
    pub rules: Rules,
    /// How often things may happen.
    pub budget: Budget,
    /// Writers: 0 to 2.
    pub writers: usize,
    /// Collectors: 0 to 2.
    pub collectors: usize,
    /// Compactors: 0 to 2.
    pub compactors: usize,
    /// Readers: 0 to 2.
    pub readers: usize,
    /// Whether there is a snapshot in the beginning, and one may name the segments of the one before again.
    pub incremental: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self::ALL
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Changes.
    Changes,
    /// The mark of a collection.
    Collect,
    /// The first step of a snapshot.
    Snapshot,
}

/// An entry, and the segments that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    kind: Kind,
    segments: u16,
}

/// A published snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Snapshot {
    segments: u16,
    published: u8,
    /// When a newer one took its place as the newest.
    superseded: Option<u8>,
    /// Whether it ever was the newest.
    reigned: bool,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    time: u8,
    log: [Option<Entry>; LONGEST],
    length: u8,
    /// Entries up to here are trimmed.
    trimmed: u8,
    /// The segments that exist, as a set of bits.
    segments: u16,
    /// The base in each segment's name.
    bases: [u8; SEGMENTS],
    names: u8,
    /// By the last entry that they cover.
    snapshots: [Option<Snapshot>; LONGEST],
    newest: u8,
    writers: [Writer; 2],
    collectors: [Collector; 2],
    compactors: [Compactor; 2],
    readers: [Reader; 2],
    left: Budget,
    broken: Option<Broken>,
}

impl World {
    fn spend(&self, of: impl Fn(&mut Budget) -> &mut u8) -> Option<Self> {
        let mut world = self.clone();
        let left = of(&mut world.left);
        *left = left.checked_sub(1)?;
        Some(world)
    }

    /// Entry 1, and a snapshot of it.
    fn begin_with_a_snapshot(&mut self) {
        let segments = 1 << self.upload(1);
        self.append(Kind::Changes, 0);
        self.append(Kind::Snapshot, segments);
        self.snapshots[0] = Some(Snapshot { segments, published: 0, superseded: None, reigned: true });
        self.newest = 1;
    }

    fn entry(&self, number: u8) -> Option<Entry> {
        self.log[usize::from(number) - 1]
    }

    fn append(&mut self, kind: Kind, segments: u16) {
        assert!(usize::from(self.length) < LONGEST, "raise LONGEST");
        self.log[usize::from(self.length)] = Some(Entry { kind, segments });
        self.length += 1;
    }

    /// Uploads a segment under a new name, which says what its writer has seen.
    fn upload(&mut self, base: u8) -> u8 {
        let name = self.names;
        assert!(usize::from(name) < SEGMENTS, "raise SEGMENTS");
        self.bases[usize::from(name)] = base;
        self.segments |= 1 << name;
        self.names += 1;
        name
    }

    /// The last entry of a kind, up to this number.
    fn last(&self, kind: Kind, upto: u8) -> Option<u8> {
        (1..=upto).rev().find(|&number| self.entry(number).is_some_and(|it| it.kind == kind))
    }

    /// The last `collect` up to this number; 0 if there is none.
    fn last_collect(&self, upto: u8) -> u8 {
        self.last(Kind::Collect, upto).unwrap_or(0)
    }

    /// The snapshot that covers this number exactly.
    fn snapshot(&self, covers: u8) -> Option<Snapshot> {
        covers.checked_sub(1).and_then(|at| self.snapshots[usize::from(at)])
    }

    /// What the entries from the floor up to this number name.
    fn named_from_floor(&self, upto: u8) -> u16 {
        let entries = (self.newest + 1..=upto).filter_map(|number| self.entry(number));
        entries.fold(0, |named, entry| named | entry.segments)
    }
}

impl Model for Config {
    type State = World;

    fn start(&self) -> World {
        let mut world = World {
            time: 0,
            log: [None; LONGEST],
            length: 0,
            trimmed: 0,
            segments: 0,
            bases: [0; SEGMENTS],
            names: 0,
            snapshots: [None; LONGEST],
            newest: 0,
            writers: [Writer::NEW; 2],
            collectors: [Collector::IDLE; 2],
            compactors: [Compactor::IDLE; 2],
            readers: [Reader::IDLE; 2],
            left: self.budget,
            broken: None,
        };
        if self.incremental {
            world.begin_with_a_snapshot();
        }
        world
    }

    fn steps(&self, world: &World, out: &mut Steps<World>) {
        if let Some(mut next) = world.spend(|left| &mut left.ticks) {
            next.time += 1;
            out.add(|| format!("half a retention passes (time {})", world.time + 1), next);
        }
        (0..self.writers).for_each(|which| self.write(world, which, out));
        (0..self.collectors).for_each(|which| self.collect(world, which, out));
        (0..self.compactors).for_each(|which| self.compact(world, which, out));
        (0..self.readers).for_each(|which| self.read(world, which, out));
    }

    fn broken(&self, world: &World) -> Option<Broken> {
        world.broken.or_else(|| reachable(world))
    }
}

/// I8 over everything that a client may come upon.
fn reachable(world: &World) -> Option<Broken> {
    let missing = !world.segments;
    if world.trimmed > world.newest {
        return Some(Broken::new("I8", "the log is trimmed above the newest snapshot"));
    }
    if world.named_from_floor(world.length) & missing != 0 {
        return Some(Broken::new("I8", "an entry above the floor names a segment that is gone"));
    }
    let kept = |it: &&Snapshot| it.reigned && it.superseded.is_none_or(|since| world.time - since < RETENTION);
    let gone = world.snapshots.iter().flatten().filter(kept).any(|it| it.segments & missing != 0);
    gone.then(|| Broken::new("I8", "a snapshot that is not long superseded names a segment that is gone"))
}

/// The members of a set of bits, in ascending order.
fn bits(set: u16) -> impl Iterator<Item = u8> {
    (0..16).filter(move |bit| set & 1 << bit != 0)
}

/// A set of segments, for people.
fn told(set: u16) -> String {
    let names: Vec<String> = bits(set).map(|name| format!("s{name}")).collect();
    format!("{{{}}}", names.join(" "))
}

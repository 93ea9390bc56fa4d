//! A client that deletes what nobody names.

use super::{Config, Kind, RETENTION, Snapshot, World, bits, told};
use crate::checker::Steps;

/// A client that collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collector {
    /// Where it is.
    pub doing: Collecting,
    /// The number of its `collect` entry; before, where it has read to.
    pub at: u8,
    /// What must stay.
    pub roots: u16,
    /// What it will delete.
    pub doomed: u16,
}

/// Where a collection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Collecting {
    /// Doing nothing.
    Idle,
    /// About to append the `collect` entry.
    Append,
    /// About to read the entries.
    Entries,
    /// About to read the snapshots, and to list the segments.
    Snapshots,
    /// Deleting, one by one.
    Delete,
}

impl Collector {
    /// One that does nothing.
    pub const IDLE: Self = Self { doing: Collecting::Idle, at: 0, roots: 0, doomed: 0 };
}

impl Config {
    pub(super) fn collect(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let (me, mine) = (format!("collector {which}"), world.collectors[which]);
        let set = |world: &World, collector: Collector| {
            let mut next = world.clone();
            next.collectors[which] = collector;
            next
        };
        match mine.doing {
            Collecting::Idle => {
                if let Some(next) = world.spend(|left| &mut left.collections) {
                    out.add(|| format!("{me} reads the log up to {}", world.length), set(&next, self.begin(world)));
                }
                return;
            }
            Collecting::Append => {
                let (mut next, at) = (world.clone(), world.length + 1);
                next.append(Kind::Collect, 0);
                let doing =
                    if self.rules.roots_read_after_the_entry { Collecting::Entries } else { Collecting::Snapshots };
                out.add(|| format!("{me} appends the collect entry {at}"), set(&next, Collector { doing, at, ..mine }));
            }
            Collecting::Entries => {
                let upto = if self.rules.roots_reach_to_the_head { world.length } else { mine.at };
                let roots = self.roots_of_entries(world, upto);
                let next = set(world, Collector { doing: Collecting::Snapshots, roots, ..mine });
                out.add(|| format!("{me} reads the entries up to {upto}: {} are named", told(roots)), next);
            }
            Collecting::Snapshots => {
                let roots = mine.roots | self.roots_of_snapshots(world);
                let doomed = self.doomed(world, mine.at, roots);
                let next = set(world, Collector { doing: Collecting::Delete, roots: 0, doomed, ..mine });
                out.add(|| format!("{me} reads the snapshots, will delete {}", told(doomed)), next);
            }
            Collecting::Delete => {
                for name in bits(mine.doomed).take(1) {
                    let mut next = set(world, Collector { doomed: mine.doomed & !(1 << name), ..mine });
                    next.segments &= !(1 << name);
                    out.add(|| format!("{me} deletes s{name}"), next);
                }
            }
        }
        out.add(|| format!("{me} stops"), set(world, Collector::IDLE));
    }

    /// It has read the log up to its head.
    fn begin(&self, world: &World) -> Collector {
        let at = world.length;
        let early = if self.rules.roots_read_after_the_entry { 0 } else { self.roots_of_entries(world, at) };
        let doing = if self.rules.collect_entry_first { Collecting::Append } else { Collecting::Entries };
        // Without its entry, it takes the number that the entry would have had.
        let at = if self.rules.collect_entry_first { 0 } else { at + 1 };
        Collector { doing, at, roots: early, doomed: 0 }
    }

    fn roots_of_entries(&self, world: &World, upto: u8) -> u16 {
        if self.rules.entries_are_roots { world.named_from_floor(upto.min(world.length)) } else { 0 }
    }

    fn roots_of_snapshots(&self, world: &World) -> u16 {
        let newest = world.snapshot(world.newest).filter(|_| self.rules.newest_snapshot_is_a_root);
        let young = |it: &&Snapshot| {
            let since = if self.rules.age_from_supersession { it.superseded } else { Some(it.published) };
            it.superseded.is_some() && since.is_some_and(|since| world.time - since < RETENTION)
        };
        let kept = world.snapshots.iter().flatten().filter(young).filter(|_| self.rules.superseded_snapshots_are_roots);
        kept.chain(newest.as_ref()).fold(0, |roots, it| roots | it.segments)
    }

    fn doomed(&self, world: &World, at: u8, roots: u16) -> u16 {
        let old = |name: &u8| !self.rules.base_below_the_collect || world.bases[usize::from(*name)] < at;
        bits(world.segments & !roots).filter(old).fold(0, |doomed, name| doomed | 1 << name)
    }
}

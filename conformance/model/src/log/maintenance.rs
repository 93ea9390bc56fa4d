//! Snapshots in their two steps, and the trimming that they allow. The compactor holds no lease here: safety must not need it.

use super::store::{Entry, Kind};
use super::{Config, RETENTION, World};
use crate::checker::Steps;

/// The id under which compactors write.
const COMPACTOR: u8 = 90;

/// A client that makes a snapshot and trims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compactor {
    /// Where it is.
    pub stage: Stage,
    /// The last entry that its snapshot covers.
    pub covers: u8,
    /// The server's time at which it read that entry.
    pub read_at: u8,
}

/// Where a compactor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Doing nothing.
    Idle,
    /// About to append the entry that names the segments.
    Append,
    /// About to create `snapshot/<S>`.
    Publish,
    /// About to see whether it is there.
    ReadBack,
    /// Deleting entries, one by one.
    Trim,
}

impl Compactor {
    /// One that does nothing.
    pub const IDLE: Self = Self { stage: Stage::Idle, covers: 0, read_at: 0 };
}

impl Config {
    pub(super) fn maintain(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let me = format!("compactor {which}");
        let mine = world.compactors[which];
        let to = |world: &World, stage: Stage| {
            let mut next = world.clone();
            next.compactors[which].stage = stage;
            next
        };
        match mine.stage {
            Stage::Idle => return self.read_log(world, which, out),
            Stage::Append => {
                let next = self.changed(&to(world, Stage::Publish), |it| self.append(it, mine.covers));
                out.add(
                    || format!("{me} appends entry {}, the snapshot of 1 to {}", world.store.length + 1, mine.covers),
                    next,
                );
            }
            Stage::Publish => self.publish(world, which, out),
            Stage::ReadBack => {
                let there = world.store.snapshots & 1 << mine.covers != 0;
                let stage = if there { Stage::Trim } else { Stage::Publish };
                out.add(|| format!("{me} reads snapshot {} back: {there}", mine.covers), to(world, stage));
            }
            Stage::Trim => self.trim(world, which, out),
        }
        let mut stopped = world.clone();
        stopped.compactors[which] = Compactor::IDLE;
        out.add(|| format!("{me} stops"), stopped);
    }

    /// The snapshot is of the whole log as it is now.
    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    fn read_log(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let covers = world.store.length;
        if covers == 0 || world.store.snapshots & 1 << covers != 0 {
            return;
        }
        if let Some(mut next) = world.spend(|left| &mut left.snapshots) {
            next.compactors[which] = Compactor { stage: Stage::Append, covers, read_at: world.time };
            out.add(|| format!("compactor {which} reads the log up to {covers}"), next);
        }
    }

    /// At whatever number is next by then.
    fn append(&self, world: &mut World, covers: u8) {
        let (number, previous) = (world.store.length + 1, world.store.hash(world.store.length));
        let entry = Entry { kind: Kind::Snapshot, client: COMPACTOR, attempt: covers, number, previous, rows: 0 };
        let staged = self.stamp(world);
        self.land(world, entry, staged);
    }

    fn publish(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let covers = world.compactors[which].covers;
        let go = |world: &World, stage: Stage| {
            let mut next = world.clone();
            next.compactors[which].stage = stage;
            next
        };
        let known = if self.rules.snapshot_read_back { Stage::ReadBack } else { Stage::Trim };
        let mut published = go(world, known);
        published.store.snapshots |= 1 << covers;
        out.add(|| format!("compactor {which} creates snapshot {covers}"), published);
        if let Some(lost) = world.spend(|left| &mut left.lost) {
            out.add(
                || format!("compactor {which} creates snapshot {covers}: Unknown (it was not applied)"),
                go(&lost, known),
            );
            if let Some(mut late) = lost.spend(|left| &mut left.late) {
                late.late_snapshots |= 1 << covers;
                out.add(
                    || format!("compactor {which} creates snapshot {covers}: Unknown (it is on its way)"),
                    go(&late, known),
                );
            }
        }
    }

    /// Deletes one entry: the lowest, or any.
    fn trim(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mine = world.compactors[which];
        let there = (1..=mine.covers).filter(|&number| world.store.get(number).is_some());
        let count = if self.any_order { usize::MAX } else { 1 };
        for number in there.take(count).filter(|&number| self.is_old(world, mine, number)) {
            let next = self.changed(world, |it| it.store.trim(number));
            out.add(|| format!("compactor {which} deletes entry {number}"), next);
        }
    }

    fn is_old(&self, world: &World, mine: Compactor, number: u8) -> bool {
        let since = if self.rules.age_from_reading { mine.read_at } else { world.store.staged(number) };
        if world.jumped { !self.rules.clocks_agree } else { world.time - since >= RETENTION }
    }
}

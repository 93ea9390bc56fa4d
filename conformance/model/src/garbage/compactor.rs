//! A client that makes a snapshot, in two steps, and trims.

use super::{Config, Kind, RETENTION, Snapshot, World, bits, told};
use crate::checker::Steps;

/// A client that compacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compactor {
    /// Where it is.
    pub doing: Compacting,
    /// The last entry that its snapshot covers.
    pub covers: u8,
    /// When it read that entry.
    pub read_at: u8,
    /// It has read the log up to here.
    pub checkpoint: u8,
    /// What its snapshot names.
    pub segments: u16,
    /// Whether these are older segments, not its own.
    pub chosen: bool,
}

/// Where a compaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compacting {
    /// Doing nothing.
    Idle,
    /// About to upload, or to choose older segments.
    Upload,
    /// About to append the entry.
    Append,
    /// About to publish.
    Publish,
    /// Trimming.
    Trim,
}

impl Compactor {
    /// One that does nothing.
    pub const IDLE: Self =
        Self { doing: Compacting::Idle, covers: 0, read_at: 0, checkpoint: 0, segments: 0, chosen: false };
}

impl Config {
    pub(super) fn compact(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mine = world.compactors[which];
        match mine.doing {
            Compacting::Idle => return begin(world, which, out),
            Compacting::Upload => self.choose(world, which, out),
            Compacting::Append => self.append_snapshot(world, which, out),
            Compacting::Publish => self.publish(world, which, out),
            Compacting::Trim => self.trim(world, which, out),
        }
        let stopped = set(world, which, Compactor::IDLE);
        out.add(|| format!("compactor {which} stops"), stopped);
    }

    fn choose(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mine = world.compactors[which];
        let doing = if self.rules.snapshot_entry_first { Compacting::Append } else { Compacting::Publish };
        if let Some(before) = world.snapshot(world.newest).filter(|it| self.may_choose(world, *it)) {
            let next = set(world, which, Compactor { doing, segments: before.segments, chosen: true, ..mine });
            let what = told(before.segments);
            out.add(|| format!("compactor {which} chooses {what} of snapshot {} again", world.newest), next);
        }
        let mut next = world.clone();
        let name = next.upload(mine.checkpoint);
        next.compactors[which] = Compactor { doing, segments: 1 << name, chosen: false, ..mine };
        out.add(|| format!("compactor {which} puts s{name}, based on {}", mine.checkpoint), next);
    }

    /// Whether the segments of the newest snapshot may be named again.
    fn may_choose(&self, world: &World, newest: Snapshot) -> bool {
        let last = world.last(Kind::Snapshot, world.length).and_then(|number| world.entry(number));
        let next = last.is_some_and(|last| last.segments != newest.segments);
        self.incremental && !(next && self.rules.newest_entry_is_chosen_from)
    }

    fn append_snapshot(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mine = world.compactors[which];
        if mine.checkpoint == world.length {
            let trims_first = !self.rules.publish_before_trim;
            let doing = if trims_first { Compacting::Trim } else { Compacting::Publish };
            let mut next = set(world, which, Compactor { doing, checkpoint: mine.checkpoint + 1, ..mine });
            next.append(Kind::Snapshot, mine.segments);
            let what = told(mine.segments);
            out.add(|| format!("compactor {which} appends entry {} naming {what}", world.length + 1), next);
        } else {
            let doing = if self.must_begin_again(world, mine) { Compacting::Upload } else { Compacting::Append };
            let next = set(world, which, Compactor { doing, checkpoint: world.length, ..mine });
            out.add(|| format!("compactor {which} pulls to {}, goes on with {doing:?}", world.length), next);
        }
    }

    /// Whether a `collect` came after what it names was uploaded, or chosen.
    fn must_begin_again(&self, world: &World, mine: Compactor) -> bool {
        let seen = world.last_collect(world.length);
        let own = bits(mine.segments).any(|name| seen > world.bases[usize::from(name)]);
        if mine.chosen {
            let newer = world.last(Kind::Snapshot, world.length).is_some_and(|number| number > mine.checkpoint);
            self.rules.old_segments_are_chosen_again && seen > mine.checkpoint
                || self.rules.newest_entry_is_chosen_from && newer
        } else {
            self.rules.snapshots_obey_collects && own
        }
    }

    fn publish(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mine = world.compactors[which];
        let mut next = set(world, which, Compactor { doing: Compacting::Trim, ..mine });
        if world.snapshot(mine.covers).is_none() {
            next.publish(mine, self.rules.newest_is_highest);
        }
        out.add(|| format!("compactor {which} creates snapshot {}", mine.covers), next);
    }

    fn trim(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mine = world.compactors[which];
        let old = world.time - mine.read_at >= RETENTION;
        if old && world.trimmed < mine.covers {
            let mut next = world.clone();
            next.trimmed += 1;
            out.add(|| format!("compactor {which} deletes entry {}", world.trimmed + 1), next);
        }
        if !self.rules.publish_before_trim {
            self.publish(world, which, out);
        }
    }
}

impl World {
    fn publish(&mut self, mine: Compactor, highest: bool) {
        let reigned = mine.covers > self.newest || !highest;
        let superseded = (!reigned).then_some(self.time);
        if reigned {
            let before = self.newest.checked_sub(1).and_then(|at| self.snapshots[usize::from(at)].as_mut());
            if let Some(before) = before {
                before.superseded = Some(self.time);
            }
            self.newest = mine.covers;
        }
        let snapshot = Snapshot { segments: mine.segments, published: self.time, superseded, reigned };
        self.snapshots[usize::from(mine.covers) - 1] = Some(snapshot);
    }
}

fn set(world: &World, which: usize, compactor: Compactor) -> World {
    let mut next = world.clone();
    next.compactors[which] = compactor;
    next
}

fn begin(world: &World, which: usize, out: &mut Steps<World>) {
    let covers = world.length;
    if covers == 0 || world.snapshot(covers).is_some() {
        return;
    }
    if let Some(next) = world.spend(|left| &mut left.snapshots) {
        let (doing, read_at) = (Compacting::Upload, world.time);
        let compactor = Compactor { doing, covers, read_at, checkpoint: covers, segments: 0, chosen: false };
        out.add(|| format!("compactor {which} reads the log up to {covers}"), set(&next, which, compactor));
    }
}

//! Clients that read while segments come and go: a first sync from a snapshot, or a pull from an old checkpoint.

use super::{Config, World, bits, told};
use crate::checker::{Broken, Steps};

/// A client that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    /// Where it is.
    pub doing: Reading,
    /// The segments that it still has to get.
    pub wanted: u16,
}

/// What it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// Nothing yet.
    Idle,
    /// About to list the snapshots.
    List,
    /// The segments of this snapshot.
    Snapshot(u8),
    /// The segments of this entry.
    Entry(u8),
    /// It has what it wanted.
    Done,
}

impl Reader {
    /// One that has not begun.
    pub const IDLE: Self = Self { doing: Reading::Idle, wanted: 0 };
}

impl Config {
    pub(super) fn read(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let me = format!("reader {which}");
        let set = |world: &World, doing: Reading, wanted: u16| {
            let mut next = world.clone();
            next.readers[which] = Reader { doing, wanted };
            next
        };
        match world.readers[which].doing {
            Reading::Idle => {
                let Some(begun) = world.spend(|left| &mut left.reads) else { return };
                out.add(|| format!("{me} begins a first sync"), set(&begun, Reading::List, 0));
                let readable = (world.trimmed + 1..=world.length).filter_map(|it| Some((it, world.entry(it)?)));
                for (number, entry) in readable.filter(|(_, entry)| entry.segments != 0) {
                    let next = set(&begun, Reading::Entry(number), entry.segments);
                    out.add(|| format!("{me} reads entry {number}, which names {}", told(entry.segments)), next);
                }
            }
            Reading::List => {
                if let Some(newest) = world.snapshot(world.newest) {
                    let next = set(world, Reading::Snapshot(world.newest), newest.segments);
                    out.add(|| format!("{me} reads snapshot {}", world.newest), next);
                }
            }
            Reading::Snapshot(_) | Reading::Entry(_) => self.fetch(world, which, out),
            Reading::Done => {}
        }
    }

    fn fetch(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let Reader { doing, wanted } = world.readers[which];
        let mut next = world.clone();
        let Some(name) = bits(wanted).next() else {
            next.readers[which] = Reader { doing: Reading::Done, wanted };
            return out.add(|| format!("reader {which} has everything"), next);
        };
        if world.segments & 1 << name != 0 {
            next.readers[which].wanted &= !(1 << name);
            return out.add(|| format!("reader {which} gets s{name}"), next);
        }
        let goes_on = match doing {
            Reading::Snapshot(covers) => self.rules.first_sync_starts_over && world.newest > covers,
            Reading::Entry(number) => self.rules.pull_takes_the_snapshot && world.newest >= number,
            _ => false,
        };
        next.readers[which] = Reader { doing: Reading::List, wanted: 0 };
        if !goes_on {
            next.broken = Some(Broken::new("I8", "a reader found a segment gone, and nothing newer in its place"));
        }
        out.add(|| format!("reader {which} finds s{name} gone"), next);
    }
}

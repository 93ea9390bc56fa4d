//! A client whose change is too large for its entry.

use super::{Config, Kind, World};
use crate::checker::Steps;

/// A client that commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Where it is.
    pub doing: Writing,
    /// It has applied the log up to here.
    pub checkpoint: u8,
    /// What it has uploaded.
    pub segment: Option<u8>,
}

/// Where a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writing {
    /// Nothing to commit.
    Idle,
    /// About to put its segment.
    Upload,
    /// About to create the next entry.
    Create,
    /// Somebody was faster: reads on.
    Pull,
}

impl Writer {
    /// One that has committed nothing.
    pub const NEW: Self = Self { doing: Writing::Idle, checkpoint: 0, segment: None };
}

impl Config {
    pub(super) fn write(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let (me, mine) = (format!("writer {which}"), world.writers[which]);
        let set = |world: &World, writer: Writer| {
            let mut next = world.clone();
            next.writers[which] = writer;
            next
        };
        match mine.doing {
            Writing::Idle => {
                if let Some(next) = world.spend(|left| &mut left.writes) {
                    let writer = Writer { doing: Writing::Upload, ..mine };
                    out.add(|| format!("{me} at {} has something to commit", mine.checkpoint), set(&next, writer));
                }
            }
            Writing::Upload => self.put(world, which, out),
            Writing::Create if mine.checkpoint == world.length => {
                let segments = mine.segment.map_or(0, |name| 1 << name);
                let done = Writer { doing: Writing::Idle, checkpoint: mine.checkpoint + 1, segment: None };
                let mut next = set(world, done);
                next.append(Kind::Changes, segments);
                out.add(|| format!("{me} creates entry {} with {}", next.length, super::told(segments)), next.clone());
            }
            Writing::Create => {
                let next = set(world, Writer { doing: Writing::Pull, ..mine });
                out.add(|| format!("{me} creates entry {}: Exists", mine.checkpoint + 1), next);
            }
            Writing::Pull => {
                let doing = if self.must_upload_again(world, mine) { Writing::Upload } else { Writing::Create };
                let next = set(world, Writer { doing, checkpoint: world.length, ..mine });
                out.add(|| format!("{me} pulls to {}, goes on with {doing:?}", world.length), next);
            }
        }
    }

    fn must_upload_again(&self, world: &World, mine: Writer) -> bool {
        let base = mine.segment.map_or(0, |name| world.bases[usize::from(name)]);
        let seen = world.last_collect(world.length);
        let news = seen > mine.checkpoint || self.rules.new_name_after_collect;
        self.rules.upload_again_after_collect && seen > base && news
    }

    fn put(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let mut next = world.clone();
        let mine = &mut next.writers[which];
        mine.doing = Writing::Create;
        let name = match mine.segment {
            Some(name) if !self.rules.new_name_after_collect => {
                next.segments |= 1 << name;
                name
            }
            _ => next.upload(world.writers[which].checkpoint),
        };
        next.writers[which].segment = Some(name);
        out.add(|| format!("writer {which} puts s{name}, based on {}", next.bases[usize::from(name)]), next.clone());
    }
}

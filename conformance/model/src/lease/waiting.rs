//! I9, from every state: a process that goes on alone, while all others have died, has the lease within one time-to-live of
//! its first look at the highest record.

use super::process::Step;
use super::{Config, RECORDS, TTL, World};
use crate::checker::Broken;

/// More steps than any process needs.
const PATIENCE: usize = 40;

impl Config {
    pub(super) fn somebody_waits_too_long(&self, world: &World) -> Option<Broken> {
        // Beyond the bound on numbers nobody is heard.
        if usize::from(world.highest()) + 2 >= RECORDS {
            return None;
        }
        let free = Self { tokens: u8::MAX, ..*self };
        let late = |which: usize| free.waits(world, which).is_none_or(|waited| waited > allowed(world, which));
        let blocked = (0..self.processes).filter(|&which| !world.process(which).holding).any(late);
        blocked.then(|| {
            Broken::new("I9", "one who waits alone does not have the lease a time-to-live after its first look")
        })
    }

    /// How long it waits when it goes on alone. None: it never has the lease.
    fn waits(&self, world: &World, which: usize) -> Option<u8> {
        let mut world = world.clone();
        let start = world.time;
        for _ in 0..PATIENCE {
            let process = world.process(which);
            let next = match process.step {
                Step::Holding => return Some(world.time - start),
                Step::Looking => self.look(&world, which).1,
                Step::Create { purpose, again } => self.created_once(&world, which, purpose, again).1,
                Step::ReadBack(purpose) => self.read_back(&world, which, purpose).1,
                Step::Created(purpose, at) => self.created(&world, which, purpose, at).1,
            };
            let waits = process.step == Step::Looking && next.process(which).step == Step::Looking;
            world = if waits { self.restarted(&next, which) } else { next };
            world.time += u8::from(waits);
        }
        None
    }
}

/// One time-to-live after its first look at what is highest now; what is left of it, if it has looked. And one more if it was so slow
/// itself that the record which it is creating will be over on arrival: nobody else keeps it waiting then.
fn allowed(world: &World, which: usize) -> u8 {
    let process = world.process(which);
    let looked = process.truly.filter(|(number, _)| *number == world.highest());
    let since = looked.map_or(0, |(_, since)| world.time - since);
    let slow = process.sent.is_some_and(|sent| sent + TTL <= world.clock(which));
    TTL - since.min(TTL) + if slow { TTL } else { 0 }
}

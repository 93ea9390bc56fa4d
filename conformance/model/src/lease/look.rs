//! Looking at the highest record: it is free, or held, or stale.

use super::process::{Process, Purpose, Step};
use super::{Config, Record, TTL, World};
use crate::checker::Broken;

impl Config {
    /// Finds the highest record; waits, or goes for the next number.
    pub(super) fn look(&self, world: &World, which: usize) -> (String, World) {
        let (process, clock) = (world.process(which), world.clock(which));
        let highest = if self.rules.found_by_list { world.highest() } else { probe(world, process.known) };
        let known = if self.rules.found_by_list { 0 } else { highest };
        let wants = |process: &mut Process| {
            (process.token, process.listed, process.known) = (highest + 1, clock, known);
            process.step = Step::Create { purpose: Purpose::Take, again: false };
        };
        let Some(record) = world.record(highest).filter(|record| record.held) else {
            return (format!("looks: {highest} is free"), self.within(highest + 1, world, world.with(which, wants)));
        };
        if !self.rules.nonce_per_grant && record.who == self.id(which) {
            let resumed = |it: &mut Process| {
                (it.step, it.holding, it.token, it.deadline) = (Step::Holding, true, highest, clock + TTL);
            };
            return (format!("looks: {highest} is held by its own id, and goes on"), world.with(which, resumed));
        }
        let seen = world.with(which, |it| {
            it.known = known;
            self.note_look(it, highest, clock, world.time);
        });
        if !self.is_stale(&seen, which, record) {
            return (format!("looks: {highest} is held"), overdue(seen, which));
        }
        let next = self.within(highest + 1, world, seen.with(which, wants));
        (format!("looks: {highest} is stale"), next)
    }

    fn note_look(&self, process: &mut Process, highest: u8, clock: u8, time: u8) {
        if process.truly.is_none_or(|(number, _)| number != highest) {
            process.truly = Some((highest, time));
        }
        let fresh = process.watched == 0 || process.watched != highest && self.rules.new_number_is_a_new_look;
        if fresh {
            process.first_look = clock;
        } else if !self.rules.whole_time_to_live {
            // Its second look.
            process.first_look = 0;
        }
        process.watched = highest;
    }

    fn is_stale(&self, world: &World, which: usize, record: Record) -> bool {
        let process = world.process(which);
        if !self.rules.own_clock_only {
            return self.wall(world, which) >= record.wall + TTL;
        }
        let second = !self.rules.whole_time_to_live && process.first_look == 0 && process.truly.is_some();
        world.clock(which) - process.first_look >= TTL || second
    }

    /// The wall clock of B is ahead.
    pub(super) fn wall(&self, world: &World, which: usize) -> u8 {
        if self.rules.own_clock_only { 0 } else { world.time + u8::from(which == 1) }
    }
}

/// The highest number that probing upwards from a known one finds.
fn probe(world: &World, known: u8) -> u8 {
    let mut highest = known;
    while world.record(highest + 1).is_some() {
        highest += 1;
    }
    highest
}

/// I9: a look that says "wait on" one time-to-live after the first at the same record.
fn overdue(mut world: World, which: usize) -> World {
    if let Some((_, since)) = world.process(which).truly
        && world.time - since >= TTL
    {
        world.broken = Some(Broken::new("I9", "a watcher waits on, a time-to-live after its first look"));
    }
    world
}

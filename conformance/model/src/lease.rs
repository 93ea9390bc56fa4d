//! The lease: numbered records, holders that count their time, watchers that wait.
//!
//! The unit of time is one time-to-live. The lease guards nothing here: what is checked is that it is given to one at a time (I7), and
//! that nobody who died makes another wait for longer than one time-to-live (I9).

mod look;
mod process;
mod waiting;

use crate::checker::{Broken, Model, Steps};
use crate::rules::rules;

pub use process::{Process, Purpose, Step};

/// The most records.
const RECORDS: usize = 7;
/// For how long a lease is granted.
const TTL: u8 = 1;
/// How old a record must be to be trimmed; and how late a reply to be doubted.
const AGE: u8 = 2;

rules! {
    /// The highest record is never trimmed.
    highest_is_kept,
    /// It is found by a list (else: by probing from the last number known).
    found_by_list,
    /// A reply that comes late counts only if a new list shows it highest.
    list_after_late_reply,
    /// A holder's time counts from before it sent the create (else: from the reply).
    time_from_before_sending,
    /// A holder looks at its own clock before it renews, and does not after its time.
    renewed_in_time_only,
    /// The time of a renewal counts from that look (else: from before it is sent, which may be long after).
    renewal_counts_from_the_look,
    /// A renewal is created at the own token + 1 (else: at the highest + 1).
    renew_at_own_plus_one,
    /// So is a release.
    release_at_own_plus_one,
    /// Identity is a nonce of the grant (else: the client's id).
    nonce_per_grant,
    /// `Exists` is read back (else: after an unknown outcome it is taken for the echo of the first try).
    exists_is_read_back,
    /// First looks survive a restart of the watcher.
    first_look_is_kept,
    /// A new number is a new look.
    new_number_is_a_new_look,
    /// A watcher's own clock decides (else: the wall clocks of two machines are compared).
    own_clock_only,
    /// Clocks count suspension.
    clock_counts_suspension,
    /// A watcher waits for the whole time-to-live (else: it takes over at its second look).
    whole_time_to_live,
}

/// How often each thing may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A time-to-live passes.
    pub ticks: u8,
    /// A process dies.
    pub crashes: u8,
    /// The outcome of a create is not known.
    pub lost: u8,
    /// Such a create lands later.
    pub late: u8,
    /// A record is trimmed.
    pub trims: u8,
    /// A lease is renewed.
    pub renewals: u8,
    /// A process sleeps for a time-to-live.
    pub sleeps: u8,
}

/// A model of the lease.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The rules.
    pub rules: Rules,
    /// How often things may happen.
    pub budget: Budget,
    /// Processes: 2 or 3.
    pub processes: usize,
    /// The highest number that is tried.
    pub tokens: u8,
    /// Whether all processes are copies of one replica.
    pub copies: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { rules: Rules::ALL, budget: Budget::default(), processes: 2, tokens: 3, copies: false }
    }
}

/// A grant, a renewal or a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The client's id.
    who: u8,
    /// Which grant it belongs to.
    nonce: u8,
    /// Whether it holds, or frees.
    held: bool,
    /// When it landed.
    since: u8,
    /// Its writer's wall clock; used only where the rule about it is off.
    wall: u8,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    time: u8,
    records: [Option<Record>; RECORDS],
    /// Creates on their way.
    late: [Option<(u8, Record)>; 2],
    processes: [Option<Process>; 3],
    /// The highest token that was granted.
    granted: u8,
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

    fn record(&self, number: u8) -> Option<Record> {
        self.records.get(usize::from(number).checked_sub(1)?).copied().flatten()
    }

    fn put(&mut self, number: u8, record: Record) {
        self.records[usize::from(number) - 1] = Some(Record { since: self.time, ..record });
    }

    /// What a list shows as highest; 0 if there is nothing.
    fn highest(&self) -> u8 {
        (1..=RECORDS).rev().find(|&at| self.records[at - 1].is_some()).map_or(0, |at| u8::try_from(at).unwrap_or(0))
    }

    fn process(&self, which: usize) -> Process {
        self.processes[which].unwrap_or_else(|| Process::new(0))
    }

    fn with(&self, which: usize, change: impl FnOnce(&mut Process)) -> Self {
        let mut world = self.clone();
        if let Some(process) = &mut world.processes[which] {
            change(process);
        }
        world
    }

    /// What a process reads on its own clock.
    fn clock(&self, which: usize) -> u8 {
        self.time - self.process(which).lag
    }

    /// Whether it believes to hold the lease.
    fn holds(&self, which: usize) -> bool {
        let process = self.process(which);
        process.holding && self.clock(which) < process.deadline
    }
}

impl Model for Config {
    type State = World;

    fn start(&self) -> World {
        let mut processes = [None; 3];
        for (which, process) in (0..).zip(processes.iter_mut().take(self.processes)) {
            *process = Some(Process::new(which));
        }
        let (records, late) = ([None; RECORDS], [None; 2]);
        World { time: 0, records, late, processes, granted: 0, left: self.budget, broken: None }
    }

    fn steps(&self, world: &World, out: &mut Steps<World>) {
        self.surroundings(world, out);
        for which in 0..self.processes {
            self.process(world, which, out);
        }
    }

    fn broken(&self, world: &World) -> Option<Broken> {
        let holders = (0..self.processes).filter(|&which| world.holds(which)).count();
        let overlap = (holders > 1).then(|| Broken::new("I7", "two unexpired leases overlap"));
        world.broken.or(overlap).or_else(|| self.somebody_waits_too_long(world))
    }
}

impl Config {
    fn surroundings(&self, world: &World, out: &mut Steps<World>) {
        if let Some(mut next) = world.spend(|left| &mut left.ticks) {
            next.time += 1;
            out.add(|| format!("a time-to-live passes (time {})", world.time + 1), next);
        }
        for place in 0..world.late.len() {
            let Some((number, record)) = world.late[place] else { continue };
            let mut next = world.clone();
            next.late[place] = None;
            if world.record(number).is_none() {
                next.put(number, record);
            }
            out.add(|| format!("a create of {number} arrives late"), next);
        }
        self.trim(world, out);
    }

    fn trim(&self, world: &World, out: &mut Steps<World>) {
        let highest = world.highest();
        let kept = |number: u8| number == highest && self.rules.highest_is_kept;
        let old = |number: u8| world.record(number).is_some_and(|it| world.time - it.since >= AGE);
        if let Some(number) = (1..=highest).find(|&number| world.record(number).is_some())
            && old(number)
            && !kept(number)
            && let Some(mut next) = world.spend(|left| &mut left.trims)
        {
            next.records[usize::from(number) - 1] = None;
            out.add(|| format!("record {number} is trimmed"), next);
        }
    }
}

/// The name of a process.
fn name(which: usize) -> char {
    ['A', 'B', 'C'][which]
}

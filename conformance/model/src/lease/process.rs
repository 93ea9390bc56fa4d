//! A process that wants the lease, has it, and lets it go.

use super::{AGE, Config, Record, TTL, World, name};
use crate::checker::{Broken, Steps};

/// A process of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Where it is.
    pub step: Step,
    /// Which of its grants this is.
    pub nonce: u8,
    /// The number that it creates, or holds.
    pub token: u8,
    /// Whether it was granted a lease and has not let it go.
    pub holding: bool,
    /// Until when, on its own clock.
    pub deadline: u8,
    /// When it first sent the create, on its own clock.
    pub sent: Option<u8>,
    /// When it last listed the records to take the lease, on its own clock.
    pub listed: u8,
    /// The record that it watches.
    pub watched: u8,
    /// When it first looked at that, as it remembers.
    pub first_look: u8,
    /// When it truly did.
    pub truly: Option<(u8, u8)>,
    /// The highest number that it knows of; used only where the rule about it is off.
    pub known: u8,
    /// By how much its clock is behind.
    pub lag: u8,
}

/// Where a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Has no lease; may look for one, again and again.
    Looking,
    /// About to create its record.
    Create {
        /// What for.
        purpose: Purpose,
        /// Whether its outcome was once unknown; used only where the rule about it is off.
        again: bool,
    },
    /// About to read what lies at its number.
    ReadBack(Purpose),
    /// The record is its own: the reply came at this time of its clock.
    Created(Purpose, u8),
    /// Has the lease.
    Holding,
}

/// What a record is created for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To take the lease.
    Take,
    /// To keep it for longer.
    Renew,
    /// To let it go.
    Release,
}

impl Process {
    /// One that was just started.
    pub fn new(which: u8) -> Self {
        Self {
            step: Step::Looking,
            nonce: which * 16,
            token: 0,
            holding: false,
            deadline: 0,
            sent: None,
            listed: 0,
            watched: 0,
            first_look: 0,
            truly: None,
            known: 0,
            lag: 0,
        }
    }

    /// It has no lease (any more). What it does not need is forgotten, so that equal situations are equal states.
    fn let_go(&mut self) {
        (self.step, self.holding, self.token, self.deadline) = (Step::Looking, false, 0, 0);
        (self.sent, self.listed) = (None, 0);
    }
}

impl Config {
    pub(super) fn process(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let (me, process) = (name(which), world.process(which));
        self.mishaps(world, which, out);
        match process.step {
            Step::Looking => {
                let (what, next) = self.look(world, which);
                out.add(|| format!("{me} {what}"), next);
            }
            Step::Create { purpose, again } => self.create(world, which, purpose, again, out),
            Step::ReadBack(purpose) => {
                let (what, next) = self.read_back(world, which, purpose);
                out.add(|| format!("{me} reads {} back: {what}", process.token), next);
            }
            Step::Created(purpose, at) => {
                let (what, next) = self.created(world, which, purpose, at);
                out.add(|| format!("{me} {what}"), next);
            }
            Step::Holding => self.hold(world, which, out),
        }
    }

    fn mishaps(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let me = name(which);
        if let Some(next) = world.spend(|left| &mut left.crashes) {
            out.add(|| format!("{me} dies, and is started again"), self.restarted(&next, which));
        }
        if !self.rules.clock_counts_suspension
            && let Some(mut next) = world.spend(|left| &mut left.sleeps)
        {
            next.time += 1;
            out.add(|| format!("{me} sleeps for a time-to-live"), next.with(which, |it| it.lag += 1));
        }
    }

    pub(super) fn restarted(&self, world: &World, which: usize) -> World {
        world.with(which, |it| {
            it.let_go();
            it.nonce += 1;
            if !self.rules.first_look_is_kept {
                (it.watched, it.first_look) = (0, 0);
            }
        })
    }

    pub(super) fn id(&self, which: usize) -> u8 {
        if self.copies { 0 } else { u8::try_from(which).unwrap_or(0) }
    }

    /// The bound on numbers: whoever would go past it stays where it is.
    pub(super) fn within(&self, number: u8, before: &World, after: World) -> World {
        if number > self.tokens { before.clone() } else { after }
    }

    fn own(&self, world: &World, which: usize, purpose: Purpose) -> Record {
        let (who, nonce) = (self.id(which), world.process(which).nonce);
        Record { who, nonce, held: purpose != Purpose::Release, since: world.time, wall: self.wall(world, which) }
    }

    fn create(&self, world: &World, which: usize, purpose: Purpose, again: bool, out: &mut Steps<World>) {
        let (me, number) = (name(which), world.process(which).token);
        let (what, next) = self.created_once(world, which, purpose, again);
        let world = &sending(world, which);
        out.add(|| format!("{me} creates {number} to {purpose:?}: {what}"), next);
        let unknown = if self.rules.exists_is_read_back {
            Step::ReadBack(purpose)
        } else {
            Step::Create { purpose, again: true }
        };
        let Some(lost) = world.spend(|left| &mut left.lost) else { return };
        let waits = lost.with(which, |it| it.step = unknown);
        out.add(|| format!("{me} creates {number} to {purpose:?}: Unknown (it was not applied)"), waits.clone());
        if world.record(number).is_none() {
            let mut applied = waits.clone();
            applied.put(number, self.own(world, which, purpose));
            out.add(|| format!("{me} creates {number} to {purpose:?}: Unknown (it was applied)"), applied);
        }
        if let Some(place) = waits.late.iter().position(Option::is_none)
            && let Some(mut late) = waits.spend(|left| &mut left.late)
        {
            late.late[place] = Some((number, self.own(world, which, purpose)));
            out.add(|| format!("{me} creates {number} to {purpose:?}: Unknown (it is on its way)"), late);
        }
    }

    /// A create whose reply arrives.
    pub(super) fn created_once(
        &self,
        world: &World,
        which: usize,
        purpose: Purpose,
        again: bool,
    ) -> (&'static str, World) {
        let (number, clock, world) = (world.process(which).token, world.clock(which), &sending(world, which));
        if world.record(number).is_none() {
            let mut next = world.with(which, |it| it.step = Step::Created(purpose, clock));
            next.put(number, self.own(world, which, purpose));
            ("Created", next)
        } else if again {
            ("Exists, and takes it for its own", world.with(which, |it| it.step = Step::Created(purpose, clock)))
        } else {
            ("Exists", world.with(which, |it| it.step = Step::ReadBack(purpose)))
        }
    }

    pub(super) fn read_back(&self, world: &World, which: usize, purpose: Purpose) -> (&'static str, World) {
        let (process, clock) = (world.process(which), world.clock(which));
        let mine = self.own(world, which, purpose);
        match world.record(process.token) {
            None => ("nothing is there", world.with(which, |it| it.step = Step::Create { purpose, again: false })),
            Some(found) if (found.who, found.nonce, found.held) == (mine.who, mine.nonce, mine.held) => {
                ("its own", world.with(which, |it| it.step = Step::Created(purpose, clock)))
            }
            Some(_) => ("another's", world.with(which, Process::let_go)),
        }
    }

    /// Its record is there: granted, if it is not an old story.
    pub(super) fn created(&self, world: &World, which: usize, purpose: Purpose, at: u8) -> (String, World) {
        let (process, clock) = (world.process(which), world.clock(which));
        let number = process.token;
        if purpose == Purpose::Release {
            return (format!("has released with {number}"), world.with(which, Process::let_go));
        }
        let late = at - process.listed >= AGE && self.rules.list_after_late_reply;
        if purpose == Purpose::Take && late && world.highest() != number {
            return (format!("lists again: {number} is not the highest"), world.with(which, Process::let_go));
        }
        let from = process.sent.filter(|_| self.rules.time_from_before_sending).unwrap_or(clock);
        if from + TTL <= clock {
            return (format!("got {number} when its time was over"), world.with(which, Process::let_go));
        }
        let mut next = world.with(which, |it| {
            (it.step, it.holding, it.deadline) = (Step::Holding, true, from + TTL);
            (it.sent, it.listed) = (None, 0);
        });
        if number <= world.granted {
            next.broken = Some(Broken::new("I7", "a token was granted that is not above the last"));
        }
        next.granted = number.max(world.granted);
        (format!("is granted {number}"), next)
    }

    fn hold(&self, world: &World, which: usize, out: &mut Steps<World>) {
        let (me, process, clock) = (name(which), world.process(which), world.clock(which));
        let go = |world: &World, purpose: Purpose, at_own: bool| {
            let token = if at_own { process.token } else { world.highest() } + 1;
            let next = world.with(which, |it| {
                let renews = purpose == Purpose::Renew;
                it.sent = Some(clock).filter(|_| renews && self.rules.renewal_counts_from_the_look);
                (it.token, it.listed, it.holding) = (token, 0, renews);
                it.step = Step::Create { purpose, again: false };
            });
            self.within(token, world, next)
        };
        if clock >= process.deadline {
            out.add(|| format!("{me} stops: its time is up"), world.with(which, Process::let_go));
        }
        let in_time = clock < process.deadline || !self.rules.renewed_in_time_only;
        if let Some(next) = world.spend(|left| &mut left.renewals).filter(|_| in_time) {
            let next = go(&next, Purpose::Renew, self.rules.renew_at_own_plus_one);
            out.add(|| format!("{me} wants to renew {}", process.token), next);
        }
        let next = go(world, Purpose::Release, self.rules.release_at_own_plus_one);
        out.add(|| format!("{me} wants to release {}", process.token), next);
    }
}

/// Its time counts from here: before the first create of this record is sent.
fn sending(world: &World, which: usize) -> World {
    let clock = world.clock(which);
    world.with(which, |it| it.sent = it.sent.or(Some(clock)))
}

//! Committing: one attempt, sent until its fate is known.

use super::client::{Attempt, Client, Step};
use super::store::{Entry, Kind};
use super::{Config, World, name};
use crate::checker::Steps;

impl Config {
    /// At the head: sends the open attempt again, or makes one of what is pending, or is done.
    pub(super) fn push(&self, world: &mut World, who: usize) {
        let mut client = world.client(who);
        if client.attempt.is_none() {
            self.make_attempt(world, &mut client);
        }
        let sends = client.attempt.is_some();
        client.step = if sends { Step::Create { again: false, ahead: false } } else { Step::Idle };
        if sends {
            self.must_be_on_track(world, &client, "a replica wrote to a store of another history");
        }
        world.clients[who] = Some(client);
    }

    /// In a session, without a poll: what is created behind the checkpoint proves that it was the head. Not over an open attempt,
    /// and not while the app must answer.
    pub(super) fn go_ahead(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, mut client) = (name(who), world.client(who));
        if self.rules.open_attempt_first && client.attempt.is_some() || client.conflicts != 0 {
            return;
        }
        let before = client.counter;
        self.make_attempt(world, &mut client);
        if client.counter == before {
            return;
        }
        client.step = Step::Create { again: false, ahead: true };
        let next = self.changed(world, |it| {
            self.must_be_on_track(it, &client, "a replica wrote to a store of another history");
            it.clients[who] = Some(client);
        });
        out.add(|| format!("{me} goes ahead without a poll"), next);
    }

    fn make_attempt(&self, world: &World, client: &mut Client) {
        let rows = self.sendable(client);
        if rows == 0 {
            return;
        }
        client.counter += 1;
        let entry = Entry {
            kind: Kind::Changes,
            client: client.id,
            attempt: client.counter,
            number: client.next(),
            previous: client.hash,
            rows,
        };
        client.attempt = Some(Attempt { entry, staged: self.stamp(world) });
    }

    /// The rows that no conflict holds back.
    fn sendable(&self, client: &Client) -> u8 {
        match (self.rules.conflict_blocks_push, self.shared) {
            (false, _) => client.outbox,
            (true, true) if client.conflicts != 0 => 0,
            (true, _) => client.outbox & !client.conflicts,
        }
    }

    /// When something was staged: kept only where it matters.
    pub(super) fn stamp(&self, world: &World) -> u8 {
        if self.rules.age_from_reading { 0 } else { world.time }
    }

    pub(super) fn create(&self, world: &World, who: usize, (again, ahead): (bool, bool), out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        let Some(Attempt { entry, staged }) = client.attempt else { return };
        let number = entry.number;
        if world.store.get(number).is_none() {
            let landed = self.changed(world, |it| self.land(it, entry, staged));
            let done = self.changed(&landed, |it| self.created(it, who));
            out.add(|| format!("{me} creates {number} with {}: Created", super::told(entry.rows)), done);
            self.lose_reply(&landed, who, ("it was applied", ahead), out);
            self.torn_commit(&landed, who, out);
        } else {
            let next = self.changed(world, |it| self.exists(it, who, again));
            out.add(|| format!("{me} creates {number}: Exists"), next);
        }
        self.lose_reply(world, who, ("it was not applied", ahead), out);
        not_sent(world, who, ahead, out);
        let Some(lost) = world.spend(|left| &mut left.lost).and_then(|it| it.spend(|left| &mut left.late)) else {
            return;
        };
        if let Some(place) = lost.late.iter().position(Option::is_none) {
            let mut next = lost;
            next.late[place] = Some(entry);
            next.update(who, |it| self.after_unknown(it, ahead));
            out.add(|| format!("{me} creates {number}: Unknown (it is on its way)"), next);
        }
    }

    fn lose_reply(&self, world: &World, who: usize, (truth, ahead): (&str, bool), out: &mut Steps<World>) {
        let (me, number) = (name(who), world.client(who).next());
        if let Some(mut lost) = world.spend(|left| &mut left.lost) {
            lost.update(who, |it| self.after_unknown(it, ahead));
            out.add(|| format!("{me} creates {number}: Unknown ({truth})"), lost);
        }
    }

    fn after_unknown(&self, client: &mut Client, ahead: bool) {
        if ahead && !self.rules.given_up_only_if_not_written {
            return client.give_up();
        }
        client.step =
            if self.rules.read_back_after_exists { Step::ReadBack } else { Step::Create { again: true, ahead: false } };
    }

    /// Without one transaction, a process may die when the checkpoint has moved and the outbox has not.
    fn torn_commit(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let Some(mut died) = world.spend(|left| &mut left.crashes).filter(|_| !self.rules.one_transaction) else {
            return;
        };
        let outbox = died.client(who).outbox;
        self.commit(&mut died, who, None);
        died.update(who, |it| it.outbox = outbox);
        died.update(who, Client::stop);
        out.add(|| format!("{}: Created; dies between moving its checkpoint and its outbox", name(who)), died);
    }

    fn created(&self, world: &mut World, who: usize) {
        let (client, time) = (world.client(who), self.now(world));
        if self.counts(&client, time) || !self.rules.floor_check_after_late_reply {
            self.commit(world, who, Some(time));
            world.update(who, |it| it.step = Step::Idle);
        } else {
            world.update(who, |it| it.step = Step::Late { head: Some(time) });
        }
    }

    fn exists(&self, world: &mut World, who: usize, again: bool) {
        if again {
            self.commit(world, who, None);
            return world.update(who, |it| it.step = Step::Idle);
        }
        world.update(who, |it| {
            it.step = if self.rules.exists_may_be_mine { Step::ReadBack } else { Step::Pull };
            it.attempt = it.attempt.filter(|_| self.rules.exists_may_be_mine);
        });
    }

    pub(super) fn read_back(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        let Some(Attempt { entry, .. }) = client.attempt else { return };
        let (what, next) = match world.store.get(entry.number) {
            None => ("nothing is there", self.changed(world, |it| self.is_absent(it, who))),
            Some(found) if self.is_mine(&client, &entry, &found) => {
                ("mine", self.changed(world, |it| self.found_mine(it, who)))
            }
            Some(_) => ("another's", world.with(who, |it| it.step = Step::Pull)),
        };
        out.add(|| format!("{me} reads {} back: {what}", entry.number), next);
    }

    /// Nothing lies at the attempt's number. It may still land.
    fn is_absent(&self, world: &mut World, who: usize) {
        let mut client = world.client(who);
        client.step = Step::Create { again: false, ahead: false };
        if !self.rules.same_bytes {
            (client.attempt, client.step) = (None, Step::Pull);
        }
        if !self.rules.same_number
            && let Some(open) = &mut client.attempt
        {
            (open.entry.previous, open.entry.number) = (open.entry.hash(), open.entry.number + 1);
        }
        world.clients[who] = Some(client);
    }

    fn found_mine(&self, world: &mut World, who: usize) {
        let (client, time) = (world.client(who), self.now(world));
        if self.counts(&client, time) || !self.rules.floor_check_after_late_read_back {
            self.commit(world, who, None);
            world.update(who, |it| it.step = Step::Idle);
        } else {
            world.update(who, |it| it.step = Step::Late { head: None });
        }
    }

    /// The proof came late: the floor says whether the number still means what it meant.
    pub(super) fn late_reply(&self, world: &World, who: usize, head: Option<u8>, out: &mut Steps<World>) {
        let (me, client, newest) = (name(who), world.client(who), world.store.newest());
        let next = self.changed(world, |it| {
            if newest >= client.next() {
                return it.update(who, |it| it.step = Step::Boot);
            }
            self.commit(it, who, head);
            it.update(who, |it| it.step = Step::Idle);
        });
        out.add(|| format!("{me} lists the snapshots, since the proof is late: newest {newest}"), next);
    }
}

/// It is known that nothing was sent, as on a device without a network: what went ahead is given up, and the app may change it.
fn not_sent(world: &World, who: usize, ahead: bool, out: &mut Steps<World>) {
    if let Some(mut next) = world.spend(|left| &mut left.lost).filter(|_| ahead) {
        next.update(who, Client::give_up);
        out.add(|| format!("{} sends nothing, and gives its attempt up", name(who)), next);
    }
}

//! What a replica does in one local transaction: commit, apply an entry, continue from a snapshot, be told of conflicts.

use super::client::{Attempt, Client, Step};
use super::store::{Entry, Kind};
use super::{Config, World, bits};

impl Client {
    /// Moves the checkpoint.
    fn advance(&mut self, number: u8, hash: u32, kept_every: u8) {
        (self.checkpoint, self.hash) = (number, hash);
        if number.is_multiple_of(kept_every) {
            self.kept = hash;
        }
    }

    /// The sync ends, and its attempt is none any more.
    pub(super) fn give_up(&mut self) {
        (self.attempt, self.step) = (None, Step::Idle);
    }

    /// It stops, and says why.
    pub(super) fn refuse(&mut self) {
        (self.step, self.session) = (Step::Refused, false);
    }
}

impl Config {
    /// The entry at the attempt's number is its own. `head` is the server's time, if the reply also proves a head.
    pub(super) fn commit(&self, world: &mut World, who: usize, head: Option<u8>) {
        let mut client = world.client(who);
        let Some(Attempt { entry, .. }) = client.attempt.take() else { return };
        world.acknowledged |= entry.rows;
        client.outbox &= if self.rules.rows_of_the_attempt { !entry.rows } else { 0 };
        client.conflicts &= client.outbox;
        client.applied |= entry.rows;
        client.advance(entry.number, entry.hash(), self.kept_every);
        client.last = Some(entry);
        client.head_time = head.and_then(|time| self.trusted(world, time)).or(client.head_time);
        world.clients[who] = Some(client);
    }

    /// Applies the next entry, which is another's.
    pub(super) fn apply(&self, world: &mut World, who: usize, entry: Entry) {
        let mut client = world.client(who);
        self.must_be_on_track(world, &client, "a replica applied an entry of another history");
        if client.attempt.is_some_and(|open| open.entry.number == entry.number) {
            client.attempt = None;
        }
        let own = entry.kind == Kind::Changes && entry.client == client.id;
        let skipped = own && !self.rules.hash_identity && entry.attempt <= client.counter;
        if own && !skipped {
            self.take_new_id(world, &mut client);
        }
        client.applied |= if skipped { 0 } else { entry.rows };
        client.advance(entry.number, entry.hash(), self.kept_every);
        self.drop_equal(&mut client, entry.rows);
        self.meet(world, who, &mut client, entry.rows);
        world.clients[who] = Some(client);
    }

    /// This replica was copied, or restored from a backup.
    fn take_new_id(&self, world: &mut World, client: &mut Client) {
        if self.rules.new_id_for_a_clone {
            (client.id, client.counter) = (world.ids, 0);
            world.ids += 1;
        }
    }

    /// Pending rows that came in are settled.
    fn drop_equal(&self, client: &mut Client, pulled: u8) {
        let equal = if self.rules.equal_rows_are_dropped { client.outbox & pulled } else { 0 };
        let last = bits(equal).last().filter(|_| self.shared && self.rules.earlier_rows_are_dropped_too);
        let earlier = last.map_or(0, |last| (1 << last) - 1);
        client.outbox &= !(equal | earlier);
    }

    /// Changes of others came in: pending rows of the same document are in conflict.
    fn meet(&self, world: &mut World, who: usize, client: &mut Client, pulled: u8) {
        client.conflicts &= client.outbox;
        if !self.shared || pulled == 0 || client.outbox == 0 {
            return;
        }
        if !self.copies_happen() && bits(pulled).any(|row| usize::from(world.author[usize::from(row)]) == who) {
            world.breaks("I4", "a replica was told that its own change is in conflict");
        }
        if !self.copies_happen() && client.outbox & world.store.rows(world.store.length) != 0 {
            world.breaks("I4", "a replica was told that a change is in conflict which is committed");
        }
        if self.rules.conflicts_are_told {
            client.conflicts = client.outbox;
        }
    }

    fn copies_happen(&self) -> bool {
        self.budget.clones + self.budget.restores > 0
    }

    /// Continues from the newest snapshot, if it is of the history that the replica knows.
    pub(super) fn boot(&self, world: &mut World, who: usize) {
        let (mut client, newest) = (world.client(who), world.store.newest());
        if !self.snapshot_agrees(world, &client, newest) {
            return self.refuse(world, who);
        }
        if !self.is_beyond_what_can_be_known(world, &client) {
            self.must_be_on_track(world, &client, "a replica continued from a snapshot of another history");
        }
        let listed = world.store.listed(client.id, newest).filter(|_| self.rules.snapshot_lists_attempts);
        let known = listed.is_none_or(|listed| self.is_known(&client, &listed));
        let before = client;
        let doubtful = self.settle_attempt(world, &mut client, listed);
        if !known {
            self.take_new_id(world, &mut client);
        }
        self.take_documents(world, who, &mut client, &before, newest);
        client.conflicts |= doubtful & client.outbox;
        (client.checkpoint, client.hash) = (newest, world.store.hash(newest));
        client.kept = world.store.hash(newest - newest % self.kept_every);
        (client.head_time, client.step) = (None, Step::Pull);
        world.clients[who] = Some(client);
    }

    fn is_known(&self, client: &Client, listed: &Entry) -> bool {
        if self.rules.snapshot_lists_hashes { client.knows(listed) } else { listed.attempt <= client.counter }
    }

    /// Whether a snapshot is of the history that this replica knows, as far as it can tell.
    fn snapshot_agrees(&self, world: &World, client: &Client, newest: u8) -> bool {
        let mark = client.checkpoint - client.checkpoint % self.kept_every;
        let listed = |last: &Entry| world.store.listed(last.client, newest);
        let lists = |last: Entry| listed(&last).is_some_and(|it| it == last || it.attempt > last.attempt);
        (!self.rules.kept_hashes_agree || world.store.hash(mark) == client.kept || client.store.is_none())
            && (!self.rules.snapshot_lists_my_attempt || client.last.is_none_or(lists))
    }

    /// The stated limit: a fork younger than the last kept hash, seen by a replica that wrote nothing since.
    fn is_beyond_what_can_be_known(&self, world: &World, client: &Client) -> bool {
        let mark = client.checkpoint - client.checkpoint % self.kept_every;
        self.kept_every > 1
            && world.store.hash(mark) == client.kept
            && client.last.is_none_or(|last| world.store.committed(last.number) == Some(last))
    }

    /// Whether the open attempt was committed, by what the snapshot lists. Returns its rows if that cannot be said.
    fn settle_attempt(&self, world: &mut World, client: &mut Client, listed: Option<Entry>) -> u8 {
        let Some(Attempt { entry, .. }) = client.attempt.take() else { return 0 };
        let listed = listed.filter(|_| self.rules.snapshot_decides_below_the_floor);
        let is_it =
            |it: Entry| if self.rules.snapshot_lists_hashes { it == entry } else { it.attempt >= entry.attempt };
        if listed.is_some_and(is_it) {
            world.acknowledged |= entry.rows;
            client.outbox &= !entry.rows;
            client.last = Some(entry);
            return 0;
        }
        let passed = listed.is_some_and(|it| it.attempt > entry.attempt);
        if passed && self.rules.doubtful_rows_become_conflicts { entry.rows } else { 0 }
    }

    /// The documents of the snapshot. Of one document, only its last change can be seen.
    fn take_documents(&self, world: &mut World, who: usize, client: &mut Client, before: &Client, newest: u8) {
        client.applied = world.store.rows(newest);
        let visible = match world.store.last_row(newest) {
            Some(last) if self.shared => 1 << last,
            _ => client.applied,
        };
        self.drop_equal(client, visible);
        let others = visible & !before.applied & !before.outbox;
        self.meet(world, who, client, others);
    }

    /// Reports that this is not the store that the replica knows.
    pub(super) fn refuse(&self, world: &mut World, who: usize) {
        if self.is_on_track(world, &world.client(who)) {
            world.breaks("I10", "a replica was told that its store was replaced, and it was not");
        }
        world.update(who, Client::refuse);
    }
}

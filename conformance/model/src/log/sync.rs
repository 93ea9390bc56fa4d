//! Opening and pulling.

use super::client::{Client, Replies, Reply, Step};
use super::{Config, RETENTION, World, name};
use crate::checker::Steps;

impl Config {
    /// What a replica can do next in its sync.
    pub(super) fn sync(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let me = name(who);
        match world.client(who).step {
            Step::Idle => self.begin(world, who, out),
            Step::Refused => {}
            Step::Open => self.open(world, who, out),
            Step::Missing { previous, replaced } => {
                let next = self.changed(world, |it| self.missing(it, who, previous, replaced));
                out.add(|| format!("{me} lists the snapshots"), next);
            }
            Step::Pull if self.ahead => self.send(world, who, out),
            Step::Pull => self.read(world, who, out),
            Step::Ahead(replies) => self.arrive(world, who, replies, out),
            Step::Doubt(replies) => self.doubt(world, who, replies, out),
            Step::ReadAgain(replies) => self.read_again(world, who, replies, out),
            Step::Unchained => self.unchained(world, who, out),
            Step::Boot => {
                let newest = world.store.newest();
                out.add(|| format!("{me} reads snapshot {newest}"), self.changed(world, |it| self.boot(it, who)));
            }
            Step::Create { again, ahead } => self.create(world, who, (again, ahead), out),
            Step::ReadBack => self.read_back(world, who, out),
            Step::Late { head } => self.late_reply(world, who, head, out),
        }
    }

    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    pub(super) fn changed(&self, world: &World, change: impl FnOnce(&mut World)) -> World {
        let mut world = world.clone();
        change(&mut world);
        world
    }

    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    fn begin(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let me = name(who);
        out.add(|| format!("{me} starts a sync"), world.with(who, |it| (it.step, it.session) = (Step::Open, true)));
        if world.client(who).session && world.client(who).checkpoint > 0 {
            out.add(|| format!("{me} polls in its session"), world.with(who, |it| it.step = Step::Pull));
            self.go_ahead(world, who, out);
        }
    }

    fn open(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, client, store) = (name(who), world.client(who), &world.store);
        let replaced = !self.is_on_track(world, &client);
        let id_differs = self.rules.store_id && client.store.is_some_and(|known| known != store.id);
        let join = |it: &mut Client| {
            if it.store.is_none() {
                (it.store, it.hash, it.kept) = (Some(store.id), store.hash(0), store.hash(0));
            }
            it.step = Step::Pull;
        };
        if id_differs {
            out.add(|| format!("{me} opens: another store"), self.changed(world, |it| self.refuse(it, who)));
        } else if client.checkpoint == 0 {
            out.add(|| format!("{me} opens at the beginning"), world.with(who, join));
        } else if let Some(entry) = store.get(client.checkpoint) {
            let same = entry.hash() == client.hash || !self.rules.checkpoint_hash;
            let next = self.changed(world, |it| match (same, self.rules.floor_before_another_hash) {
                (true, _) => it.update(who, join),
                (false, true) => it.update(who, |it| it.step = Step::Missing { previous: None, replaced }),
                (false, false) => self.refuse(it, who),
            });
            let what = if same { "is there" } else { "is another" };
            out.add(|| format!("{me} opens: entry {} {what}", client.checkpoint), next);
        } else {
            let previous = self.above(world, client.checkpoint).map(|entry| entry.previous);
            let next = world.with(who, |it| it.step = Step::Missing { previous, replaced });
            out.add(|| format!("{me} opens: entry {} is missing", client.checkpoint), next);
        }
    }

    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    fn above(&self, world: &World, number: u8) -> Option<super::Entry> {
        (usize::from(number) < super::store::LONGEST).then(|| world.store.get(number + 1)).flatten()
    }

    /// The entry at the checkpoint is missing, and the snapshots were listed.
    fn missing(&self, world: &mut World, who: usize, previous: Option<u32>, replaced: bool) {
        let (client, newest) = (world.client(who), world.store.newest());
        let same = !self.rules.snapshot_hash_at_open || world.store.hash(newest) == client.hash;
        if previous == Some(client.hash) {
            world.update(who, |it| it.step = Step::Pull);
        } else if newest > client.checkpoint {
            world.update(who, |it| it.step = Step::Boot);
        } else if newest == client.checkpoint && same || !self.rules.missing_checkpoint_is_an_error {
            world.update(who, |it| it.step = Step::Pull);
        } else if replaced {
            world.update(who, Client::refuse);
        } else {
            self.refuse(world, who);
        }
    }

    /// Reads the next number, alone.
    fn read(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        let first = self.answer(world, client.next());
        let replies = Replies { first, second: Reply::Unasked, known: world.store.length, floor: 0 };
        let next = self.changed(world, |it| self.judge(it, who, replies, false));
        out.add(|| format!("{me} reads {}: {}", client.next(), told(first)), next);
    }

    fn answer(&self, world: &World, number: u8) -> Reply {
        let now = self.now(world);
        if usize::from(number) > super::store::LONGEST {
            return Reply::Absent(now);
        }
        world.store.get(number).map_or(Reply::Absent(now), |entry| Reply::Found(entry, now))
    }

    /// Asks for the next two numbers at once.
    fn send(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let floor = if self.rules.floor_read_after_the_reply { 0 } else { world.store.newest() };
        let replies = Replies { first: Reply::Waiting, second: Reply::Waiting, known: world.store.length, floor };
        let (me, client) = (name(who), world.client(who));
        let next = world.with(who, |it| it.step = Step::Ahead(replies));
        out.add(|| format!("{me} asks for {} and {}", client.next(), client.next() + 1), next);
    }

    /// The replies come in any order.
    fn arrive(&self, world: &World, who: usize, replies: Replies, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        for second in [false, true] {
            let (number, this, other) = if second {
                (client.next() + 1, replies.second, replies.first)
            } else {
                (client.next(), replies.first, replies.second)
            };
            if this != Reply::Waiting {
                continue;
            }
            let reply = self.timed(self.answer(world, number), other);
            let now = if second { Replies { second: reply, ..replies } } else { Replies { first: reply, ..replies } };
            let next = self.changed(world, |it| {
                if other == Reply::Waiting {
                    it.update(who, |it| it.step = Step::Ahead(now));
                } else {
                    self.judge(it, who, now, false);
                }
            });
            out.add(|| format!("{me} gets the reply about {number}: {}", told(reply)), next);
        }
    }

    /// A reply, with its own time or with that of the one before.
    fn timed(&self, reply: Reply, other: Reply) -> Reply {
        let time = match other {
            Reply::Absent(time) | Reply::Found(_, time) if !self.rules.each_reply_has_its_own_time => time,
            _ => return reply,
        };
        match reply {
            Reply::Found(entry, _) => Reply::Found(entry, time),
            _ => Reply::Absent(time),
        }
    }

    /// The floor decides over replies that did not count by themselves.
    fn doubt(&self, world: &World, who: usize, replies: Replies, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        let newest = if self.rules.floor_read_after_the_reply { world.store.newest() } else { replies.floor };
        let next = self.changed(world, |it| {
            if newest >= client.next() {
                it.update(who, |it| it.step = Step::Boot);
            } else if self.rules.bytes_before_the_floor_read {
                self.judge(it, who, replies, true);
            } else {
                it.update(who, |it| it.step = Step::ReadAgain(replies));
            }
        });
        let verdict = if newest >= client.next() { "trimmed beneath it" } else { "the reply counts" };
        out.add(|| format!("{me} lists the snapshots: newest {newest}, {verdict}"), next);
    }

    fn read_again(&self, world: &World, who: usize, replies: Replies, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        let first = self.answer(world, client.next());
        let next = self.changed(world, |it| match first {
            Reply::Found(..) => self.judge(it, who, Replies { first, ..replies }, true),
            _ => it.update(who, |it| it.step = Step::Pull),
        });
        out.add(|| format!("{me} reads {} once more: {}", client.next(), told(first)), next);
    }

    fn unchained(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, client, newest) = (name(who), world.client(who), world.store.newest());
        let trimmed = newest >= client.next() && self.rules.floor_before_chain_error;
        let next =
            self.changed(
                world,
                |it| {
                    if trimmed { it.update(who, |it| it.step = Step::Boot) } else { self.refuse(it, who) }
                },
            );
        out.add(|| format!("{me} lists the snapshots because the chain is broken: newest {newest}"), next);
    }

    /// Whether a reply of this time counts by itself.
    pub(super) fn counts(&self, client: &Client, time: u8) -> bool {
        !self.rules.head_time || client.head_time.is_some_and(|head| time.saturating_sub(head) < RETENTION)
    }

    /// A time to be kept as head time.
    pub(super) fn trusted(&self, world: &World, time: u8) -> Option<u8> {
        let agrees = time <= world.time;
        (agrees || !self.rules.head_time_needs_agreeing_clocks).then_some(time)
    }

    /// Takes replies in, in the order of their numbers. `cleared`: the floor was read after them, and is below.
    fn judge(&self, world: &mut World, who: usize, replies: Replies, cleared: bool) {
        let Replies { first, second, known, .. } = replies;
        let client = world.client(who);
        match first {
            Reply::Absent(_) if matches!(second, Reply::Found(..)) => world.update(who, |it| it.step = Step::Pull),
            Reply::Absent(time) if cleared || self.counts(&client, time) => self.head(world, who, time, known),
            Reply::Found(entry, time) => {
                let counts = cleared || self.counts(&client, time) || !self.rules.floor_check_of_found_entry;
                if !counts {
                    return world.update(who, |it| it.step = Step::Doubt(replies));
                }
                if self.take(world, who, entry) {
                    self.judge(world, who, Replies { first: second, second: Reply::Unasked, ..replies }, cleared);
                }
            }
            Reply::Absent(_) => world.update(who, |it| it.step = Step::Doubt(replies)),
            Reply::Unasked | Reply::Waiting => world.update(who, |it| it.step = Step::Pull),
        }
    }

    /// Takes in the next entry. False if it does not follow on the checkpoint.
    fn take(&self, world: &mut World, who: usize, entry: super::Entry) -> bool {
        let client = world.client(who);
        if entry.previous != client.hash {
            world.update(who, |it| it.step = Step::Unchained);
            return false;
        }
        if client.attempt.is_some_and(|open| self.is_mine(&client, &open.entry, &entry)) {
            self.commit(world, who, None);
        } else {
            self.apply(world, who, entry);
        }
        true
    }

    /// Whether `found` is this attempt.
    pub(super) fn is_mine(&self, client: &Client, attempt: &super::Entry, found: &super::Entry) -> bool {
        if self.rules.hash_identity {
            found == attempt
        } else {
            found.client == client.id && found.attempt == attempt.attempt
        }
    }

    /// Nothing is above the checkpoint.
    fn head(&self, world: &mut World, who: usize, time: u8, known: u8) {
        let client = world.client(who);
        self.must_be_on_track(world, &client, "a replica was told \"nothing new\" by a store of another history");
        if known > client.checkpoint {
            world.breaks("I2", "a replica was told \"nothing new\" below the head");
        }
        let time = self.trusted(world, time);
        world.update(who, |it| it.head_time = time);
        self.push(world, who);
    }
}

fn told(reply: Reply) -> String {
    match reply {
        Reply::Found(entry, time) => {
            format!(
                "attempt {} of client {} with {} (time {time})",
                entry.attempt,
                entry.client,
                super::told(entry.rows)
            )
        }
        Reply::Absent(time) => format!("nothing (time {time})"),
        Reply::Unasked | Reply::Waiting => "no reply".to_owned(),
    }
}

//! What happens to replicas and stores: time, late writes, deaths, copies, backups; and what the app does.

use super::client::{Attempt, Client, Step};
use super::maintenance::Compactor;
use super::store::{Entry, Kind, Store};
use super::{CHANGES, Config, RETENTION, Scene, World, bits, name};
use crate::checker::Steps;

impl Config {
    pub(super) fn first_world(&self) -> World {
        let mut world = World {
            time: 0,
            store: Store::new(0),
            late: [None; 2],
            late_snapshots: 0,
            clients: [None; 3],
            compactors: [Compactor::IDLE; 2],
            left: self.budget,
            made: 0,
            ids: 10,
            base: [None; CHANGES],
            author: [0; CHANGES],
            acknowledged: 0,
            excused: 0,
            jumped: false,
            backup: None,
            copy: None,
            broken: None,
        };
        for (id, client) in (0..).zip(world.clients.iter_mut().take(self.clients)) {
            *client = Some(Client::new(id));
        }
        self.set_scene(&mut world);
        world
    }

    fn set_scene(&self, world: &mut World) {
        match self.scene {
            Scene::Empty => {}
            Scene::InFlight | Scene::Stranger | Scene::Staged => self.set_two(world),
            Scene::RolledBackWriter => self.set_rolled_back(world, 0),
            Scene::RolledBackReader => self.set_rolled_back(world, 7),
            Scene::Copies => {
                world.made = 2;
                let entry = attempt_of(0, 1, 0, 0b01);
                world.update(0, |it| {
                    (it.outbox, it.counter, it.attempt) = (0b01, 1, Some(Attempt { entry, staged: 0 }));
                });
                world.update(1, |it| (it.id, it.outbox) = (0, 0b10));
            }
        }
    }

    /// A knows an entry 1 with change 0 that is gone. B's change is 1.
    fn set_rolled_back(&self, world: &mut World, writer: u8) {
        let gone = attempt_of(writer, 1, 0, 0b01);
        (world.made, world.excused) = (2, 0b01);
        world.update(0, |it| {
            (it.store, it.checkpoint, it.hash, it.applied, it.head_time) = (Some(0), 1, gone.hash(), 0b01, Some(0));
            it.kept = if self.kept_every == 1 { gone.hash() } else { 0 };
            (it.last, it.counter) = if writer == 0 { (Some(gone), 1) } else { (None, 0) };
        });
        world.update(1, |it| it.outbox = 0b10);
    }

    /// Entry 1 with change 0 is B's; both have it. A's change is 1, B's is 2.
    fn set_two(&self, world: &mut World) {
        let first = attempt_of(1, 1, 0, 0b001);
        world.store.put(first, 0);
        (world.made, world.acknowledged) = (3, 0b001);
        for who in 0..2 {
            world.update(who, |it| {
                (it.store, it.checkpoint, it.hash, it.kept) = (Some(0), 1, first.hash(), first.hash());
                (it.applied, it.head_time, it.session) = (0b001, Some(0), true);
            });
        }
        world.update(1, |it| (it.counter, it.last, it.outbox) = (1, Some(first), 0b100));
        let second = |client, attempt, rows| Entry { previous: first.hash(), ..attempt_of(client, attempt, 1, rows) };
        let mine = second(0, 1, 0b010);
        match self.scene {
            Scene::InFlight => {
                world.late[0] = Some(mine);
                world.update(0, |it| {
                    (it.outbox, it.counter, it.attempt) = (0b010, 1, Some(Attempt { entry: mine, staged: 0 }));
                });
            }
            Scene::Stranger => {
                world.late[0] = Some(second(7, 1, 0b010));
                world.excused = 0b010;
            }
            _ => {
                let entry = second(1, 2, 0b100);
                world.update(0, |it| it.outbox = 0b010);
                world.update(1, |it| (it.counter, it.attempt) = (2, Some(Attempt { entry, staged: 0 })));
                world.update(1, |it| it.step = Step::Create { again: false, ahead: false });
            }
        }
    }

    /// The server's time, as its replies say it.
    pub(super) fn now(&self, world: &World) -> u8 {
        world.time + if world.jumped && self.jumps_are_seen { 3 * RETENTION } else { 0 }
    }

    pub(super) fn surroundings(&self, world: &World, out: &mut Steps<World>) {
        if let Some(mut next) = world.spend(|left| &mut left.ticks) {
            next.time += 1;
            out.add(|| format!("half a retention passes (time {})", next.time), next.clone());
        }
        self.land_late(world, out);
        self.jump(world, out);
        self.replace_store(world, out);
    }

    fn land_late(&self, world: &World, out: &mut Steps<World>) {
        for place in 0..world.late.len() {
            let Some(entry) = world.late[place] else { continue };
            let mut next = world.clone();
            next.late[place] = None;
            if next.store.get(entry.number).is_none() {
                self.land(&mut next, entry, 0);
            }
            out.add(|| format!("a create of {} arrives late", entry.number), next);
        }
        for covers in bits(world.late_snapshots) {
            let mut next = world.clone();
            next.late_snapshots &= !(1 << covers);
            next.store.snapshots |= 1 << covers;
            out.add(|| format!("snapshot {covers} arrives late"), next);
        }
    }

    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    fn jump(&self, world: &World, out: &mut Steps<World>) {
        let next = if world.jumped { Some(world.clone()) } else { world.spend(|left| &mut left.jumps) };
        if let Some(mut next) = next {
            next.jumped = !world.jumped;
            out.add(
                || format!("the server's clock is {}", if world.jumped { "right again" } else { "far ahead" }),
                next,
            );
        }
    }

    /// A backup of the store is taken and brought back, or another store is put in its place. Nobody is in a session then.
    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    fn replace_store(&self, world: &World, out: &mut Steps<World>) {
        if let Some(copy) = &world.copy {
            let mut next = world.clone();
            next.put_in_place((**copy).clone());
            next.copy = None;
            out.add(|| "the store is rolled back to its backup".to_owned(), next);
        } else if let Some(mut next) = world.spend(|left| &mut left.rollbacks) {
            next.copy = Some(Box::new(world.store.clone()));
            out.add(|| "a backup of the store is taken".to_owned(), next);
        }
        if let Some(mut next) = world.spend(|left| &mut left.replacements) {
            next.put_in_place(Store::new(world.store.id + 1));
            out.add(|| "another store is put in its place".to_owned(), next);
        }
    }

    pub(super) fn mishaps(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        if client.is_busy()
            && let Some(mut next) = world.spend(|left| &mut left.crashes)
        {
            next.update(who, Client::stop);
            if !self.rules.journal_before_send {
                next.update(who, |it| it.attempt = None);
            }
            out.add(|| format!("{me}'s process dies"), next);
        }
        if who != 0 {
            return;
        }
        if let Some(free) = world.clients.iter().position(Option::is_none)
            && let Some(mut next) = world.spend(|left| &mut left.clones)
        {
            next.clients[free] = Some(client);
            next.update(free, Client::stop);
            out.add(|| format!("{me} is copied to {}", name(free)), next);
        }
        self.back_up(world, out);
    }

    #[allow(clippy::unused_self, reason = "reads beside the other steps")]
    fn back_up(&self, world: &World, out: &mut Steps<World>) {
        if let Some(backup) = &world.backup {
            let mut next = world.clone();
            next.excused |= world.client(0).outbox & !backup.outbox;
            next.clients[0] = Some(**backup);
            next.backup = None;
            out.add(|| "A is restored from its backup".to_owned(), next);
        } else if let Some(mut next) = world.spend(|left| &mut left.restores) {
            let mut backup = world.client(0);
            backup.stop();
            next.backup = Some(Box::new(backup));
            out.add(|| "a backup of A is taken".to_owned(), next);
        }
    }

    /// The app writes, or answers a conflict.
    pub(super) fn app(&self, world: &World, who: usize, out: &mut Steps<World>) {
        let (me, client) = (name(who), world.client(who));
        if let Some(mut next) = world.spend(|left| &mut left.edits) {
            let change = self.make_change(&mut next, who);
            if self.shared && client.conflicts != 0 {
                next.update(who, |it| it.conflicts = it.outbox);
            }
            out.add(|| format!("{me}'s app makes change {change}"), next);
        }
        if client.conflicts == 0 {
            return;
        }
        let taken = self.changed(world, |it| give_up(it, who));
        out.add(|| format!("{me}'s app takes the remote version"), taken);
        if let Some(mut next) = world.spend(|left| &mut left.edits) {
            give_up(&mut next, who);
            let change = self.make_change(&mut next, who);
            out.add(|| format!("{me}'s app answers the conflict with change {change}"), next);
        }
    }

    fn make_change(&self, world: &mut World, who: usize) -> u8 {
        let (change, client) = (world.made, world.client(who));
        assert!(usize::from(change) < CHANGES, "raise CHANGES");
        if self.shared {
            let below = bits(client.outbox).last().or_else(|| world.store.last_row(client.checkpoint));
            world.base[usize::from(change)] = below;
            world.author[usize::from(change)] = u8::try_from(who).unwrap_or(0);
        }
        world.made += 1;
        world.update(who, |it| it.outbox |= 1 << change);
        change
    }
}

/// The app knows of the conflict, and lets its own rows go.
fn give_up(world: &mut World, who: usize) {
    let rows = world.client(who).conflicts;
    world.excused |= rows;
    world.update(who, |it| (it.outbox, it.conflicts) = (it.outbox & !rows, 0));
}

impl World {
    fn put_in_place(&mut self, store: Store) {
        let (before, after) = (self.store.rows(self.store.length), store.rows(store.length));
        self.excused |= before & !after;
        self.acknowledged &= after;
        self.store = store;
        (self.late, self.late_snapshots) = ([None; 2], 0);
        self.compactors = [Compactor::IDLE; 2];
        for client in self.clients.iter_mut().flatten().filter(|it| it.step != Step::Refused) {
            client.stop();
        }
    }
}

/// The bytes of a first attempt that follows on entry `checkpoint`.
fn attempt_of(client: u8, attempt: u8, checkpoint: u8, rows: u8) -> Entry {
    Entry { kind: Kind::Changes, client, attempt, number: checkpoint + 1, previous: 0, rows }
}

//! Many devices, many days, dice for everything: who writes, who syncs beside whom, which call is lost, which process dies, which
//! write lands long after it was given up, which device is cloned or restored from a backup. One seed is one history; after each
//! everybody syncs, and nothing may be lost, doubled or different.
//!
//! A failure prints its seed: `LONGSHORE_SEED=n cargo test -p longshore-core --test fleet` runs that history alone.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use longshore_core::{ErrorKind, LockPolicy, MemoryReplica};
use support::sim::Task;
use support::{Device, Fault, Rng, World, body, verdict};

const HISTORIES: u64 = 400;
const STEPS: usize = 40;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

struct Fleet {
    world: World,
    devices: Vec<Device>,
    backups: Vec<Option<MemoryReplica>>,
    dice: Rng,
    writes: usize,
}

impl Fleet {
    fn new(seed: u64) -> Self {
        let mut dice = Rng::new(seed ^ 0x5eed);
        let world = World::new(seed, dice.chance(50));
        let count = 2 + dice.below(3);
        let mut devices: Vec<Device> = NAMES[..count].iter().map(|name| world.device(name)).collect();
        for device in &mut devices {
            device.policy = if dice.chance(20) { LockPolicy::Always } else { LockPolicy::Contended };
        }
        let backups = devices.iter().map(|_| None).collect();
        Self { world, devices, backups, dice, writes: 0 }
    }

    fn write(&mut self) {
        let (at, id) = (self.dice.below(self.devices.len()), self.dice.below(6));
        let id = format!("doc/{id}");
        self.writes += 1;
        if self.dice.chance(20) && self.devices[at].get(&id).is_some() {
            self.devices[at].delete(&id);
        } else {
            self.devices[at].put(&id, &body(NAMES[at], self.writes));
        }
    }

    fn fault(&mut self) -> Fault {
        const ALL: [Fault; 5] = [Fault::LostBefore, Fault::LostAfter, Fault::DieBefore, Fault::DieAfter, Fault::Late];
        ALL[self.dice.below(ALL.len())]
    }

    /// Some devices sync side by side; some of them meet a fault.
    fn sync_some(&mut self) {
        let chosen: Vec<bool> = self.devices.iter().map(|_| self.dice.chance(60)).collect();
        for (at, chosen) in chosen.iter().enumerate() {
            if *chosen && self.dice.chance(40) {
                let call = self.devices[at].storage.calls() + self.dice.below(12) as u64;
                let fault = self.fault();
                self.devices[at].arm(call, fault);
            }
            self.devices[at].client();
        }
        let sim = self.world.sim.clone();
        let running = self.devices.iter_mut().zip(&chosen).filter(|(_, chosen)| **chosen);
        let tasks = running.map(|(device, _)| {
            let storage = device.storage.clone();
            let client = device.client();
            let task: Task<'_> = Box::pin(async move {
                // A sync may fail for what passes, and for nothing else; what it leaves is judged at the end of the history.
                let failure = client.sync().await.err().map(|error| (error.kind(), error.to_string()));
                let passes = |kind: &ErrorKind| matches!(kind, ErrorKind::Unavailable | ErrorKind::Locked);
                assert!(failure.as_ref().is_none_or(|(kind, _)| passes(kind)), "{failure:?}");
            });
            let stop: Box<dyn Fn() -> bool> = Box::new(move || storage.dead());
            (task, stop)
        });
        sim.run_all(tasks.collect());
        self.devices.iter_mut().filter(|device| device.storage.dead()).for_each(Device::restart);
    }

    fn restart_one(&mut self) {
        let at = self.dice.below(self.devices.len());
        self.devices[at].restart();
    }

    fn land_late_writes(&mut self) {
        let at = self.dice.below(self.devices.len());
        self.devices[at].storage.land();
    }

    /// A backup of a device is made, or put back: its own later writes are gone, which nobody can help.
    fn backup(&mut self) {
        let at = self.dice.below(self.devices.len());
        match self.backups[at].take() {
            None => self.backups[at] = Some(self.devices[at].replica.fork()),
            Some(backup) => {
                // What this device wrote since, and never synced, is gone with its disk.
                let own = format!("{}-", NAMES[at]);
                let written = self.world.written.lock().unwrap();
                let gone = written.iter().map(|(_, body)| body.clone()).filter(|body| body.starts_with(own.as_bytes()));
                self.world.replaced.lock().unwrap().extend(gone);
                drop(written);
                self.devices[at] = self.world.device_on(NAMES[at], backup);
            }
        }
    }

    /// A device's folder is copied to a new device, identity, outbox, open attempt and all.
    fn clone_one(&mut self) {
        if self.devices.len() == NAMES.len() {
            return;
        }
        let at = self.dice.below(self.devices.len());
        let copy = self.devices[at].replica.fork();
        self.devices.push(self.world.device_on(NAMES[self.backups.len()], copy));
        self.backups.push(None);
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..45 => self.write(),
            45..80 => self.sync_some(),
            80..86 => self.restart_one(),
            86..92 => self.land_late_writes(),
            92..95 => self.world.sim.advance(std::time::Duration::from_secs(self.dice.next() % 7200)),
            95..97 => self.backup(),
            97..98 => self.clone_one(),
            _ => {}
        }
    }

    fn end(&mut self) {
        self.devices.iter_mut().for_each(Device::restart);
        for device in &self.devices {
            device.storage.disarm();
            device.storage.land();
        }
        for _ in 0..4 {
            for device in &mut self.devices {
                device.sync();
            }
        }
        verdict::sound(&self.world, &self.devices.iter().collect::<Vec<_>>());
    }

    fn trace(&self) -> String {
        self.devices.iter().flat_map(|device| device.storage.trace()).collect::<Vec<_>>().join("\n")
    }
}

fn live(seed: u64) -> Fleet {
    let mut fleet = Fleet::new(seed);
    for _ in 0..STEPS {
        fleet.step();
    }
    fleet.end();
    fleet
}

/// Says which seed failed, whatever the panic.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay: LONGSHORE_SEED={} cargo test -p longshore-core --test fleet", self.0);
        }
    }
}

#[test]
fn every_history_ends_in_step() {
    let chosen = std::env::var("LONGSHORE_SEED").ok().map(|seed| seed.parse().expect("LONGSHORE_SEED is a number"));
    let seeds = chosen.map_or(0..HISTORIES, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let replay = Replay(seed);
        live(seed);
        drop(replay);
    }
}

/// Time, randomness and every order come from the seed: two runs make the same calls at the same times, byte for byte.
#[test]
fn one_seed_is_one_history() {
    for seed in [1, 7, 42] {
        let (first, second) = (live(seed), live(seed));
        assert_eq!(first.trace(), second.trace(), "seed {seed}");
        assert_eq!(first.world.storage.objects(), second.world.storage.objects(), "seed {seed}");
    }
}

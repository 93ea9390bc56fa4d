//! Two devices go through a day together, and every storage call of that day is interrupted once in every way: not sent, sent
//! with the reply lost, the process dead before it, the process dead after it. Then the day goes on, both sync, and nothing may
//! be lost, doubled or different. The same with futures that are dropped after each of their polls.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::OnceLock;

use longshore_core::{Document, LockPolicy};
use support::{Device, Fault, World, body, verdict};

/// What one device does between two syncs.
type Act = fn(&Device, &Device);

/// The day: who acts, then who syncs.
const DAY: [(Act, usize); 9] = [
    (|a, _| (0..3).for_each(|n| a.put(&format!("doc{n}"), &body("create", n))), 0),
    (|_, _| {}, 1),
    (|_, b| b.put("doc0", &body("edit", 0)), 1),
    (|a, _| a.delete("doc1"), 0),
    (
        |a, b| {
            a.put("both", &body("a-creates", 0));
            b.put("both", &body("b-creates", 0));
        },
        0,
    ),
    (|_, _| {}, 1),
    (
        |a, b| {
            a.put("doc2", &body("a-edits", 0));
            b.put("doc2", &body("b-edits", 0));
        },
        1,
    ),
    (|a, _| a.put_many(bulk()), 0),
    (|_, _| {}, 1),
];

/// Bodies that do not compress to nothing: the bulk is cut into a segment of its own.
fn bulk() -> Vec<Document> {
    static BULK: OnceLock<Vec<Document>> = OnceLock::new();
    let document = |n: usize| {
        Document::new(format!("bulk/{n}"), format!("bulk-{n}-{}", support::Rng::new(n as u64).text(230))).unwrap()
    };
    BULK.get_or_init(|| (0..300).map(document).collect()).clone()
}

/// Goes through the day. `sync` may fail or die; the day goes on in a new process.
fn live(world: &World, devices: &mut [Device; 2], mut sync: impl FnMut(usize, usize, &mut Device)) {
    for (at, (act, who)) in DAY.iter().enumerate() {
        act(&devices[0], &devices[1]);
        sync(at, *who, &mut devices[*who]);
        devices[*who].restart();
    }
    settle(devices);
    verdict::sound(world, &[&devices[0], &devices[1]]);
}

fn settle(devices: &mut [Device; 2]) {
    for _ in 0..3 {
        // An attempt that was forgotten would come back as a stranger's entry under our own name.
        assert!(!devices.iter_mut().any(|device| device.sync().cloned), "a device took itself for a copy");
    }
}

fn pair(timed: bool, policy: LockPolicy) -> (World, [Device; 2]) {
    let world = World::new(7, timed);
    let mut devices = [world.device("a"), world.device("b")];
    for device in &mut devices {
        device.policy = policy;
    }
    (world, devices)
}

/// Calls made by each device up to each sync of an undisturbed day.
fn undisturbed(timed: bool, policy: LockPolicy) -> [u64; 2] {
    let (world, mut devices) = pair(timed, policy);
    let mut calls = [0; 2];
    live(&world, &mut devices, |_, who, device| {
        device.sync();
        calls[who] = device.storage.calls();
    });
    assert_eq!(devices[0].get("both").unwrap(), "a-creates-0+b-creates-0");
    assert_eq!(devices[1].get("doc2").unwrap(), "a-edits-0+b-edits-0");
    assert_eq!(devices[0].documents().len(), 303);
    let segments = world.storage.objects().keys().filter(|key| key.as_str().contains("/segments/")).count();
    assert_eq!(segments, 1, "the bulk went into a segment");
    calls
}

fn interrupt_every_call(timed: bool, policy: LockPolicy) {
    let calls = undisturbed(timed, policy);
    let mut met = 0;
    for victim in 0..2 {
        for call in 0..calls[victim] {
            for fault in Fault::INTERRUPTIONS {
                let (world, mut devices) = pair(timed, policy);
                devices[victim].arm(call, fault);
                live(&world, &mut devices, |_, _, device| {
                    met += u64::from(device.try_sync().is_none());
                });
            }
        }
    }
    assert!(met >= (calls[0] + calls[1]), "the processes did not die: {met} of {calls:?}");
}

#[test]
fn every_call_on_a_server_that_tells_its_time() {
    interrupt_every_call(true, LockPolicy::Contended);
}

#[test]
fn every_call_on_a_server_that_tells_no_time() {
    interrupt_every_call(false, LockPolicy::Contended);
}

#[test]
fn every_call_with_the_lease_around_every_sync() {
    interrupt_every_call(true, LockPolicy::Always);
}

#[test]
fn every_poll() {
    for step in 0..DAY.len() {
        let mut polls = 1;
        loop {
            let (world, mut devices) = pair(true, LockPolicy::Contended);
            let mut ended = false;
            live(&world, &mut devices, |at, _, device| {
                if at == step {
                    ended = device.sync_dropped_after(polls);
                } else {
                    device.sync();
                }
            });
            if ended {
                break;
            }
            polls += 1;
        }
        assert!(polls > 3, "step {step} was never cut");
    }
}

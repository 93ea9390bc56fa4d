//! A client takes the lease, its machine sleeps past the lease's end, and then it writes. The next holder is not harmed, the
//! sleeper is told, and the log stays what it is. Clocks on the wall are wrong here on purpose. (I7, I9)
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longshore_core::{
    DomainName, ErrorKind, Held, Job, Lease, LockPolicy, LockRequest, Locked, MemoryStorage, Result, Runtime, Server,
    StoreOptions, StoredServer, Ticks,
};
use support::sim::Sim;
use support::{Device, World, verdict};

const TTL: Duration = Duration::from_secs(30);

fn initialised() -> (World, Device, Device) {
    let world = World::new(8, true);
    let (mut a, b) = (world.device("a"), world.device("b"));
    a.put("doc", "1");
    a.sync();
    (world, a, b)
}

fn lock(world: &World, device: &Device, request: &LockRequest) -> Locked {
    world.sim.run(device.new_client(false).lock(request), || false).unwrap().unwrap()
}

fn granted(locked: Locked) -> Lease {
    match locked {
        Locked::Granted(lease) => lease,
        Locked::Held(held) => panic!("{held:?}"),
    }
}

fn held(locked: Locked) -> Held {
    match locked {
        Locked::Held(held) => held,
        Locked::Granted(lease) => panic!("{lease:?} overlaps"),
    }
}

#[test]
fn a_sleeper_is_fenced_and_the_next_holder_is_not_harmed() {
    let (world, a, b) = initialised();
    let first = granted(lock(&world, &a, &LockRequest::new("compaction").with_ttl(TTL)));
    let seen = held(lock(&world, &b, &LockRequest::new("mine")));
    assert_eq!((seen.purpose.as_str(), seen.remaining), ("compaction", TTL));

    world.sim.advance(TTL.checked_sub(Duration::from_millis(1)).unwrap());
    let waiting = LockRequest::new("mine").with_sighting(Some(seen.sighting.clone()));
    held(lock(&world, &b, &waiting));
    world.sim.advance(Duration::from_millis(1));
    let second = granted(lock(&world, &b, &waiting));
    assert!(second.token > first.token, "tokens only grow");
    assert!(first.expired(world.sim.runtime().now()), "two unexpired leases never overlap");

    let sleeper = a.new_client(false);
    for operation in ["renew", "unlock"] {
        let error = match operation {
            "renew" => world.sim.run(sleeper.renew(&first), || false).unwrap().map(drop),
            _ => world.sim.run(sleeper.unlock(&first), || false).unwrap(),
        };
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Fenced, "{operation}");
    }
    let renewed = world.sim.run(b.new_client(false).renew(&second), || false).unwrap().unwrap();
    assert!(renewed.token > second.token, "the sleeper's release did not free the next holder's lease");
}

/// A watcher that never looked before starts to wait when it first looks, however old the record is.
#[test]
fn a_lease_is_stale_only_a_whole_time_to_live_after_the_first_look() {
    let (world, a, b) = initialised();
    granted(lock(&world, &a, &LockRequest::new("x").with_ttl(TTL)));
    world.sim.advance(Duration::from_secs(86_400));
    assert_eq!(held(lock(&world, &b, &LockRequest::new("y"))).remaining, TTL);
}

/// The holder wakes in the middle of a sync under the lease: its push goes through the log's own rules.
#[test]
fn a_sync_that_slept_past_its_lease_loses_nothing() {
    let (world, mut a, mut b) = initialised();
    a.policy = LockPolicy::Always;
    b.sync();
    a.restart();
    a.put("doc", "2");
    b.put("other", "3");
    let calls = a.storage.calls();
    let mut slept = false;
    let storage = a.storage.clone();
    a.client();
    let client = a.new_client(true);
    let mut other = Some(&mut b);
    let sync = world.sim.run(client.sync(), || {
        // It holds the lease after its first few calls; then the machine sleeps for an hour, and the other device syncs.
        if !slept && storage.calls() > calls + 5 {
            slept = true;
            world.sim.advance(Duration::from_secs(3600));
            other.take().unwrap().sync();
        }
        false
    });
    sync.unwrap().unwrap();
    assert!(slept);
    a.sync();
    b.sync();
    verdict::sound(&world, &[&a, &b]);
}

/// A process that died with the lease delays a waiting sync by one time-to-live at the most.
#[test]
fn a_dead_holder_delays_others_by_its_time_to_live() {
    let (world, a, mut b) = initialised();
    granted(lock(&world, &a, &LockRequest::new("died").with_ttl(TTL)));
    b.policy = LockPolicy::Always;
    let before = world.sim.millis();
    b.sync();
    let waited = Duration::from_millis(world.sim.millis() - before);
    assert!(waited >= TTL && waited < TTL + Duration::from_secs(2), "{waited:?}");
}

/// Commands that are started anew each minute keep their first look between them.
#[test]
fn a_restarted_watcher_remembers_its_first_look() {
    let (world, a, mut b) = initialised();
    granted(lock(&world, &a, &LockRequest::new("died").with_ttl(TTL)));
    b.policy = LockPolicy::Always;
    let before = world.sim.millis();
    for _ in 0..40 {
        let calls = b.storage.calls();
        let storage = b.storage.clone();
        let client = b.new_client(false);
        let killed = || storage.calls() > calls + 6 && world.sim.millis() - before < 29_000;
        if world.sim.run(client.sync(), killed).is_some() {
            break;
        }
    }
    let waited = Duration::from_millis(world.sim.millis() - before);
    assert!(waited < TTL * 2, "each start waited anew: {waited:?}");
}

#[test]
fn breaking_a_lease_frees_it() {
    let (world, a, b) = initialised();
    granted(lock(&world, &a, &LockRequest::new("gone for good").with_ttl(TTL)));
    world.sim.run(b.new_client(false).break_lease(), || false).unwrap().unwrap();
    granted(lock(&world, &b, &LockRequest::new("mine")));
}

/// A renewal is interrupted after it landed, and sent again much later. Others have seen its record since it landed, so it ends
/// when they may take it over: the second call must not count its time anew.
#[test]
fn a_renewal_that_is_sent_again_counts_from_its_first_time() {
    let (world, a, b) = initialised();
    let first = granted(lock(&world, &a, &LockRequest::new("x").with_ttl(TTL)));
    let client = a.new_client(false);
    let renew = || world.sim.run(client.renew(&first), || false).unwrap().unwrap();
    drop(renew());
    let seen = held(lock(&world, &b, &LockRequest::new("y"))).sighting;
    world.sim.advance(TTL.checked_sub(Duration::from_millis(1)).unwrap());
    let again = renew();
    world.sim.advance(Duration::from_millis(1));
    let second = granted(lock(&world, &b, &LockRequest::new("y").with_sighting(Some(seen))));
    assert!(again.expired(world.sim.runtime().now()), "{again:?} overlaps {second:?}");
}

/// A machine that falls asleep for a day right after it looked at its clock.
#[derive(Debug)]
struct Drowsy {
    sim: Sim,
    falls_asleep: AtomicBool,
}

#[async_trait]
impl Runtime for Drowsy {
    fn now(&self) -> Ticks {
        let now = self.sim.now();
        if self.falls_asleep.swap(false, Ordering::Relaxed) {
            self.sim.advance(Duration::from_secs(86_400));
        }
        now
    }

    fn boot(&self) -> String {
        self.sim.boot()
    }

    fn wall(&self) -> u64 {
        self.sim.wall()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        self.sim.random(bytes)
    }

    async fn sleep(&self, time: Duration) {
        self.sim.sleep(time).await;
    }

    fn offload(&self, job: Job) {
        self.sim.offload(job);
    }
}

/// Within that day others took the lease, renewed it, and trimmed the number that this one is about to create. It gets it, and must
/// not believe that it holds the lease.
#[test]
fn a_renewal_counts_from_the_look_at_the_clock() {
    let sim = Sim::new(9);
    let drowsy = Arc::new(Drowsy { sim: sim.clone(), falls_asleep: AtomicBool::new(false) });
    let runtime: Arc<dyn Runtime> = Arc::clone(&drowsy) as _;
    let server = StoredServer::new(Arc::new(MemoryStorage::new()), runtime, &DomainName::default()).unwrap();
    sim.run(server.initialize(&StoreOptions::default()), || false).unwrap().unwrap();
    let request = LockRequest::new("x").with_ttl(TTL);
    let lease = granted(sim.run(server.lock(&request), || false).unwrap().unwrap());
    drowsy.falls_asleep.store(true, Ordering::Relaxed);
    let renewed = sim.run(server.renew(&lease), || false).unwrap().unwrap();
    assert!(!drowsy.falls_asleep.load(Ordering::Relaxed));
    assert!(renewed.expired(sim.now()), "{renewed:?} would overlap another's");
}

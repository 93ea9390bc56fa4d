//! A fault that does not do what it says would make every case that uses it worthless: each is tried over the storage in memory,
//! and over the server that the core builds on it.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_conformance::clock::VirtualClock;
use longshore_conformance::faults::{Fault, FaultServer, FaultStorage, Plan, SLOW, When};
use longshore_core::{
    ByteRange, Created, DomainName, Error, ErrorKind, Folder, LockRequest, Locked, MemoryStorage, MetadataName,
    MetadataVersion, ObjectKey, Outcome, Payload, Runtime as _, Sequence, Server, Storage, StoreOptions, StoredServer,
    TokioRuntime,
};

struct Bench {
    clock: VirtualClock,
    plan: Plan,
    memory: MemoryStorage,
    storage: FaultStorage,
}

/// A storage whose next call meets this fault.
fn next(fault: Fault) -> Bench {
    let (clock, memory) = (VirtualClock::new(), MemoryStorage::new());
    let plan = Plan::new(&clock);
    plan.arm(0, fault);
    let storage = FaultStorage::new(Arc::new(memory.clone()), &plan);
    Bench { clock, plan, memory, storage }
}

impl Bench {
    fn there(&self) -> Option<Bytes> {
        self.memory.objects().get(&key()).cloned()
    }

    async fn create(&self) -> Result<Created, Error> {
        Ok(self.storage.create(&key(), body()).await?.value)
    }

    async fn get(&self) -> Result<Option<Bytes>, Error> {
        match self.storage.get(&key(), ByteRange::ALL).await?.value {
            Some(object) => Ok(Some(object.read(100).await?)),
            None => Ok(None),
        }
    }
}

fn key() -> ObjectKey {
    ObjectKey::new("records/one/data").unwrap()
}

fn body() -> Bytes {
    Bytes::from_static(b"ten bytes!")
}

fn unknown(error: &Error) {
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{error}");
}

#[tokio::test]
async fn before_is_never_sent() {
    let bench = next(Fault::Before);
    unknown(&bench.create().await.unwrap_err());
    assert_eq!(bench.there(), None);
    assert_eq!(bench.create().await.unwrap(), Created::Created);
    assert_eq!((bench.plan.calls(), bench.plan.met()), (2, 1));
}

#[tokio::test]
async fn after_took_effect() {
    let bench = next(Fault::After);
    unknown(&bench.create().await.unwrap_err());
    assert_eq!(bench.there(), Some(body()));
}

#[tokio::test]
async fn a_cut_put_stores_nothing() {
    let bench = next(Fault::Cut);
    unknown(&bench.storage.put(&key(), Payload::from(body())).await.unwrap_err());
    assert_eq!(bench.there(), None);
}

#[tokio::test]
async fn a_cut_get_breaks_in_the_middle() {
    let bench = next(Fault::Cut);
    bench.memory.create(&key(), body()).await.unwrap();
    let object = bench.storage.get(&key(), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!((object.size(), object.len()), (10, 10));
    unknown(&object.read(100).await.unwrap_err());
    assert_eq!(bench.get().await.unwrap(), Some(body()));
}

#[tokio::test]
async fn late_takes_effect_after_so_many_calls() {
    let bench = next(Fault::Late(2));
    unknown(&bench.create().await.unwrap_err());
    assert_eq!(bench.get().await.unwrap(), None);
    assert_eq!(bench.get().await.unwrap(), Some(body()));

    let bench = next(Fault::Late(1000));
    unknown(&bench.create().await.unwrap_err());
    bench.plan.land().await;
    assert_eq!(bench.there(), Some(body()));
}

#[tokio::test]
async fn twice_gives_the_second_answer() {
    let bench = next(Fault::Twice);
    assert_eq!(bench.create().await.unwrap(), Created::Exists);
    assert_eq!(bench.there(), Some(body()));
}

#[tokio::test]
async fn stale_answers_from_the_past() {
    let bench = next(Fault::Stale);
    bench.memory.create(&key(), body()).await.unwrap();
    assert_eq!(bench.get().await.unwrap(), None);
    assert_eq!(bench.get().await.unwrap(), Some(body()));
}

#[tokio::test]
async fn a_stale_listing_is_the_one_before() {
    let bench = next(Fault::Stale);
    let folder = Folder::new("records").unwrap();
    let list = async || bench.storage.list(&folder, None).await.unwrap().value.names;
    bench.memory.create(&key(), body()).await.unwrap();
    assert!(list().await.is_empty());
    assert_eq!(list().await, ["one"]);
    bench.memory.create(&ObjectKey::new("records/two/data").unwrap(), body()).await.unwrap();
    bench.plan.arm(2, Fault::Stale);
    assert_eq!(list().await, ["one"]);
    assert_eq!(list().await, ["one", "two"]);
}

#[tokio::test]
async fn slow_moves_the_clock_past_the_deadline() {
    for applied in [false, true] {
        let bench = next(Fault::Slow { applied });
        let before = bench.clock.millis();
        unknown(&bench.create().await.unwrap_err());
        assert_eq!(bench.there().is_some(), applied);
        assert_eq!(Duration::from_millis(bench.clock.millis() - before), SLOW);
    }
}

#[tokio::test]
async fn refused_is_not_applied_and_says_when_to_come_back() {
    let bench = next(Fault::Refused { after: Duration::from_secs(7) });
    let error = bench.create().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(error.throttled());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(bench.there(), None);
}

#[tokio::test]
async fn a_pause_comes_before_the_call() {
    let bench = next(Fault::Paused(Duration::from_secs(45)));
    let before = bench.clock.millis();
    assert_eq!(bench.create().await.unwrap(), Created::Created);
    assert_eq!(bench.clock.millis() - before, 45_000);
}

#[tokio::test]
async fn a_dead_process_makes_no_more_calls() {
    for (when, applied) in [(When::Before, false), (When::During, true), (When::After, true)] {
        let bench = next(Fault::Die(when));
        assert!(bench.plan.alive(bench.create()).await.is_none());
        // The storage in memory does everything in the first poll.
        assert_eq!(bench.there().is_some(), applied, "{when:?}");
        assert!(bench.plan.dead() && bench.plan.alive(bench.get()).await.is_none());
        assert_eq!(bench.plan.calls(), 1);
        bench.plan.revive();
        assert_eq!(bench.get().await.unwrap().is_some(), applied);
    }
}

#[tokio::test]
async fn a_fault_that_cannot_happen_leaves_the_call_alone() {
    let bench = next(Fault::Stale);
    assert_eq!(bench.create().await.unwrap(), Created::Created);
    assert_eq!((bench.plan.calls(), bench.plan.met()), (1, 0));
}

#[tokio::test]
async fn an_outage_lasts_and_ends() {
    let bench = next(Fault::Before);
    bench.plan.arm_all(0..3, Fault::Before);
    for _ in 0..3 {
        unknown(&bench.create().await.unwrap_err());
    }
    assert_eq!(bench.create().await.unwrap(), Created::Created);
}

#[tokio::test]
async fn random_faults_follow_their_seed() {
    let mut traces = Vec::new();
    for seed in [1, 1, 2] {
        let bench = next(Fault::Before);
        bench.plan.disarm();
        bench.plan.arm_at_random(seed, 300, &[Fault::Before, Fault::After]);
        for _ in 0..100 {
            drop(bench.create().await);
        }
        assert!((10..60).contains(&bench.plan.met()), "{} of 100", bench.plan.met());
        traces.push(bench.plan.trace());
    }
    assert!(traces[0] == traces[1] && traces[0] != traces[2]);
}

/// A server, initialised, whose next call meets this fault.
async fn server(fault: Fault) -> (Plan, FaultServer) {
    let clock = VirtualClock::new();
    let plan = Plan::new(&clock);
    let inner = StoredServer::new(Arc::new(MemoryStorage::new()), clock.runtime(), &DomainName::default()).unwrap();
    inner.initialize(&StoreOptions::default()).await.unwrap();
    plan.arm(0, fault);
    (plan.clone(), FaultServer::new(Arc::new(inner), &plan))
}

async fn write(server: &FaultServer) -> Result<u64, Error> {
    let name = MetadataName::new("name").unwrap();
    server.metadata_write(&name, None, body()).await.map(MetadataVersion::get)
}

async fn written(server: &FaultServer) -> bool {
    server.metadata_read(&MetadataName::new("name").unwrap()).await.unwrap().is_some()
}

#[tokio::test]
async fn a_servers_calls_meet_them_too() {
    for (fault, applied) in [
        (Fault::Before, false),
        (Fault::After, true),
        (Fault::Cut, false),
        (Fault::Late(1), true),
        (Fault::Late(2), false),
        (Fault::Slow { applied: true }, true),
        (Fault::Slow { applied: false }, false),
        (Fault::Refused { after: Duration::from_secs(1) }, false),
    ] {
        let (plan, server) = server(fault).await;
        assert_eq!(write(&server).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(written(&server).await, applied, "{fault:?}");
        assert_eq!(plan.met(), 1);
    }
}

#[tokio::test]
async fn a_servers_second_answer_meets_the_first() {
    let (_, twice) = server(Fault::Twice).await;
    assert_eq!(write(&twice).await.unwrap_err().kind(), ErrorKind::Conflict);
    let (_, twice) = server(Fault::Twice).await;
    assert!(matches!(twice.lock(&LockRequest::new("why")).await.unwrap(), Locked::Held(_)));
}

#[tokio::test]
async fn a_stale_server_shows_nothing_yet() {
    let (plan, stale) = server(Fault::Stale).await;
    assert!(stale.store().await.unwrap().value.is_none());
    assert!(stale.store().await.unwrap().value.is_some());
    plan.arm(2, Fault::Stale);
    let replies = stale.changes_read(Sequence::FIRST, 3).await.unwrap();
    assert!(replies.len() == 3 && replies.iter().all(|reply| reply.value.is_none() && reply.time.is_none()));
}

#[tokio::test]
async fn a_dead_process_asks_a_server_nothing() {
    let (plan, server) = server(Fault::Die(When::After)).await;
    assert!(plan.alive(write(&server)).await.is_none());
    plan.revive();
    assert!(written(&server).await);
}

/// What a plan waits for is virtual: no test of an app has to.
#[tokio::test]
async fn nothing_waits() {
    let before = TokioRuntime.now();
    let bench = next(Fault::Slow { applied: true });
    unknown(&bench.create().await.unwrap_err());
    assert!(TokioRuntime.now().since(before) < SLOW);
}

/// An author who reads of a broken connection in a failure must not look for it in the adapter.
#[tokio::test]
async fn every_error_that_is_injected_says_so() {
    let mut told = 0;
    for fault in Fault::ALL.into_iter().filter(|fault| !matches!(fault, Fault::Die(_))) {
        let (creating, reading) = (next(fault), next(fault));
        reading.memory.create(&key(), body()).await.unwrap();
        for error in [creating.create().await.err(), reading.get().await.err()].into_iter().flatten() {
            assert!(error.to_string().contains("a fault that the suite injected"), "{fault:?}: {error}");
            told += 1;
        }
    }
    // Sent not, lost, cut, overdue twice and refused, for each of both calls; and a create that lands late.
    assert_eq!(told, 13);
}

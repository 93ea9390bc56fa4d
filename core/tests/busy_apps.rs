//! An app does not stop for a sync: its user types while the reply is on its way, deletes what is being uploaded, and answers a
//! conflict with every answer there is. Here each call of a replica lets others run, writes fall between any two of them, and
//! syncs are dropped at any await. Nothing may be lost, doubled or different.
//!
//! A failure prints its seed: `LONGSHORE_SEED=n cargo test -p longshore-core --test busy_apps` runs that history alone.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::{
    Answer, Applied, Batch, Change, Claim, Client, Conflict, Document, DocumentId, DomainName, ErrorKind, Hash, Loaded,
    LockPolicy, MemoryReplica, Outbox, PendingChange, Replica, Result, RowNumber, StoredServer, Synced, Version,
};
use support::sim::Task;
use support::{Device, Fault, Rng, World, body, verdict};

const HISTORIES: u64 = 150;
const STEPS: usize = 30;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Lets others run around every call.
#[derive(Debug)]
struct Slow(MemoryReplica);

async fn let_others_run() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl Replica for Slow {
    async fn claim(&self) -> Result<Claim> {
        self.0.claim().await
    }

    async fn load(&self) -> Result<Loaded> {
        let_others_run().await;
        self.0.load().await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        self.0.queue(change).await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        self.0.uncommitted().await
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, _: usize) -> Result<Vec<PendingChange>> {
        let_others_run().await;
        self.0.pending(after, last, 1).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        let outbox = self.0.outbox(ids).await;
        let_others_run().await;
        outbox
    }

    async fn pending_count(&self) -> Result<u64> {
        let count = self.0.pending_count().await;
        let_others_run().await;
        count
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        let conflicts = self.0.conflicts().await;
        let_others_run().await;
        conflicts
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        let conflict = self.0.conflict(id).await;
        let_others_run().await;
        conflict
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.0.contains(id).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.0.committed(hash).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        self.0.synced(after, limit).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        self.0.shelved(name).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let_others_run().await;
        let applied = self.0.apply(batch).await;
        let_others_run().await;
        applied
    }
}

type Stop = Box<dyn Fn() -> bool>;
type Told = Arc<Mutex<BTreeSet<(DocumentId, Option<Bytes>)>>>;

/// Tells the app, then answers in any way.
fn answer(told: &Told, dice: &Mutex<Rng>, conflict: &Conflict) -> Answer {
    let body = |version: &Version| match version {
        Version::Present(document) => Some(document.body.clone()),
        Version::Deleted => None,
    };
    let (local, remote) = (body(&conflict.local), body(&conflict.remote));
    told.lock().unwrap().extend([(conflict.id.clone(), local.clone()), (conflict.id.clone(), remote)]);
    let mut dice = dice.lock().unwrap();
    match dice.below(6) {
        0 => Answer::KeepLocal,
        1 => Answer::TakeRemote,
        2 if local.is_some() => Answer::KeepBoth { copy: DocumentId::new(format!("copy/{}", dice.next())).unwrap() },
        3 => Answer::Later,
        _ => Answer::Merge { revision: None, body: Bytes::from(format!("merged+{}", dice.next())) },
    }
}

struct Boat {
    name: &'static str,
    device: Device,
    client: Option<Client>,
}

struct Fleet {
    world: World,
    boats: Vec<Boat>,
    dice: Rng,
    answers: Arc<Mutex<Rng>>,
    writes: Cell<usize>,
    twins: bool,
}

/// What a user does while a sync runs.
fn write(world: &World, boat: &Boat, dice: &mut Rng, number: usize, twins: bool) {
    let id = format!("doc/{}", dice.below(5));
    if dice.chance(25) && boat.device.get(&id).is_some() {
        return boat.device.delete(&id);
    }
    let text = if twins && dice.chance(50) { format!("twin-{}", dice.below(3)) } else { body(boat.name, number) };
    let key = DocumentId::new(id.clone()).unwrap();
    world.replaced.lock().unwrap().extend(boat.device.get(&id).map(Bytes::from));
    world.written.lock().unwrap().push((key, Bytes::from(text.clone())));
    block_on(boat.device.replica.put(Document::new(id, text).unwrap())).unwrap();
}

impl Fleet {
    fn new(seed: u64) -> Self {
        let mut dice = Rng::new(seed ^ 0xb0a7);
        let world = World::new(seed, dice.chance(50));
        let count = 2 + dice.below(3);
        let boats = NAMES[..count].iter().map(|name| {
            let mut device = world.device(name);
            device.policy = if dice.chance(20) { LockPolicy::Always } else { LockPolicy::Contended };
            Boat { name, device, client: None }
        });
        let boats = boats.collect();
        let twins = dice.chance(30);
        Self { world, boats, answers: Arc::new(Mutex::new(Rng::new(seed))), dice, writes: Cell::new(0), twins }
    }

    fn client(&self, at: usize) -> Client {
        let device = &self.boats[at].device;
        let server =
            StoredServer::new(Arc::new(device.storage.clone()), self.world.sim.runtime(), &DomainName::default())
                .unwrap();
        let (told, dice) = (self.world.told.clone(), self.answers.clone());
        Client::builder_on(self.world.sim.runtime(), Arc::new(server), Arc::new(Slow(device.replica.clone())))
            .lock_policy(device.policy)
            .resolver(move |conflict: &Conflict| answer(&told, &dice, conflict))
            .build()
    }

    fn next_write(&self) -> usize {
        self.writes.set(self.writes.get() + 1);
        self.writes.get()
    }

    fn sync_some(&mut self) {
        const ALL: [Fault; 5] = [Fault::LostBefore, Fault::LostAfter, Fault::DieBefore, Fault::DieAfter, Fault::Late];
        for at in 0..self.boats.len() {
            if self.boats[at].client.is_none() {
                self.boats[at].client = Some(self.client(at));
            }
            if self.dice.chance(30) {
                let call = self.boats[at].device.storage.calls() + self.dice.below(12) as u64;
                self.boats[at].device.arm(call, ALL[self.dice.below(ALL.len())]);
            }
        }
        let this: &Self = self;
        let mut tasks: Vec<(Task<'_>, Stop)> = Vec::new();
        let mut dice = this.dice.clone();
        for boat in &this.boats {
            if !dice.chance(65) {
                continue;
            }
            let client = boat.client.as_ref().unwrap();
            let left = Cell::new(if dice.chance(20) { 1 + dice.below(120) } else { usize::MAX });
            let storage = boat.device.storage.clone();
            let stop = move || {
                left.set(left.get() - 1);
                storage.dead() || left.get() == 0
            };
            tasks.push((
                Box::pin(async move {
                    // What interrupts a sync passes; whatever else it says is a defect of its own.
                    if let Err(error) = client.sync().await {
                        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Locked), "{error:?}");
                    }
                }),
                Box::new(stop),
            ));
            let mut own = Rng::new(dice.next());
            let writes = own.below(5);
            let user: Task<'_> = Box::pin(async move {
                for _ in 0..writes {
                    for _ in 0..own.below(25) {
                        let_others_run().await;
                    }
                    write(&this.world, boat, &mut own, this.next_write(), this.twins);
                }
            });
            tasks.push((user, Box::new(|| false)));
        }
        this.world.sim.run_all(tasks);
        self.dice = dice;
        for boat in &mut self.boats {
            if boat.device.storage.dead() {
                boat.device.restart();
                boat.client = None;
            }
        }
    }

    fn step(&mut self) {
        let at = self.dice.below(self.boats.len());
        match self.dice.below(100) {
            0..40 => {
                let number = self.next_write();
                write(&self.world, &self.boats[at], &mut self.dice, number, self.twins);
            }
            40..80 => self.sync_some(),
            80..88 => self.boats[at].client = None,
            88..93 => self.boats[at].device.storage.land(),
            93..97 => self.world.sim.advance(std::time::Duration::from_secs(self.dice.next() % 7200)),
            _ if self.boats.len() < NAMES.len() => {
                let name = NAMES[self.boats.len()];
                let device = self.world.device_on(name, self.boats[at].device.replica.fork());
                self.boats.push(Boat { name, device, client: None });
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        for boat in &mut self.boats {
            boat.device.restart();
            boat.device.storage.disarm();
            boat.device.storage.land();
        }
        for _ in 0..5 {
            for boat in &mut self.boats {
                boat.device.sync();
            }
        }
        let devices: Vec<&Device> = self.boats.iter().map(|boat| &boat.device).collect();
        verdict::in_step(&self.world, &devices);
        verdict::nothing_dropped(&self.world);
        if !self.twins {
            let mut seen = BTreeSet::new();
            for change in verdict::log(&self.world) {
                // An answer may well be the same as an earlier one.
                let body = change.action.body().filter(|body| !body.contains(&b'+')).cloned();
                if let Some(body) = body {
                    assert!(seen.insert((change.id.clone(), body)), "{:?} committed twice", change.id);
                }
            }
        }
    }
}

/// Says which seed failed, whatever the panic.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay: LONGSHORE_SEED={} cargo test -p longshore-core --test busy_apps", self.0);
        }
    }
}

#[test]
fn writes_fall_anywhere_into_a_sync() {
    let chosen = std::env::var("LONGSHORE_SEED").ok().map(|seed| seed.parse().expect("LONGSHORE_SEED is a number"));
    let last = std::env::var("LONGSHORE_HISTORIES").ok().map_or(HISTORIES, |n| n.parse().expect("a number"));
    let seeds = chosen.map_or(0..last, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let replay = Replay(seed);
        let mut fleet = Fleet::new(seed);
        for _ in 0..STEPS {
            fleet.step();
        }
        fleet.end();
        drop(replay);
    }
}

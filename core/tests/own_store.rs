//! An app keeps its documents in a store of its own, and queues each change after it was stored there. It crashes between the two:
//! what it stored is in no outbox. The replica reports it as uncommitted, and the next sync commits it, once. (I1, I3)
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use longshore_core::{Change, Client, Document, DocumentId, Effect, MemoryReplica, Replica, Result, RowNumber};
use support::{BendReplica, Device, ForwardReplica, World, verdict};

/// The app's own store: what it changed and did not yet hand on to the outbox. It survives a crash.
#[derive(Clone, Debug, Default)]
struct Marked(Arc<Mutex<BTreeMap<DocumentId, Change>>>);

/// The app's store as a replica. Outbox and journal lie in a replica beside it.
type OwnStore = ForwardReplica<Own>;

#[derive(Clone, Debug)]
struct Own {
    marked: Marked,
    /// Whether the process dies when a change is in the outbox and its mark not taken away yet.
    dies_before_unmarking: bool,
}

impl Own {
    fn store(&self, change: Change) {
        self.marked.0.lock().unwrap().insert(change.id.clone(), change);
    }

    fn marks(&self) -> usize {
        self.marked.0.lock().unwrap().len()
    }
}

#[async_trait]
impl BendReplica for Own {
    async fn queue(&self, beside: &MemoryReplica, change: Change) -> Result<RowNumber> {
        let row = beside.queue(change.clone()).await?;
        if self.dies_before_unmarking {
            std::future::pending::<()>().await;
        }
        let mut marked = self.marked.0.lock().unwrap();
        if marked.get(&change.id) == Some(&change) {
            marked.remove(&change.id);
        }
        Ok(row)
    }

    async fn uncommitted(&self, _: &MemoryReplica) -> Result<Vec<Change>> {
        Ok(self.marked.0.lock().unwrap().values().cloned().collect())
    }
}

struct Scene {
    world: World,
    device: Device,
    own: OwnStore,
    other: Device,
}

impl Scene {
    /// Two documents are everywhere.
    fn new() -> Self {
        let world = World::new(40, true);
        let (mut device, mut other) = (world.device("own"), world.device("other"));
        device.put("edited", "0");
        device.put("deleted", "0");
        device.sync();
        other.sync();
        let bend = Own { marked: Marked::default(), dies_before_unmarking: false };
        let own = OwnStore { inner: device.replica.clone(), bend };
        Self { world, device, own, other }
    }

    /// A process with the app's store.
    fn client_on(&self, own: &OwnStore) -> Client {
        let runtime = self.world.sim.runtime();
        Client::builder_on(runtime, Arc::new(self.device.server()), Arc::new(own.clone())).build()
    }

    /// What the app stored and did not queue when it crashed: an edit, a new document, a deletion.
    fn crash_before_queueing(&self) {
        for change in changes() {
            self.own.bend.store(change);
        }
    }

    /// The next process syncs, and so does everybody else: each change is in the log, once.
    fn all_is_committed_once(mut self) {
        let client = self.client_on(&self.own);
        let before = verdict::log(&self.world).len();
        let report = self.world.sim.run(client.sync(), || false).unwrap().unwrap();
        assert_eq!((report.pushed, self.own.bend.marks()), (3, 0));
        let log = verdict::log(&self.world).split_off(before);
        let summary = |change: &Change| (change.id.to_string(), change.action.clone());
        let mut committed: Vec<_> = log.iter().map(summary).collect();
        let mut expected: Vec<_> = changes().iter().map(summary).collect();
        committed.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(committed, expected);
        assert!(log.iter().all(|change| change.base.is_some() != (change.id.as_str() == "new")), "{log:?}");

        let again = self.world.sim.run(client.sync(), || false).unwrap().unwrap();
        assert_eq!(again.pushed, 0, "nothing is committed twice");
        self.other.sync();
        assert_eq!((self.other.get("edited"), self.other.get("new")), (Some("1".into()), Some("1".into())));
        assert_eq!(self.other.get("deleted"), None);
        verdict::sound(&self.world, &[&self.device, &self.other]);
    }
}

fn changes() -> Vec<Change> {
    let put = |id: &str| Change::put(Document::new(id, "1").unwrap());
    vec![put("edited"), put("new"), Change::delete(DocumentId::new("deleted").unwrap())]
}

#[test]
fn what_was_stored_and_not_queued_is_committed_once() {
    let scene = Scene::new();
    scene.crash_before_queueing();
    scene.all_is_committed_once();
}

/// The app queued, and crashed before it noted that: the same edit is queued once more.
#[test]
fn what_was_queued_and_is_still_marked_is_committed_once() {
    let scene = Scene::new();
    let mut dying = scene.own.clone();
    dying.bend.dies_before_unmarking = true;
    for change in changes() {
        dying.bend.store(change.clone());
        let died = scene.world.sim.run(scene.client_on(&dying).queue_change(change), || true);
        assert!(died.is_none());
    }
    assert_eq!((scene.own.bend.marks(), block_on(scene.own.pending_count()).unwrap()), (3, 3));
    scene.all_is_committed_once();
}

/// The sync that queues them dies at every poll: the next one finds what is left.
#[test]
fn a_sync_that_dies_while_it_queues_loses_nothing() {
    for polls in 1.. {
        let scene = Scene::new();
        scene.crash_before_queueing();
        let (client, mut left) = (scene.client_on(&scene.own), polls);
        let stop = || {
            left -= 1;
            left == 0
        };
        let done = scene.world.sim.run(client.sync(), stop).is_some();
        drop(client);
        if done {
            assert!(polls > 1, "the sync waits at least once");
            return;
        }
        let client = scene.client_on(&scene.own);
        scene.world.sim.run(client.sync(), || false).unwrap().unwrap();
        let mut other = scene.other;
        other.sync();
        assert_eq!(other.get("edited"), Some("1".into()), "dropped after {polls} polls");
        verdict::sound(&scene.world, &[&scene.device, &other]);
    }
}

/// The one thing that a plan writes: what the outbox lacked is in it afterwards, and so in the plan.
#[test]
fn a_plan_has_what_was_not_queued_and_is_still_good_to_sync() {
    let scene = Scene::new();
    scene.crash_before_queueing();
    let (client, objects) = (scene.client_on(&scene.own), scene.world.storage.objects());
    let plan = scene.world.sim.run(client.plan(), || false).unwrap().unwrap();
    let planned: BTreeMap<&str, Effect> = plan.push.iter().map(|one| (one.id.as_str(), one.effect)).collect();
    assert_eq!(
        planned,
        BTreeMap::from([("deleted", Effect::Delete), ("edited", Effect::Update), ("new", Effect::Create)])
    );
    assert_eq!(scene.world.storage.objects(), objects, "nothing was committed");
    assert_eq!((scene.own.bend.marks(), block_on(scene.own.pending_count()).unwrap()), (0, 3), "and all was queued");
    let report = scene.world.sim.run(client.sync_planned(&plan), || false).unwrap().unwrap();
    assert_eq!(report.pushed, 3);
}

//! One history, lived: its devices, what each does, and what is checked after each step.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{
    Action, Change, Client, Conflict, Document, DocumentId, MemoryReplica, MemoryStorage, Replica, Revision, RowNumber,
    Runtime, Server, Sighting, Storage, StoreOptions, StoredServer,
};

use super::app::{App, Decider};
use super::coverage::{Counters, Coverage};
use super::history::{Bodies, History, What, Write, name};
use super::machine::{Clocks, Machine};
use super::oracle::{Oracle, Side, domains};
use super::shadow::{Shadow, Written};
use super::shore::{Pier, Shore};
use super::time::{Task, Time};
use super::watched::Watched;
use super::{Broken, heal, large, leases, metadata};
use crate::case::Rule;

type Wrap = Arc<dyn Fn(MemoryStorage) -> Arc<dyn Storage> + Send + Sync>;

/// What a history may be run over, and with.
#[derive(Clone, Default)]
pub(super) struct Setting {
    pub(super) app: App,
    /// Wraps the storage in memory; for broken ones.
    pub(super) storage: Option<Wrap>,
}

impl Setting {
    /// Whether anything in it is an app author's own.
    pub(super) fn is_own(&self) -> bool {
        let Self { app: App { resolve, keeps, edit }, storage } = self;
        resolve.is_some() || keeps.is_some() || edit.is_some() || storage.is_some()
    }
}

/// What came of a history.
pub(super) struct Lived {
    pub(super) broken: Option<Broken>,
    pub(super) coverage: Coverage,
    pub(super) trace: Vec<String>,
}

pub(super) struct World<'a> {
    pub(super) history: &'a History,
    pub(super) app: &'a App,
    pub(super) time: Time,
    pub(super) shore: Arc<Shore>,
    pub(super) oracle: Oracle,
    pub(super) counters: Counters,
    pub(super) devices: RefCell<Vec<Device>>,
    pub(super) metadata: RefCell<metadata::Calls>,
    pub(super) healing: Arc<AtomicBool>,
    decider: Arc<Decider>,
    /// The logs, beneath all faults.
    servers: [Arc<dyn Server>; 2],
    pub(super) clerk: Arc<dyn Runtime>,
    writes: Cell<u64>,
}

/// One device: its machine, its way to the storage, and a replica of each domain.
pub(super) struct Device {
    pub(super) machine: Arc<Machine>,
    pub(super) pier: Pier,
    pub(super) halves: [Half; 2],
    pub(super) sighting: Option<Sighting>,
}

#[derive(Default)]
pub(super) struct Half {
    pub(super) replica: MemoryReplica,
    pub(super) backup: Option<MemoryReplica>,
    /// That of the running process.
    pub(super) client: Option<Arc<Client>>,
    /// What [`World::checkpoint`] found, as long as it holds.
    pub(super) checkpoint: Checkpoint,
}

/// Where a replica is.
#[derive(Clone, Copy, Default)]
pub(super) enum Checkpoint {
    /// That must be looked up.
    #[default]
    Unknown,
    /// At this entry, 0 before the first; `None` if it never joined the store.
    At(Option<u64>),
}

/// Lives a history to its end, or to the first broken rule.
pub(super) fn live(history: &History, setting: &Setting, traced: bool) -> Lived {
    let counters = Counters::default();
    let time = Time::new(history.seed);
    let under_test = |memory: MemoryStorage| match &setting.storage {
        Some(wrap) => wrap(memory),
        None => Arc::new(memory),
    };
    let shore = Shore::new(under_test, &time, &counters, history, traced);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let world = World::new(history, setting, &time, &shore, &counters)?;
        world.run()
    }));
    let broken = match lived {
        Ok(Ok(())) => None,
        Ok(Err(broken)) => Some(broken),
        Err(panic) => Some(Broken::new(Rule::Invariant(5), format!("a panic: {}", message(&*panic)))),
    };
    Lived { broken, coverage: counters.total(), trace: shore.take_trace() }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

impl<'a> World<'a> {
    fn new(
        history: &'a History,
        setting: &'a Setting,
        time: &Time,
        shore: &Arc<Shore>,
        counters: &Counters,
    ) -> Result<Self, Broken> {
        let clerk: Arc<dyn Runtime> = Arc::new(Machine::new(time, "clerk", history.seed, Clocks::default()));
        let [first, second] = domains()?;
        let server = |domain| -> Result<Arc<dyn Server>, Broken> {
            Ok(Arc::new(StoredServer::new(Arc::new(shore.memory().clone()), Arc::clone(&clerk), domain)?))
        };
        let servers = [server(&first)?, server(&second)?];
        let oracle = Oracle::new(shore.memory(), &clerk, counters)?;
        let world = Self {
            history,
            app: &setting.app,
            time: time.clone(),
            shore: Arc::clone(shore),
            oracle,
            counters: counters.clone(),
            devices: RefCell::default(),
            metadata: RefCell::default(),
            healing: Arc::default(),
            decider: Arc::new(Decider::new(&setting.app, history.seed, counters)),
            servers,
            clerk,
            writes: Cell::new(0),
        };
        for (at, client) in history.clients.iter().enumerate() {
            let seed = super::mix(&[history.seed, at as u64]);
            world.devices.borrow_mut().push(Device {
                machine: Arc::new(Machine::new(time, name(at), seed, client.clocks)),
                pier: Pier::new(shore, name(at), seed),
                halves: Default::default(),
                sighting: None,
            });
        }
        Ok(world)
    }

    fn run(&self) -> Result<(), Broken> {
        let devices = 0..self.history.clients.len();
        let tasks: Vec<Task<'_>> = devices.map(|at| Box::pin(self.follow(at)) as Task<'_>).collect();
        self.run_tasks(tasks)?;
        self.run_tasks(vec![Box::pin(heal::heal(self))])?;
        heal::all_equal(self)?;
        self.oracle.check_log(self.shore.memory())?;
        leases::check(&self.shore.leases(), &self.counters)?;
        metadata::check(self.shore.memory(), &self.metadata.borrow())
    }

    fn run_tasks(&self, tasks: Vec<Task<'_>>) -> Result<(), Broken> {
        let ended = self.time.run(tasks, || self.oracle.is_broken());
        if let Some(broken) = self.oracle.broken() {
            return Err(broken);
        }
        ended.map_err(|why| Broken::new(Rule::Invariant(9), why.to_owned()))
    }

    pub(super) fn runtime(&self, at: usize) -> Arc<dyn Runtime> {
        Arc::clone(&self.devices.borrow()[at].machine) as Arc<dyn Runtime>
    }

    pub(super) fn pier(&self, at: usize) -> Pier {
        self.devices.borrow()[at].pier.clone()
    }

    pub(super) fn replica(&self, (at, domain): Side) -> MemoryReplica {
        self.devices.borrow()[at].halves[domain].replica.clone()
    }

    /// The client of the running process.
    pub(super) fn client(&self, side: Side) -> Result<Arc<Client>, Broken> {
        if let Some(client) = &self.devices.borrow()[side.0].halves[side.1].client {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.client_over(side, Arc::new(self.pier(side.0)))?);
        self.devices.borrow_mut()[side.0].halves[side.1].client = Some(Arc::clone(&client));
        Ok(client)
    }

    /// A freshly started client over this storage.
    pub(super) fn client_over(&self, side: Side, storage: Arc<dyn Storage>) -> Result<Client, Broken> {
        let server = StoredServer::new(storage, self.runtime(side.0), &domains()?[side.1])?;
        let (oracle, counters, pier) = (self.oracle.clone(), self.counters.clone(), self.pier(side.0));
        let replica = Watched { replica: self.replica(side), oracle, counters, side, pier };
        let (oracle, decider, healing) = (self.oracle.clone(), Arc::clone(&self.decider), Arc::clone(&self.healing));
        let resolver = move |conflict: &Conflict| {
            oracle.asked(side, conflict);
            let (answer, verdict) = decider.decide(side.0 as u64, conflict, healing.load(Ordering::Relaxed));
            oracle.check(verdict);
            answer
        };
        let retention = Duration::from_millis(self.history.retention);
        Ok(Client::builder_on(self.runtime(side.0), Arc::new(server), Arc::new(replica))
            .lock_policy(self.history.clients[side.0].policy)
            .store_options(StoreOptions::default().with_retention(retention))
            .resolver(resolver)
            .build())
    }

    /// The process of this device ends; the next call starts another.
    pub(super) fn restart(&self, at: usize) {
        let mut devices = self.devices.borrow_mut();
        let device = &mut devices[at];
        device.halves.iter_mut().for_each(|half| half.client = None);
        device.pier.restart();
    }

    /// The checkpoint that a replica has stored; `None` if it never joined the store.
    pub(super) fn checkpoint(&self, side: Side) -> Result<Option<u64>, Broken> {
        if let Checkpoint::At(checkpoint) = self.devices.borrow()[side.0].halves[side.1].checkpoint {
            return Ok(checkpoint);
        }
        let checkpoint = self.stored_checkpoint(side)?;
        self.set_checkpoint(side, Checkpoint::At(checkpoint));
        Ok(checkpoint)
    }

    /// What is known of a replica's checkpoint now.
    pub(super) fn set_checkpoint(&self, side: Side, checkpoint: Checkpoint) {
        self.devices.borrow_mut()[side.0].halves[side.1].checkpoint = checkpoint;
    }

    fn stored_checkpoint(&self, side: Side) -> Result<Option<u64>, Broken> {
        let server = Arc::clone(&self.servers[side.1]);
        let client = Client::builder_on(Arc::clone(&self.clerk), server, Arc::new(self.replica(side))).build();
        let status = super::ledger::now(client.status())?;
        Ok(status.store.map(|_| status.checkpoint.map_or(0, longshore_core::Sequence::get)))
    }

    pub(super) fn check_replica(&self, side: Side) {
        match self.checkpoint(side) {
            Ok(checkpoint) => self.oracle.check_replica(side, &self.replica(side), checkpoint.unwrap_or(0)),
            Err(broken) => self.oracle.blame(broken),
        }
    }

    /// What an app does to a document, in its own transaction.
    pub(super) fn write(&self, side: Side, write: &Write) {
        let found = self.try_write(side, write);
        self.oracle.check(found);
    }

    fn try_write(&self, side: Side, write: &Write) -> Result<(), Broken> {
        let id = document_id(write.document)?;
        let replica = self.replica(side);
        let before = super::ledger::now(replica.get(&id))?;
        let number = (self.history.seed, self.next_write());
        let Some(written) = self.app.write(number, write, &id, before.as_ref()) else {
            return Ok(());
        };
        super::ledger::now(replica.queue(change_of(&written)?))?;
        self.shore.note(|| format!("{} {}", name(side.0), written.words()));
        self.oracle.wrote(side, &replica, vec![written]);
        Ok(())
    }

    /// Several documents in one transaction.
    pub(super) fn write_many(&self, side: Side, (first, count, bodies): (u64, u64, Bodies)) -> Result<(), Broken> {
        let replica = self.replica(side);
        let mut all = Vec::new();
        for document in first..first + count {
            let id = document_id(document)?;
            let number = (self.history.seed, self.next_write());
            let before: Option<Document> = super::ledger::now(replica.get(&id))?;
            let what = Write { document, what: What::Put };
            all.extend(self.app.write(number, &what, &id, before.as_ref()).map(|mut written| {
                if let Some(body) = self.large(bodies, document == first, number.1).filter(|_| self.app.edit.is_none())
                {
                    written.action = Action::Put(body);
                }
                written
            }));
        }
        let changes = all.iter().map(change_of).collect::<Result<Vec<_>, _>>()?;
        super::ledger::now(replica.write(changes))?;
        self.oracle.wrote(side, &replica, all);
        Ok(())
    }

    /// The body of one of several documents that are written at once; none if it is as small as any other.
    fn large(&self, bodies: Bodies, first: bool, number: u64) -> Option<Bytes> {
        match bodies {
            Bodies::Small => None,
            Bodies::OneTooLarge if first => Some(large::too_large(number)),
            Bodies::Large | Bodies::OneTooLarge => Some(large::body(number, self.history.limit)),
        }
    }

    /// The documents of this outbox whose newest write no object can hold that the storage takes.
    pub(super) fn too_large(&self, shadow: &Shadow) -> Vec<DocumentId> {
        let limit = self.history.limit.unwrap_or(u64::MAX);
        let large =
            |row: &RowNumber| shadow.rows.get(row).is_some_and(|written: &Written| written.action.len() as u64 > limit);
        shadow.pending().into_iter().filter(|(_, row)| large(row)).map(|(id, _)| id).collect()
    }

    /// The app makes each of those smaller.
    pub(super) fn make_smaller(&self, side: Side) -> Result<(), Broken> {
        let replica = self.replica(side);
        for id in self.too_large(&self.oracle.shadow(side)) {
            let number = self.next_write();
            let action = Action::Put(Bytes::from(format!("smaller {number}")));
            let written = Written { id, action, revision: Some(format!("w{number}")) };
            super::ledger::now(replica.queue(change_of(&written)?))?;
            self.oracle.wrote(side, &replica, vec![written]);
        }
        Ok(())
    }

    pub(super) fn next_write(&self) -> u64 {
        self.writes.set(self.writes.get() + 1);
        self.writes.get()
    }
}

/// Some with ids that no file could be called.
fn document_id(number: u64) -> Result<DocumentId, Broken> {
    let text = match number % 8 {
        0 => "notes/today".to_owned(),
        1 => "a b\n\u{e9}\u{1f41a}/..".to_owned(),
        2 => "CON".to_owned(),
        number => format!("document {number}"),
    };
    Ok(DocumentId::new(text)?)
}

fn change_of(written: &Written) -> Result<Change, Broken> {
    let revision = written.revision.as_ref().map(Revision::new).transpose()?;
    Ok(Change { id: written.id.clone(), revision, base: None, action: written.action.clone() })
}

//! One device of a story: a replica in memory, and a process that may be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{
    Answer, Change, Client, Conflict, Document, DocumentId, DomainName, Error, LockPolicy, MemoryReplica, Sequence,
    Server, StoreOptions, StoredServer, SyncReport,
};

use crate::cases::dropping::dropped_after;
use crate::cases::merging::{body, merge};
use crate::cases::oracle::Documents;
use crate::context::Context;
use crate::faults::{FaultServer, FaultStorage, Plan};
use crate::verdict::Failure;

/// Which trait's calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Storage,
    Server,
}

/// What the users and apps of a story did and were told.
#[derive(Default)]
pub(super) struct Notes {
    /// How often an app was told of a conflict: by device, document and remote entry.
    pub(super) told: BTreeMap<(&'static str, DocumentId, Sequence), u32>,
    /// Every side of every conflict that an app was told of.
    pub(super) sides: BTreeSet<(DocumentId, Option<Bytes>)>,
    /// Every write of a user.
    pub(super) written: Vec<(DocumentId, Bytes)>,
    /// Every body that a user had before them when they replaced or deleted it.
    pub(super) replaced: BTreeSet<Bytes>,
}

#[derive(Clone, Default)]
pub(super) struct Notebook(Arc<Mutex<Notes>>);

impl Notebook {
    pub(super) fn open(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a sync ended.
#[derive(Debug)]
pub(super) enum Ended {
    Done(SyncReport),
    Failed(Error),
    /// The process died, or the future was dropped.
    Gone,
}

pub(super) struct Device {
    pub(super) name: &'static str,
    pub(super) plan: Plan,
    pub(super) policy: LockPolicy,
    replica: MemoryReplica,
    cx: Context,
    level: Level,
    notebook: Notebook,
    client: Option<Client>,
}

/// This server, as the client of this plan meets it.
pub(super) async fn server(cx: &Context, level: Level, plan: &Plan) -> Result<Arc<dyn Server>, Failure> {
    Ok(match level {
        Level::Storage => {
            let storage = Arc::new(FaultStorage::new(cx.storage().await?, plan));
            Arc::new(StoredServer::new(storage, cx.clock().runtime(), &DomainName::default())?)
        }
        Level::Server => Arc::new(FaultServer::new(cx.server().await?, plan)),
    })
}

impl Device {
    pub(super) fn new(name: &'static str, cx: &Context, level: Level, notebook: &Notebook) -> Self {
        Self {
            name,
            plan: Plan::new(cx.clock()),
            policy: LockPolicy::Contended,
            replica: MemoryReplica::new(),
            cx: cx.clone(),
            level,
            notebook: notebook.clone(),
            client: None,
        }
    }

    /// The user writes a document.
    pub(super) async fn put(&self, id: &str, body: String) -> Result<(), Failure> {
        let id = DocumentId::new(id)?;
        self.sees(&id);
        let body = Bytes::from(body);
        self.notebook.open().written.push((id.clone(), body.clone()));
        Ok(self.replica.put(Document { id, revision: None, body }).await?)
    }

    pub(super) async fn put_many(&self, documents: Vec<Document>) -> Result<(), Failure> {
        let written = documents.iter().map(|document| (document.id.clone(), document.body.clone()));
        self.notebook.open().written.extend(written);
        Ok(self.replica.write(documents.into_iter().map(Change::put).collect()).await?)
    }

    /// The user deletes a document.
    pub(super) async fn delete(&self, id: &str) -> Result<(), Failure> {
        let id = DocumentId::new(id)?;
        self.sees(&id);
        Ok(self.replica.delete(id).await?)
    }

    fn sees(&self, id: &DocumentId) {
        let there = self.replica.documents().get(id).map(|document| document.body.clone());
        self.notebook.open().replaced.extend(there);
    }

    pub(super) fn documents(&self) -> Documents {
        self.replica.documents().into_iter().map(|(id, document)| (id, document.body)).collect()
    }

    /// Pending changes and open conflicts.
    pub(super) async fn left_over(&mut self) -> Result<(u64, u64), Failure> {
        let status = self.client().await?.status().await?;
        Ok((status.pending, status.conflicts))
    }

    async fn client(&mut self) -> Result<&Client, Failure> {
        if self.client.is_none() {
            self.client = Some(self.start().await?);
        }
        self.client.as_ref().ok_or_else(|| Failure::new("no process runs"))
    }

    async fn start(&self) -> Result<Client, Failure> {
        let server = server(&self.cx, self.level, &self.plan).await?;
        let (notebook, name) = (self.notebook.clone(), self.name);
        let builder = Client::builder_on(self.cx.clock().runtime(), server, Arc::new(self.replica.clone()))
            .lock_policy(self.policy)
            .store_options(StoreOptions::default().with_probe(false))
            .resolver(move |conflict: &Conflict| decide(&notebook, name, conflict));
        Ok(builder.build())
    }

    /// The process ends, if it did not already; the next sync starts another.
    pub(super) fn restart(&mut self) {
        self.client = None;
        self.plan.revive();
    }

    /// Nothing happens for so long.
    pub(super) fn pass(&self, time: Duration) {
        self.cx.clock().advance(time);
    }

    /// Syncs once, whatever comes of it.
    pub(super) async fn sync(&mut self) -> Result<Ended, Failure> {
        let plan = self.plan.clone();
        let client = self.client().await?;
        Ok(match plan.alive(client.sync()).await {
            Some(Ok(report)) => Ended::Done(report),
            Some(Err(error)) => Ended::Failed(error),
            None => Ended::Gone,
        })
    }

    /// Syncs, and drops the future after so many polls.
    pub(super) async fn sync_dropped_after(&mut self, polls: usize) -> Result<Ended, Failure> {
        let client = self.client().await?;
        Ok(match dropped_after(polls, client.sync()).await {
            Some(Ok(report)) => Ended::Done(report),
            Some(Err(error)) => Ended::Failed(error),
            None => Ended::Gone,
        })
    }
}

/// Writes down what an app is told of, and answers.
fn decide(notebook: &Notebook, device: &'static str, conflict: &Conflict) -> Answer {
    let mut notes = notebook.open();
    *notes.told.entry((device, conflict.id.clone(), conflict.sequence)).or_default() += 1;
    let sides = [&conflict.local, &conflict.remote].map(|side| (conflict.id.clone(), body(side)));
    notes.sides.extend(sides);
    merge(conflict)
}

//! A device: a replica, the client of the running process, and what the app on it wrote and was told.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use longshore_core::{
    Answer, Change, Client, Conflict, Document, DocumentId, DomainName, LockPolicy, MemoryReplica, Resolver,
    Result as Called, Runtime, StoreOptions, SyncReport,
};

use super::yielding::yielding;
use crate::cases::merging::{body, merge};
use crate::context::Context;
use crate::verdict::Failure;

/// A document and what it was at some time; none if it was deleted.
pub(super) type Seen = (DocumentId, Option<Bytes>);

/// What the apps on all devices of a case did and learned.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Every side of every conflict that an app was told of.
    pub(super) told: BTreeSet<Seen>,
    /// Every write of any app.
    pub(super) written: Vec<Seen>,
    /// What a user had in front of them when they wrote over it.
    pub(super) replaced: BTreeSet<Seen>,
}

/// All devices of one user, at one place.
#[derive(Clone, Debug)]
pub(in crate::cases) struct Fleet {
    pub(super) cx: Context,
    book: Arc<Mutex<Book>>,
}

impl Fleet {
    pub(in crate::cases) fn new(cx: &Context) -> Self {
        Self { cx: cx.clone(), book: Arc::default() }
    }

    /// The same devices' fleet, whose next ones reach the server through the proxy at this address.
    #[cfg(feature = "network")]
    pub(in crate::cases) fn via(&self, proxy: std::net::SocketAddr) -> Self {
        Self { cx: self.cx.via(proxy), book: Arc::clone(&self.book) }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new device.
    pub(in crate::cases) async fn device(&self) -> Result<Device, Failure> {
        self.device_of(MemoryReplica::new()).await
    }

    /// A device with the data of another: cloned, or restored from a backup.
    pub(super) async fn device_of(&self, replica: MemoryReplica) -> Result<Device, Failure> {
        self.device_as(replica, Habits::default()).await
    }

    pub(super) async fn device_as(&self, replica: MemoryReplica, habits: Habits) -> Result<Device, Failure> {
        let client = client(self, &replica, &habits).await?;
        Ok(Device { replica, client, fleet: self.clone(), habits })
    }
}

/// How a device syncs.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    pub(super) policy: LockPolicy,
    pub(super) domain: DomainName,
    pub(super) conflicts: Conflicts,
    /// Whether each call of the server lets others run before and after: more places at which a sync can be dropped.
    pub(super) yields: bool,
}

/// What the app does about conflicts.
#[derive(Clone, Debug, Default)]
pub(super) enum Conflicts {
    /// It joins both edits; an edit survives a deletion.
    #[default]
    Merged,
    /// Nobody answers yet.
    Wait,
    /// Always this answer.
    Answered(Answer),
}

#[derive(Debug)]
pub(in crate::cases) struct Device {
    pub(super) replica: MemoryReplica,
    pub(super) client: Client,
    pub(super) habits: Habits,
    fleet: Fleet,
}

async fn client(fleet: &Fleet, replica: &MemoryReplica, habits: &Habits) -> Result<Client, Failure> {
    let runtime: Arc<dyn Runtime> = fleet.cx.clock().runtime();
    let mut server = fleet.cx.server_as(runtime.clone(), &habits.domain).await?;
    if habits.yields {
        server = yielding(server);
    }
    // Whether a store can be probed is a case of its own; here it would only cost.
    let options = StoreOptions::default().with_probe(false);
    let builder = Client::builder_on(runtime, server, Arc::new(replica.clone()));
    let builder = builder.lock_policy(habits.policy).store_options(options);
    let fleet = fleet.clone();
    Ok(match habits.conflicts.clone() {
        Conflicts::Wait => builder.build(),
        Conflicts::Merged => builder.resolver(merging(&fleet)).build(),
        Conflicts::Answered(answer) => {
            builder.resolver(move |conflict: &Conflict| fleet.told(conflict, answer.clone())).build()
        }
    })
}

/// Joins both edits, and notes that the app was told.
pub(super) fn merging(fleet: &Fleet) -> impl Resolver + use<> {
    let fleet = fleet.clone();
    move |conflict: &Conflict| fleet.told(conflict, merge(conflict))
}

impl Fleet {
    fn told(&self, conflict: &Conflict, answer: Answer) -> Answer {
        let sides = [&conflict.local, &conflict.remote].map(|side| (conflict.id.clone(), body(side)));
        self.book().told.extend(sides);
        answer
    }
}

impl Device {
    /// The app writes a document.
    pub(in crate::cases) async fn put(&self, id: &str, body: impl Into<Bytes>) -> Result<(), Failure> {
        self.write(vec![Change::put(Document::new(id, body)?)]).await
    }

    /// The app removes a document.
    pub(in crate::cases) async fn delete(&self, id: &str) -> Result<(), Failure> {
        self.write(vec![Change::delete(id.try_into()?)]).await
    }

    /// The app makes several changes at once.
    pub(super) async fn write(&self, changes: Vec<Change>) -> Result<(), Failure> {
        for change in &changes {
            let before = self.replica.get(&change.id).await?.map(|document| document.body);
            let mut book = self.fleet.book();
            book.replaced.insert((change.id.clone(), before));
            book.written.push((change.id.clone(), change.action.body().cloned()));
        }
        Ok(self.replica.write(changes).await?)
    }

    /// What the app sees of a document.
    pub(super) async fn get(&self, id: &str) -> Result<Option<String>, Failure> {
        let found = self.replica.get(&id.try_into()?).await?;
        Ok(found.map(|document| String::from_utf8_lossy(&document.body).into_owned()))
    }

    /// The process ends, and another starts.
    pub(super) async fn restart(&mut self) -> Result<(), Failure> {
        self.client = client(&self.fleet, &self.replica, &self.habits).await?;
        Ok(())
    }

    pub(in crate::cases) async fn try_sync(&self) -> Called<SyncReport> {
        self.client.sync().await
    }

    /// Syncs; that must not fail.
    pub(in crate::cases) async fn sync(&self) -> Result<SyncReport, Failure> {
        Ok(self.client.sync().await?)
    }
}

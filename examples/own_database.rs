//! An app that keeps its documents in a store of its own, which cannot share a transaction with the outbox.
//!
//! The app's store is the truth about documents; a [`SqliteReplica`] beside it holds outbox, journal and conflicts. The app
//! writes to its store first and queues the change after. What a crash between the two loses, [`Replica::uncommitted`] finds at
//! the start of the next sync: everything that the store marks as changed, deletions included.
//!
//! `cargo run --example own_database`

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore::{
    Applied, Batch, Change, Claim, Client, Conflict, Document, DocumentId, Hash, Loaded, Outbox, PendingChange,
    Replica, Result, RowNumber, SqliteReplica, Step, Synced,
};
use tokio::sync::{Mutex, MutexGuard};

/// The app's own store: here a map. `None` is a deletion that was not committed yet.
#[derive(Debug, Default)]
struct AppStore {
    documents: BTreeMap<DocumentId, Option<Document>>,
    /// What changed since it was last committed.
    dirty: BTreeMap<DocumentId, Change>,
}

/// The app's store as a replica, with a database beside it for everything the app does not want to know.
#[derive(Debug)]
struct OwnDatabase {
    app: Mutex<AppStore>,
    beside: SqliteReplica,
}

impl OwnDatabase {
    /// The app's store as it comes back after a crash, which may have lost the last moments of a sync.
    async fn open(app: AppStore, beside: SqliteReplica) -> Result<Self> {
        let own = Self { app: Mutex::new(app), beside };
        let mut app = own.app.lock().await;
        // What either store has: a document that is only in the app's was deleted meanwhile.
        let mut ids = own.beside.list(None, usize::MAX).await?;
        ids.extend(app.documents.keys().cloned());
        for id in &ids {
            own.refresh(&mut app, id).await?;
        }
        drop(app);
        Ok(own)
    }

    /// The app writes, and marks what it wrote. It knows nothing of outboxes here.
    async fn write(&self, change: Change) {
        let mut app = self.app.lock().await;
        app.documents.insert(change.id.clone(), change.document());
        app.dirty.insert(change.id.clone(), change);
    }

    async fn read(&self, id: &DocumentId) -> Option<Bytes> {
        Some(self.app.lock().await.documents.get(id)?.as_ref()?.body.clone())
    }

    /// Brings the app's store to what the database beside it says of this document, unless the app changed it since.
    async fn refresh(&self, app: &mut MutexGuard<'_, AppStore>, id: &DocumentId) -> Result<()> {
        if app.dirty.contains_key(id) {
            return Ok(());
        }
        match self.beside.get(id).await? {
            Some(document) => drop(app.documents.insert(id.clone(), Some(document))),
            None => drop(app.documents.remove(id)),
        }
        Ok(())
    }
}

/// The document that a step changes here.
fn changed(step: &Step) -> Option<DocumentId> {
    match step {
        Step::Store { change, .. } => Some(change.id.clone()),
        Step::Settle { id, .. } | Step::Answer { id, .. } => Some(id.clone()),
        _ => None,
    }
}

#[async_trait]
impl Replica for OwnDatabase {
    async fn queue(&self, change: Change) -> Result<RowNumber> {
        let row = self.beside.queue(change.clone()).await?;
        // Queued: the outbox remembers it from here on. A newer edit stays marked.
        let mut app = self.app.lock().await;
        if app.dirty.get(&change.id) == Some(&change) {
            app.dirty.remove(&change.id);
        }
        Ok(row)
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        Ok(self.app.lock().await.dirty.values().cloned().collect())
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let ids: Vec<DocumentId> = batch.steps.iter().filter_map(changed).collect();
        // The app's store stays locked from the look to the last write, so no edit slips in between.
        let mut app = self.app.lock().await;
        // An edit that was not queued yet must not be overwritten unseen: queue it, and let the engine decide anew.
        let unseen: Vec<Change> = ids.iter().filter_map(|id| app.dirty.get(id).cloned()).collect();
        if !unseen.is_empty() {
            for change in unseen {
                let id = change.id.clone();
                self.beside.queue(change).await?;
                app.dirty.remove(&id);
            }
            return Ok(Applied::Stale);
        }
        let applied = self.beside.apply(batch).await?;
        if applied == Applied::Done {
            // A crash from here on leaves the app's store behind: `open` mends that.
            for id in &ids {
                self.refresh(&mut app, id).await?;
            }
        }
        Ok(applied)
    }

    // The rest is bookkeeping, which the database beside does.
    async fn claim(&self) -> Result<Claim> {
        self.beside.claim().await
    }
    async fn load(&self) -> Result<Loaded> {
        self.beside.load().await
    }
    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        self.beside.pending(after, last, bytes).await
    }
    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        self.beside.outbox(ids).await
    }
    async fn pending_count(&self) -> Result<u64> {
        self.beside.pending_count().await
    }
    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.beside.conflicts().await
    }
    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        self.beside.conflict(id).await
    }
    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.beside.contains(id).await
    }
    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.beside.committed(hash).await
    }
    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        self.beside.synced(after, limit).await
    }
    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        self.beside.shelved(name).await
    }
}

async fn device(folder: &std::path::Path, name: &str, app: AppStore) -> Result<(Arc<OwnDatabase>, Client)> {
    let beside = SqliteReplica::open(folder.join(name)).await?;
    let own = Arc::new(OwnDatabase::open(app, beside).await?);
    let server = longshore::create(&longshore::file_url(&folder.join("store")))?;
    let client = Client::builder(server, own.clone()).build();
    Ok((own, client))
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (laptop, laptop_client) = device(folder.path(), "laptop.db", AppStore::default()).await?;
    let (phone, phone_client) = device(folder.path(), "phone.db", AppStore::default()).await?;
    let id = DocumentId::new("note")?;

    // The careful app: store, then queue.
    let change = Change::put(Document::new("note", "first")?);
    laptop.write(change.clone()).await;
    laptop_client.queue_change(change).await?;
    laptop_client.sync().await?;
    phone_client.sync().await?;
    assert_eq!(phone.read(&id).await, Some("first".into()));

    // A crash between the two: nothing was queued, and nothing is lost. The same for a deletion.
    phone.write(Change::put(Document::new("note", "second")?)).await;
    assert_eq!(phone_client.sync().await?.pushed, 1);
    laptop_client.sync().await?;
    assert_eq!(laptop.read(&id).await, Some("second".into()));

    laptop.write(Change::delete(id.clone())).await;
    laptop_client.sync().await?;
    phone_client.sync().await?;
    assert_eq!(phone.read(&id).await, None);

    // The app's store lost everything; the database beside it has it all.
    laptop.write(Change::put(Document::new("note", "third")?)).await;
    laptop_client.sync().await?;
    drop((laptop, laptop_client));
    let (laptop, _) = device(folder.path(), "laptop.db", AppStore::default()).await?;
    assert_eq!(laptop.read(&id).await, Some("third".into()));

    // A crash just before the app's store was told of a deletion: it still has the document when it comes back.
    let mut behind = AppStore::default();
    let gone = Document::new("gone", "deleted elsewhere")?;
    behind.documents.insert(gone.id.clone(), Some(gone.clone()));
    drop(laptop);
    let (laptop, _) = device(folder.path(), "laptop.db", behind).await?;
    assert_eq!((laptop.read(&gone.id).await, laptop.read(&id).await), (None, Some("third".into())));
    println!("both stores agree, and no write was lost between store and queue");
    Ok(())
}

//! The client: what an app holds and calls.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tracing::{Instrument as _, info_span, instrument};

use super::conflicts::Resolver;
use super::options::{LockPolicy, OpenMode};
use super::plan::Plan;
use super::report::{Observer, Status, SyncReport};
use super::session::{Session, Verified};
use super::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Change, DocumentId, MetadataName, MetadataVersion, RowNumber};
use crate::replica::{Claim, Conflict, Replica};
use crate::runtime::{Runtime, Ticks};
use crate::sabotage::{Mistake, on};
use crate::server::{Lease, LockRequest, Locked, Metadata, Server, StoreOptions};

/// One replica's sync engine.
///
/// Every method is safe to drop at any await and to call again. Only one sync of a replica runs at a time; another is `Locked`.
///
/// ```
/// use std::sync::Arc;
/// use longshore_core::{Client, Document, DomainName, MemoryReplica, MemoryStorage, StoredServer, TokioRuntime};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let storage = Arc::new(MemoryStorage::new());
/// let device = |replica: &MemoryReplica| {
///     let server = StoredServer::new(storage.clone(), Arc::new(TokioRuntime), &DomainName::default())?;
///     Ok::<_, longshore_core::Error>(Client::builder(Arc::new(server), Arc::new(replica.clone())).build())
/// };
/// let (laptop, phone) = (MemoryReplica::new(), MemoryReplica::new());
/// laptop.put(Document::new("list", "milk")?).await?;
/// assert_eq!(device(&laptop)?.sync().await?.pushed, 1);
/// assert_eq!(device(&phone)?.sync().await?.pulled, 1);
/// assert_eq!(phone.get(&"list".try_into()?).await?.unwrap().body, "milk");
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
pub struct Client {
    pub(super) server: Arc<dyn Server>,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) lock_policy: LockPolicy,
    pub(super) mode: OpenMode,
    pub(super) store_options: StoreOptions,
    shared: Mutex<Shared>,
}

/// What a client learns for its later syncs.
#[derive(Default)]
struct Shared {
    verified: Option<Verified>,
    create_time: Duration,
    committed: Option<Ticks>,
    overtaken: bool,
}

/// Builds a [`Client`].
#[must_use]
pub struct ClientBuilder(Client);

impl Client {
    /// A client on tokio and the system's clocks.
    #[cfg(feature = "tokio")]
    pub fn builder(server: Arc<dyn Server>, replica: Arc<dyn Replica>) -> ClientBuilder {
        Self::builder_on(Arc::new(crate::runtime::TokioRuntime), server, replica)
    }

    /// A client on a runtime of your own.
    pub fn builder_on(runtime: Arc<dyn Runtime>, server: Arc<dyn Server>, replica: Arc<dyn Replica>) -> ClientBuilder {
        ClientBuilder(Self {
            server,
            replica,
            runtime,
            resolver: None,
            observer: None,
            lock_policy: LockPolicy::default(),
            mode: OpenMode::default(),
            store_options: StoreOptions::default(),
            shared: Mutex::default(),
        })
    }

    /// Syncs: opens the store, pulls, hands conflicts to the app, pushes.
    ///
    /// - **Effect**: everything committed before the call is in the replica, and everything pending at its start and not in
    ///   conflict is committed, when it returns. All of it becomes visible to others at once, unless it is more than one entry can
    ///   name (about 4,000 segments, mostly of 8 MiB compressed): then it is several commits, in the order of the outbox.
    /// - **An error leaves** whatever was done so far, durable and consistent; the next sync goes on from there.
    /// - **Errors**: `Replaced` if the store is not the one this replica knows (nothing was changed then), `Locked` if the
    ///   replica is being synced already, `Unavailable` if the store cannot be reached, and what the storage gives. `Unsupported`
    ///   names a document that is too large for the storage: all others are committed then, it stays pending, and the status
    ///   counts this as a sync.
    pub async fn sync(&self) -> Result<SyncReport> {
        self.sync_as(None).instrument(info_span!("sync")).await
    }

    /// What [`sync`](Self::sync) would do. Nothing is applied, committed or initialised.
    ///
    /// One thing is written, in the replica: changes that [`Replica::uncommitted`] reports are queued, as every sync does first. So
    /// the plan has them, and [`sync_planned`](Self::sync_planned) finds the outbox as the plan knew it.
    #[instrument(skip_all)]
    pub async fn plan(&self) -> Result<Plan> {
        let mut session = Session::begin(self, self.verified()).await?;
        if session.state.store.is_some() {
            session.open().await?;
        }
        session.plan().await
    }

    /// Syncs exactly as planned, or fails with `Conflict`.
    ///
    /// If the log or the outbox moved since the plan was made, nothing is changed. If another client commits while this sync
    /// runs, what was planned to be pulled is pulled, and the push fails. What the app writes meanwhile, merged answers to
    /// conflicts included, waits for the next sync.
    pub async fn sync_planned(&self, plan: &Plan) -> Result<SyncReport> {
        self.sync_as(Some(plan)).instrument(info_span!("sync")).await
    }

    async fn sync_as(&self, agreed: Option<&Plan>) -> Result<SyncReport> {
        let mut session = Session::begin(self, self.verified()).await?;
        session.agreed = agreed;
        let kept = on(Mistake::CancelKeepsClaim)
            .then(|| ManuallyDrop::new(std::mem::replace(&mut session.claim, Claim::new(()))));
        let result = session.run().await;
        if let Err(error) = &result {
            session.verified = None;
            session.unlock().await;
            session.remember_failure(error).await;
        }
        self.shared().verified = session.verified;
        drop(kept.map(ManuallyDrop::into_inner));
        result?;
        session.left_out().map_or_else(|| Ok(session.finish()), Err)
    }

    /// Queues a change for the next sync: the specification's `QueueChange`.
    ///
    /// For an app whose own store cannot share a transaction with the outbox. It stores first, then calls this; what a crash
    /// between the two loses is what its [`Replica::uncommitted`] reports at the next start.
    #[instrument(skip_all)]
    pub async fn queue_change(&self, change: Change) -> Result<RowNumber> {
        self.replica.queue(change).await
    }

    /// The conflicts that wait for an answer.
    #[instrument(skip_all)]
    pub async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.replica.conflicts().await
    }

    /// One of them with all its sides.
    #[instrument(skip_all)]
    pub async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        self.replica.conflict(id).await
    }

    /// What an app can show its user. It asks the replica only, not the store.
    #[instrument(skip_all)]
    pub async fn status(&self) -> Result<Status> {
        let loaded = self.replica.load().await?;
        let state = loaded.state.as_deref().map(State::decode).transpose()?;
        let mut status = Status {
            pending: self.replica.pending_count().await?,
            conflicts: self.replica.conflicts().await?.len() as u64,
            ..Status::default()
        };
        if let Some(state) = state {
            (status.last_synced, status.last_error) = (state.last_synced, state.last_error);
            status.store = state.store.as_ref().map(|known| known.id);
            status.checkpoint = state.store.and_then(|known| known.tip.sequence);
        }
        Ok(status)
    }

    /// The newest version of a piece of metadata.
    #[instrument(skip_all)]
    pub async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        self.server.metadata_read(name).await
    }

    /// Writes a piece of metadata if `expected` is its newest version.
    #[instrument(skip_all)]
    pub async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        self.server.metadata_write(name, expected, bytes).await
    }

    /// Takes the store's lease for the app's own purpose, or says who holds it.
    #[instrument(skip_all)]
    pub async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        self.server.lock(request).await
    }

    /// Prolongs a lease. `Fenced` if it was lost.
    #[instrument(skip_all)]
    pub async fn renew(&self, lease: &Lease) -> Result<Lease> {
        self.server.renew(lease).await
    }

    /// Gives a lease back. `Fenced` if it was lost.
    #[instrument(skip_all)]
    pub async fn unlock(&self, lease: &Lease) -> Result<()> {
        self.server.unlock(lease).await
    }

    /// Takes the lease from whoever holds it and sets it free. For a user who knows that the holder is gone: no document is in
    /// danger, but two clients may do the same maintenance.
    #[instrument(skip_all)]
    pub async fn break_lease(&self) -> Result<()> {
        let request = LockRequest::new("broken by the user").with_force();
        match self.server.lock(&request).await? {
            Locked::Granted(lease) => self.server.unlock(&lease).await,
            Locked::Held(held) => {
                let what = format!("another client took the lease just now for: {}", held.purpose);
                Err(Error::new(ErrorKind::Locked, what).with_operation("break_lease"))
            }
        }
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verified(&self) -> Option<Verified> {
        self.shared().verified
    }

    /// How long the last `create` took, and some.
    pub(super) fn create_time(&self) -> Duration {
        self.shared().create_time * 3 / 2
    }

    /// When this client last committed an entry.
    pub(super) fn committed_at(&self) -> Option<Ticks> {
        self.shared().committed
    }

    pub(super) fn note_commit(&self, at: Ticks) {
        self.shared().committed = Some(at);
    }

    /// Whether others had committed when this client last had something to push.
    pub(super) fn was_overtaken(&self) -> bool {
        self.shared().overtaken
    }

    pub(super) fn note_overtaken(&self, overtaken: bool) {
        self.shared().overtaken = overtaken;
    }

    pub(super) fn note_create_time(&self, time: Duration) {
        self.shared().create_time = time;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Client");
        out.field("server", &self.server).field("replica", &self.replica);
        out.field("lock_policy", &self.lock_policy).field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Who decides conflicts. Without one they are recorded and wait.
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.0.resolver = Some(Arc::new(resolver));
        self
    }

    /// Who shows progress.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.0.observer = Some(Arc::new(observer));
        self
    }

    /// When to take the lease.
    pub fn lock_policy(mut self, policy: LockPolicy) -> Self {
        self.0.lock_policy = policy;
        self
    }

    /// Whether a replica without a store may initialise one.
    pub fn mode(mut self, mode: OpenMode) -> Self {
        self.0.mode = mode;
        self
    }

    /// How a store is initialised.
    pub fn store_options(mut self, options: StoreOptions) -> Self {
        self.0.store_options = options;
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        self.0
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

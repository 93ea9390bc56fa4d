//! Devices that sync through a meter.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use longshore_core::{
    Change, Client, Document, DomainName, MemoryReplica, Result, Storage, StoredServer, SyncReport, TokioRuntime,
};

use super::{Meter, Tally};
use crate::dice::noise;

/// A store behind a [`Meter`], and devices that sync through it: what a sync costs over a real connection, in an adapter's tests.
///
/// ```no_run
/// # use std::net::SocketAddr;
/// # use std::sync::Arc;
/// # use longshore_core::{MemoryStorage, Result, Storage};
/// use longshore_conformance::meter::{Devices, documents};
///
/// # fn connect(_: SocketAddr) -> Result<Arc<dyn Storage>> { Ok(Arc::new(MemoryStorage::new())) }
/// # async fn budget(server: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
/// // `connect` is the adapter's; each process has connections of its own.
/// let devices = Devices::start(server, |meter| move || connect(meter)).await?;
/// let replica = devices.first().await?;
/// replica.write(documents("note", 1000, 490)?).await?;
/// // Three requests that open the store, side by side; then the commit.
/// let (report, tally) = devices.sync(&devices.process(&replica)?, &[3, 1]).await?;
/// assert_eq!(report.pushed, 1000);
/// assert!(tally.bytes_up() < 1000 * 490 * 11 / 10);
/// # Ok(()) }
/// ```
pub struct Devices {
    meter: Meter,
    open: Box<dyn Fn() -> Result<Arc<dyn Storage>> + Send + Sync>,
    // It only lives here.
    _server: Option<Box<dyn Any + Send + Sync>>,
}

impl Devices {
    /// Devices whose store is on this server. Of the meter's address `connect` makes what opens the storage for a process.
    pub async fn start<C, O>(server: SocketAddr, connect: C) -> io::Result<Self>
    where
        C: FnOnce(SocketAddr) -> O,
        O: Fn() -> Result<Arc<dyn Storage>> + Send + Sync + 'static,
    {
        let meter = Meter::start(server).await?;
        let open = Box::new(connect(meter.address()));
        Ok(Self { meter, open, _server: None })
    }

    /// Keeps this server as long as them: dropped, it would end.
    #[must_use]
    pub fn with(self, server: impl Any + Send + Sync) -> Self {
        Self { _server: Some(Box::new(server)), ..self }
    }

    /// What counts.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The storage, as a process opens it.
    pub fn storage(&self) -> Result<Arc<dyn Storage>> {
        (self.open)()
    }

    /// A process of the device with this replica.
    pub fn process(&self, replica: &MemoryReplica) -> Result<Client> {
        let server = StoredServer::new(self.storage()?, Arc::new(TokioRuntime), &DomainName::default())?;
        Ok(Client::builder(Arc::new(server), Arc::new(replica.clone())).build())
    }

    /// The replica of a device that has synced: the first one makes the store.
    pub async fn first(&self) -> Result<MemoryReplica> {
        let replica = MemoryReplica::new();
        self.process(&replica)?.sync().await?;
        Ok(replica)
    }

    /// What a sync ends in, and what it cost, which is to be [these groups of requests](Meter::cost).
    ///
    /// Errors: what went wrong, or what was counted.
    pub async fn sync(&self, client: &Client, groups: &[usize]) -> Result<(SyncReport, Tally), String> {
        let (ended, tally) = self.meter.cost(groups, client.sync()).await?;
        Ok((ended.map_err(|error| format!("{error}\n{tally}"))?, tally))
    }

    /// What so many syncs with nothing new cost, one after the other, of a process that has none of its connections yet.
    pub async fn idle(&self, syncs: usize) -> Result<Tally> {
        let client = self.process(&self.first().await?)?;
        self.meter.take();
        for _ in 0..syncs {
            client.sync().await?;
        }
        Ok(self.meter.take())
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devices").field("meter", &self.meter).finish_non_exhaustive()
    }
}

/// Changes that put so many documents, `name/0` and so on, with bodies of that many bytes of which no compressor saves any. The
/// same documents each time.
///
/// Errors: `Invalid` for a name that no document's id begins with.
///
/// ```
/// use longshore_conformance::meter::documents;
///
/// assert_eq!(documents("note", 3, 490)?.len(), 3);
/// assert_eq!(documents("note", 3, 490)?, documents("note", 3, 490)?);
/// # Ok::<(), longshore_core::Error>(())
/// ```
pub fn documents(name: &str, count: u64, len: usize) -> Result<Vec<Change>> {
    let document = |number| Document::new(format!("{name}/{number}"), noise(number, len)).map(Change::put);
    (0..count).map(document).collect()
}

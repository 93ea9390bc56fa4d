//! What a case gets: a place of its own, clients for it, dice and a size.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use longshore_core::{
    ByteRange, DomainName, Folder, ObjectKey, Payload, Runtime, Server, Storage, StoreOptions, StoredServer,
};

use crate::case::Size;
use crate::clock::VirtualClock;
use crate::harness::{Harness, Scratch, Site, Subject};
use crate::pace::Pace;
use crate::place::Prefixed;
use crate::release::Releases;
use crate::verdict::Failure;

/// The most bytes that a case reads of one object.
pub(crate) const MOST: u64 = 128 << 20;

/// What a case gets.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) harness: Harness,
    pub(crate) scratch: Scratch,
    /// The folder of this run.
    pub(crate) root: Folder,
    /// This case's part of it, and the number of the next place that it asks for.
    pub(crate) slot: usize,
    pub(crate) next: Arc<AtomicUsize>,
    pub(crate) size: Size,
    pub(crate) seed: u64,
    pub(crate) clock: VirtualClock,
    /// Gives each call its turn.
    pub(crate) pace: Arc<Pace>,
    /// The stores that this case opened, of a harness that opens servers.
    pub(crate) opened: Arc<Mutex<BTreeSet<String>>>,
    /// Whose clients panicked when they were dropped.
    pub(crate) releases: Releases,
    /// Where clients find the server, if not at its own address.
    #[cfg(feature = "network")]
    pub(crate) via: Option<std::net::SocketAddr>,
}

impl Context {
    /// How much to do.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// What every choice of the case comes from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The folder of this run.
    #[cfg(feature = "crash")]
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The time that servers and clients of this case live in.
    pub(crate) fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// How many calls at once the store bears, of `wanted`.
    pub(crate) fn at_once(&self, wanted: usize) -> usize {
        wanted.min(self.harness.parallelism)
    }

    /// How many race, of `wanted`: two at the least, or there is no race.
    pub(crate) fn racers(&self, wanted: usize) -> usize {
        self.at_once(wanted).max(2)
    }

    /// Another place, empty: a case that goes through a story many times takes a fresh one each time.
    pub(crate) fn fresh(&self) -> Self {
        Self { slot: self.next.fetch_add(1, Ordering::SeqCst), clock: VirtualClock::new(), ..self.clone() }
    }

    /// The same place, reached through the proxy at this address.
    #[cfg(feature = "network")]
    pub(crate) fn via(&self, proxy: std::net::SocketAddr) -> Self {
        Self { via: Some(proxy), ..self.clone() }
    }

    /// A new, independent client of this case's place.
    pub(crate) async fn storage(&self) -> Result<Arc<dyn Storage>, Failure> {
        Ok(Arc::new(Prefixed::new(self.outer().await?, self.prefix()?)))
    }

    /// So many bytes, or as many as a document may have that the storage takes however badly it compresses.
    pub(crate) async fn fitting(&self, len: usize) -> Result<usize, Failure> {
        /// For what stands around a body, and for what compression adds to it.
        const AROUND: u64 = 64 << 10;
        if let Subject::Server(_) = &self.harness.subject {
            return Ok(len);
        }
        let most = self.storage().await?.capabilities().max_object.saturating_sub(AROUND);
        Ok(len.min(usize::try_from(most).unwrap_or(usize::MAX)))
    }

    /// The store itself, without a prefix.
    pub(crate) async fn outer(&self) -> Result<Arc<dyn Storage>, Failure> {
        #[cfg(feature = "network")]
        if let (Some(proxy), Some(network)) = (self.via, &self.harness.network) {
            return Ok(self.turns((network.open)(self.scratch.clone(), proxy).await?));
        }
        match &self.harness.subject {
            Subject::Storage(open) => Ok(self.turns(open(self.scratch.clone()).await?)),
            Subject::Server(_) => Err(Failure::ignored("the adapter is a server, with no storage to look at")),
        }
    }

    /// A client that the adapter opened, whose calls wait for their turn.
    pub(crate) fn turns(&self, client: Arc<dyn Storage>) -> Arc<dyn Storage> {
        self.pace.storage(client, &self.releases)
    }

    pub(crate) fn prefix(&self) -> Result<Folder, Failure> {
        Ok(self.root.join(format!("{:06}", self.slot))?)
    }

    /// A new, independent client of the store in this case's place, in its usual domain. It is not initialised yet.
    pub(crate) async fn server(&self) -> Result<Arc<dyn Server>, Failure> {
        self.server_as(self.clock.runtime(), &DomainName::default()).await
    }

    /// As [`server`](Self::server), with this machine's view of the time and in this domain.
    pub(crate) async fn server_as(
        &self,
        runtime: Arc<dyn Runtime>,
        domain: &DomainName,
    ) -> Result<Arc<dyn Server>, Failure> {
        if let Subject::Server(open) = &self.harness.subject {
            let store = format!("{}-{:06}", self.root, self.slot);
            self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(store.clone());
            let site = Site { scratch: self.scratch.clone(), store, domain: domain.clone(), runtime };
            return Ok(self.pace.server(open(site).await?, &self.releases));
        }
        Ok(Arc::new(StoredServer::new(self.storage().await?, runtime, domain)?))
    }

    /// As [`server`](Self::server), initialised.
    pub(crate) async fn ready_server(&self) -> Result<Arc<dyn Server>, Failure> {
        let server = self.server().await?;
        // The probe is a case of its own; here it would only cost.
        server.initialize(&StoreOptions::default().with_probe(false)).await?;
        Ok(server)
    }

    /// The name of a record in this place: created once, the only object of its folder.
    #[expect(clippy::unused_self, reason = "a case asks its context for everything")]
    pub(crate) fn record(&self, name: &str) -> Result<ObjectKey, Failure> {
        Ok(ObjectKey::new(format!("records/{name}/data"))?)
    }

    /// The name of an object in this place that is put, and never contested.
    #[expect(clippy::unused_self, reason = "a case asks its context for everything")]
    pub(crate) fn blob(&self, name: &str) -> Result<ObjectKey, Failure> {
        Ok(ObjectKey::new(format!("segments/0/{name}"))?)
    }
}

/// Reads an object whole; none if it is missing.
pub(crate) async fn read(storage: &dyn Storage, key: &ObjectKey) -> Result<Option<Bytes>, Failure> {
    match storage.get(key, ByteRange::ALL).await?.value {
        Some(object) => Ok(Some(object.read(MOST).await?)),
        None => Ok(None),
    }
}

/// So many bytes, or as many as this storage takes as one object.
pub(crate) fn at_most(storage: &dyn Storage, len: usize) -> usize {
    len.min(usize::try_from(storage.capabilities().max_object).unwrap_or(usize::MAX))
}

/// Puts these bytes.
pub(crate) async fn put(storage: &dyn Storage, key: &ObjectKey, bytes: impl Into<Bytes>) -> Result<(), Failure> {
    storage.put(key, Payload::from(bytes.into())).await?;
    Ok(())
}

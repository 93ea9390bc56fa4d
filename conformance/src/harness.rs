//! What an author tells the suite about an adapter.

use std::fmt;
#[cfg(feature = "network")]
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use longshore_core::{DomainName, Result, Runtime, Server, Storage};

use crate::case::Need;

/// A folder of this run for whatever an adapter needs on disk; removed at its end. Every process of a run has the same one.
#[derive(Clone, Debug)]
pub struct Scratch(Arc<Path>);

impl Scratch {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Where a server is to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// The folder of this run.
    pub scratch: Scratch,
    /// The store: `a-z`, `0-9` and `-`. One name is one store; a name that was never opened is an empty one.
    pub store: String,
    /// The domain in it.
    pub domain: DomainName,
    /// Time for leases and waits. A server that uses another clock says so by [`Harness::in_real_time`].
    pub runtime: Arc<dyn Runtime>,
}

/// How the suite kills the server behind an adapter, or a part of it, and starts it again.
///
/// Only `crash::of_the_server` and `crash::of_a_part_of_the_server` do, and no other case runs meanwhile. A harness is made in every process of a run, so what
/// starts the server first is better done outside. A server that a script kills and starts is [`Commands`](crate::Commands).
///
/// ```
/// use std::process::{Child, Command};
/// use std::sync::{Mutex, PoisonError};
///
/// use async_trait::async_trait;
/// use longshore_conformance::Killable;
/// use longshore_core::{Error, ErrorKind, Result};
///
/// /// A server that is one process. A real one is asked until it answers before `start` comes back.
/// struct Process(Mutex<Option<Child>>);
///
/// #[async_trait]
/// impl Killable for Process {
///     async fn kill(&self) -> Result<()> {
///         let failed = |error| Error::new(ErrorKind::Internal, "it cannot be killed").with_source(error);
///         if let Some(mut child) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
///             child.kill().and_then(|()| child.wait()).map_err(failed)?;
///         }
///         Ok(())
///     }
///
///     async fn start(&self) -> Result<()> {
///         let failed = |error| Error::new(ErrorKind::Missing, "it cannot be started").with_source(error);
///         let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         if child.is_none() {
///             *child = Some(Command::new("your-server").arg("--data=store").spawn().map_err(failed)?);
///         }
///         Ok(())
///     }
/// }
///
/// # use std::sync::Arc;
/// # let shared = longshore_core::MemoryStorage::new();
/// # let harness = longshore_conformance::Harness::storage("yours", move |_| {
/// #     let storage = shared.clone();
/// #     async move { Ok(Arc::new(storage) as Arc<dyn longshore_core::Storage>) }
/// # });
/// let harness = harness.killable(Process(Mutex::default()));
/// ```
#[async_trait]
pub trait Killable: Send + Sync + 'static {
    /// Kills it as a power cut would (`SIGKILL`): it flushes nothing and ends no call. Comes back when it is dead.
    async fn kill(&self) -> Result<()>;

    /// Starts it on what it had stored, and comes back when it answers again. Of a server that runs, it does nothing.
    async fn start(&self) -> Result<()>;
}

pub(crate) type OpenStorage = Arc<dyn Fn(Scratch) -> BoxFuture<'static, Result<Arc<dyn Storage>>> + Send + Sync>;
pub(crate) type OpenServer = Arc<dyn Fn(Site) -> BoxFuture<'static, Result<Arc<dyn Server>>> + Send + Sync>;

pub(crate) type RemoveStore = Arc<dyn Fn(Site) -> BoxFuture<'static, Result<()>> + Send + Sync>;

#[cfg(feature = "network")]
type OpenVia = Arc<dyn Fn(Scratch, SocketAddr) -> BoxFuture<'static, Result<Arc<dyn Storage>>> + Send + Sync>;

/// How clients reach the server through a proxy.
#[cfg(feature = "network")]
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) server: SocketAddr,
    pub(crate) open: OpenVia,
}

#[derive(Clone)]
pub(crate) enum Subject {
    Storage(OpenStorage),
    Server(OpenServer),
}

/// How many calls a store bears at once that says nothing else.
pub(crate) const PARALLELISM: usize = 32;

/// An adapter under test: how to open it, and what it bears.
///
/// An opener is called many times, also at once; each call gives an independent client of the same store, as another device
/// would have.
#[derive(Clone)]
#[must_use]
pub struct Harness {
    pub(crate) name: String,
    pub(crate) subject: Subject,
    pub(crate) missing_root: Option<OpenStorage>,
    pub(crate) wrong_credentials: Option<OpenStorage>,
    pub(crate) other_process: bool,
    pub(crate) real_time: bool,
    pub(crate) parallelism: usize,
    pub(crate) rate: Option<u32>,
    pub(crate) removing: Option<RemoveStore>,
    pub(crate) killable: Option<Arc<dyn Killable>>,
    pub(crate) killable_part: Option<Arc<dyn Killable>>,
    #[cfg(feature = "network")]
    pub(crate) network: Option<Network>,
    /// Why there is none.
    #[cfg(feature = "network")]
    pub(crate) no_network: Option<String>,
}

impl Harness {
    /// An adapter that implements `Storage`. Every case also runs on the `Server` that the core builds over it.
    pub fn storage<F, R>(name: impl Into<String>, open: F) -> Self
    where
        F: Fn(Scratch) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<dyn Storage>>> + Send + 'static,
    {
        Self::new(name.into(), Subject::Storage(storage_opener(open)))
    }

    /// An adapter that implements `Server` itself.
    pub fn server<F, R>(name: impl Into<String>, open: F) -> Self
    where
        F: Fn(Site) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<dyn Server>>> + Send + 'static,
    {
        Self::new(name.into(), Subject::Server(Arc::new(move |site| open(site).boxed())))
    }

    fn new(name: String, subject: Subject) -> Self {
        Self {
            name,
            subject,
            missing_root: None,
            wrong_credentials: None,
            other_process: true,
            real_time: false,
            parallelism: PARALLELISM,
            rate: None,
            removing: None,
            killable: None,
            killable_part: None,
            #[cfg(feature = "network")]
            network: None,
            #[cfg(feature = "network")]
            no_network: None,
        }
    }

    /// How to open a store whose root, bucket or collection is not there: that must be an error, never an empty store.
    pub fn missing_root<F, R>(mut self, open: F) -> Self
    where
        F: Fn(Scratch) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<dyn Storage>>> + Send + 'static,
    {
        self.missing_root = Some(storage_opener(open));
        self
    }

    /// How to open the store with credentials that the server does not know.
    pub fn wrong_credentials<F, R>(mut self, open: F) -> Self
    where
        F: Fn(Scratch) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<dyn Storage>>> + Send + 'static,
    {
        self.wrong_credentials = Some(storage_opener(open));
        self
    }

    /// The store lives in this process: no other process can open it, so none can be killed.
    pub fn in_this_process(mut self) -> Self {
        self.other_process = false;
        self
    }

    /// A [`server`](Self::server) uses a clock of its own. Cases that only let leases run out wait in earnest in full size, and are
    /// ignored in shorter runs; those whose clients wait for leases, in virtual time, are always ignored.
    ///
    /// Of a storage it changes nothing: leases run by the clock of the `Server` that the core builds over it, which is the suite's,
    /// whatever time the storage's replies carry.
    pub fn in_real_time(mut self) -> Self {
        self.real_time = matches!(self.subject, Subject::Server(_));
        self
    }

    /// How many calls the store bears at once; 32 by default.
    pub fn with_parallelism(mut self, calls: usize) -> Self {
        self.parallelism = calls.max(1);
        self
    }

    /// An independent client of the storage, as a case opens it; none if the adapter is a server. The folder is for whatever the
    /// adapter needs on disk.
    pub async fn open_storage(&self, scratch: impl Into<PathBuf>) -> Option<Result<Arc<dyn Storage>>> {
        let Subject::Storage(open) = &self.subject else { return None };
        Some(open(Scratch::new(scratch.into())).await)
    }

    /// How many calls a second the store bears, of all clients of a run together; as many as come by default.
    ///
    /// Calls come evenly, so of those that a case makes at once only few still meet, and what is paced so is shown less hard. Of a
    /// `Server` each call counts as one, whatever it sends. A case that kills processes paces each for itself; they take turns.
    /// Below 200 calls a second the deadlines of cases are longer in proportion.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use longshore_conformance::{Harness, Size, Suite};
    /// use longshore_core::{MemoryStorage, Storage};
    ///
    /// let shared = MemoryStorage::new();
    /// let harness = Harness::storage("a slow one", move |_| {
    ///     let storage = shared.clone();
    ///     async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
    /// });
    /// let harness = harness.in_this_process().with_parallelism(4).with_rate(500);
    /// let reports = Suite::new(harness).size(Size::Quick).only("storage::create::a_second_one").run()?;
    /// assert!(reports.iter().all(|report| !report.verdict.is_failed()));
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn with_rate(mut self, calls_per_second: u32) -> Self {
        self.rate = Some(calls_per_second.max(1));
        self
    }

    /// How a store of a [`server`](Self::server) is removed, with all its domains: called after each case for every store that the
    /// case opened, whether anything was initialised in it or not. Without it nothing is removed, and
    /// a run says at its end how many stores stay.
    ///
    /// What a storage holds the suite removes itself.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use longshore_conformance::{Harness, Site, Size, Suite};
    /// use longshore_core::{MemoryStorage, Server, StoredServer};
    ///
    /// let stores = Arc::new(Mutex::new(BTreeMap::<String, MemoryStorage>::new()));
    /// let (opening, removing) = (Arc::clone(&stores), Arc::clone(&stores));
    /// let harness = Harness::server("memory", move |site: Site| {
    ///     let store = opening.lock().unwrap().entry(site.store).or_default().clone();
    ///     async move {
    ///         let server = StoredServer::new(Arc::new(store), site.runtime, &site.domain)?;
    ///         Ok(Arc::new(server) as Arc<dyn Server>)
    ///     }
    /// });
    /// let harness = harness.in_this_process().removing(move |site: Site| {
    ///     removing.lock().unwrap().remove(&site.store);
    ///     async { Ok(()) }
    /// });
    /// let reports = Suite::new(harness).size(Size::Quick).only("server::log::entries_come_as_written").run()?;
    /// assert_eq!(reports[0].verdict.as_str(), "passed");
    /// assert!(stores.lock().unwrap().is_empty());
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub fn removing<F, R>(mut self, remove: F) -> Self
    where
        F: Fn(Site) -> R + Send + Sync + 'static,
        R: Future<Output = Result<()>> + Send + 'static,
    {
        self.removing = Some(Arc::new(move |site| remove(site).boxed()));
        self
    }

    /// How the server behind the adapter is killed and started again. Without it `crash::of_the_server` is ignored.
    pub fn killable(mut self, server: impl Killable) -> Self {
        self.killable = Some(Arc::new(server));
        self
    }

    /// How one of several parts of the server is killed and started again: a node, a disk with one of the copies, of which the
    /// others make up for it. Without it `crash::of_a_part_of_the_server` is ignored.
    ///
    /// [`Killable::start`] comes back when the part runs. It need not hold again what it missed.
    pub fn killable_part(mut self, part: impl Killable) -> Self {
        self.killable_part = Some(Arc::new(part));
        self
    }

    /// What a case with this need kills.
    pub(crate) fn killed_for(&self, need: Need) -> Option<Arc<dyn Killable>> {
        match need {
            Need::Killable => self.killable.clone(),
            Need::KillablePart => self.killable_part.clone(),
            _ => None,
        }
    }

    /// How to open a client whose requests go to another address than the server's own: there the suite listens, passes them on
    /// to `server`, and breaks connections as networks do. Without it the group `network` is ignored. Feature `network`.
    ///
    /// - The client speaks plain HTTP/1.1: within TLS, the suite could not tell where a request begins.
    /// - It opens the same store as the other clients of this harness.
    /// - Its idle timeout is **at most 3 s**, so that `network::stalled` can wait for it. Nothing else may be set otherwise than for
    ///   users, least of all retries.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use longshore_conformance::{Harness, Scratch};
    /// use longshore_core::{MemoryStorage, Result, Storage};
    ///
    /// # fn client(_: SocketAddr, _: Duration) -> Arc<dyn Storage> { Arc::new(MemoryStorage::new()) }
    /// async fn open(_: Scratch) -> Result<Arc<dyn Storage>> {
    ///     Ok(client(([127, 0, 0, 1], 9000).into(), Duration::from_secs(60)))
    /// }
    ///
    /// async fn open_via(_: Scratch, address: SocketAddr) -> Result<Arc<dyn Storage>> {
    ///     Ok(client(address, Duration::from_millis(500)))
    /// }
    ///
    /// let harness = Harness::storage("yours", open).over_network(([127, 0, 0, 1], 9000).into(), open_via);
    /// assert_eq!(harness.name(), "yours");
    /// ```
    #[cfg(feature = "network")]
    pub fn over_network<F, R>(mut self, server: SocketAddr, open: F) -> Self
    where
        F: Fn(Scratch, SocketAddr) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Arc<dyn Storage>>> + Send + 'static,
    {
        let open: OpenVia = Arc::new(move |scratch, address| open(scratch, address).boxed());
        self.network = Some(Network { server, open });
        self
    }

    /// Why no client of this harness reaches its server through a proxy: the reason with which the group `network` is ignored.
    /// Feature `network`.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use longshore_conformance::{Group, Harness, Size, Suite, Verdict};
    /// use longshore_core::{MemoryStorage, Storage};
    ///
    /// let open = |_| async { Ok(Arc::new(MemoryStorage::new()) as Arc<dyn Storage>) };
    /// let harness = Harness::storage("yours", open).not_over_network("its connections are within TLS");
    /// let reports = Suite::new(harness).size(Size::Quick).only("network::held").run()?;
    /// assert!(reports.iter().all(|report| report.case.group() == Group::Network));
    /// assert_eq!(reports[0].verdict, Verdict::Ignored("its connections are within TLS".to_owned()));
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    #[cfg(feature = "network")]
    pub fn not_over_network(mut self, why: impl Into<String>) -> Self {
        self.no_network = Some(why.into());
        self
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn storage_opener<F, R>(open: F) -> OpenStorage
where
    F: Fn(Scratch) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Arc<dyn Storage>>> + Send + 'static,
{
    Arc::new(move |scratch| open(scratch).boxed())
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("name", &self.name).finish_non_exhaustive()
    }
}

//! What an author tells the suite about an adapter.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use longshore_core::{DomainName, Result, Runtime, Server, Storage};

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

pub(crate) type OpenStorage = Arc<dyn Fn(Scratch) -> BoxFuture<'static, Result<Arc<dyn Storage>>> + Send + Sync>;
pub(crate) type OpenServer = Arc<dyn Fn(Site) -> BoxFuture<'static, Result<Arc<dyn Server>>> + Send + Sync>;

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
        let (missing_root, wrong_credentials) = (None, None);
        let parallelism = PARALLELISM;
        Self { name, subject, missing_root, wrong_credentials, other_process: true, real_time: false, parallelism }
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

    /// The server uses a clock of its own: cases that let leases expire wait in earnest, or are ignored in short runs.
    pub fn in_real_time(mut self) -> Self {
        self.real_time = true;
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

//! An attached folder: its configuration, its replica, its lock, and the way to its store.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{
    Bodies, Client, ClientBuilder, DomainName, Error, OpenMode, Replica, Server, SqliteReplica, Storage, StoredServer,
    Synchronous, TokioRuntime,
};

use crate::address;
use crate::config::{Config, cannot};
use crate::dying::{DieAt, DyingStorage};
use crate::exit::{Exit, Failure, Result};
use crate::last_failure;

/// The replica's database in the state folder.
const DATABASE: &str = "replica.db";
/// One sync of a folder at a time.
const LOCK: &str = "sync.lock";
/// Names the folder that a state of its own belongs to.
const OWNER: &str = "folder";

/// An attached folder.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    pub(crate) replica: SqliteReplica,
}

impl Attached {
    /// Opens the attached folder that this path is, or lies in.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let folder = Config::find(path)?;
        let config = Config::load(&folder)?;
        // `init` lets none in, but the file can be edited, and the address stands in what is printed and remembered.
        address::refuse_password(&config.url)?;
        let state = config.state_folder(&folder);
        check_owner(&folder, &config, &state)?;
        let database = state.join(DATABASE);
        if !database.exists() {
            let what = "is missing; bring it back, or run `longshore detach --force`, then `longshore init` again";
            return Err(Failure::new(Exit::Damaged, database.display(), what));
        }
        let replica = open_replica(&database).await?;
        Ok(Self { folder, config, replica })
    }

    /// Where the replica and the lock are.
    pub(crate) fn state(&self) -> PathBuf {
        self.config.state_folder(&self.folder)
    }

    /// Locks the folder against other syncs of it, until the file is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.state().join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| cannot("lock", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let what = "is being synced by another process; wait until that is done";
                Err(Failure::new(Exit::Busy, self.folder.display(), what))
            }
            Err(TryLockError::Error(error)) => Err(cannot("lock", &path, &error)),
        }
    }

    /// The folder's store.
    pub(crate) fn server(&self, die_at: Option<DieAt>) -> Result<Arc<StoredServer>> {
        address::refuse_nesting(&self.folder, &self.config.url)?;
        let storage = longshore::open_storage(&self.config.url)?;
        Ok(server(DyingStorage::around(storage, die_at))?)
    }

    /// A client of the folder's store, which never creates one.
    pub(crate) fn client(server: Arc<StoredServer>, replica: Arc<dyn Replica>) -> ClientBuilder {
        Client::builder(server, replica).mode(OpenMode::Join)
    }

    /// Before the first sync the engine knows no store yet: it has to be the one that the folder was attached to.
    pub(crate) async fn check_store(&self, server: &Arc<StoredServer>) -> Result<()> {
        let client = Self::client(Arc::clone(server), Arc::new(self.replica.clone())).build();
        if client.status().await?.store.is_some() {
            return Ok(());
        }
        self.check_identity(server).await
    }

    /// The store has to be the one that the folder was attached to. For reads that do not go through the engine.
    pub(crate) async fn check_identity(&self, server: &StoredServer) -> Result<()> {
        match server.store().await?.value {
            Some(found) if found.id == self.config.store => Ok(()),
            _ => {
                let what = "the store is not the one that this folder was attached to; check the address, or run \
                            `longshore detach --force`, then `longshore init` again; nothing was changed";
                Err(Failure::new(Exit::Replaced, &self.config.url, what))
            }
        }
    }
}

/// The server on a storage.
pub(crate) fn server(storage: Arc<dyn Storage>) -> Result<Arc<StoredServer>, Error> {
    Ok(Arc::new(StoredServer::new(storage, Arc::new(TokioRuntime), &DomainName::default())?))
}

/// Makes the state of a newly attached folder.
pub(crate) async fn make_state(folder: &Path, config: &Config) -> Result<()> {
    let state = config.state_folder(folder);
    fs::create_dir_all(&state).map_err(|error| cannot("make", &state, &error))?;
    if config.state.is_some() {
        let owner = state.join(OWNER);
        fs::write(&owner, folder.to_string_lossy().as_bytes()).map_err(|error| cannot("write", &owner, &error))?;
    }
    open_replica(&state.join(DATABASE)).await.map(drop)
}

/// Removes the state of a folder that is detached.
pub(crate) fn remove_state(folder: &Path, config: &Config) -> Result<()> {
    let state = config.state_folder(folder);
    let names = [DATABASE, "replica.db-wal", "replica.db-shm", "replica.db.lock", LOCK, OWNER, last_failure::FILE];
    for path in names.iter().map(|name| state.join(name)).filter(|path| path.exists()) {
        fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error))?;
    }
    Ok(())
}

/// Whether a state folder has a replica in it already.
pub(crate) fn has_state(state: &Path) -> bool {
    state.join(DATABASE).exists()
}

async fn open_replica(database: &Path) -> Result<SqliteReplica> {
    // After a loss of power an older state meets its own entries in the log again, which the engine settles.
    let builder = SqliteReplica::builder(database).bodies(Bodies::WhilePending).synchronous(Synchronous::Full);
    Ok(builder.open().await?)
}

/// A copied folder must not use the original's state: it would take the original's files for its own.
fn check_owner(folder: &Path, config: &Config, state: &Path) -> Result<()> {
    if config.state.is_none() {
        return Ok(());
    }
    let owner = state.join(OWNER);
    let recorded = fs::read(&owner).map_err(|error| cannot("read", &owner, &error))?;
    if recorded == folder.to_string_lossy().as_bytes() {
        return Ok(());
    }
    let what = format!(
        "its state in {} belongs to another folder, {}; run `longshore detach --force` here, then `longshore init` again",
        state.display(),
        String::from_utf8_lossy(&recorded)
    );
    Err(Failure::new(Exit::Failure, folder.display(), what))
}

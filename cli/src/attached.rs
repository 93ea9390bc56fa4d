//! An attached folder: its configuration, its replica, its lock, and the way to its store.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{
    Bodies, Client, ClientBuilder, DomainName, Error, OpenMode, Replica, Server, SqliteReplica, Storage, StoredServer,
    Synchronous, TokioRuntime,
};

use crate::address;
use crate::config::{Config, cannot, write_whole};
use crate::dying::{DieAt, DyingStorage};
use crate::exit::{Exit, Failure, Result};
use crate::hint;
use crate::last_failure;

/// The replica's database in the state folder.
pub(crate) const DATABASE: &str = "replica.db";
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
            let what = format!("is missing; bring it back, or {}", hint::anew_by_force(&folder, &config.url));
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
        let lock = lock_state(&self.state(), &self.folder)?;
        if has_state(&self.state()) {
            return Ok(lock);
        }
        Err(Failure::new(Exit::Failure, self.folder.display(), "was detached meanwhile; nothing was done"))
    }

    /// The folder's store.
    pub(crate) fn server(&self, die_at: Option<DieAt>) -> Result<Arc<StoredServer>> {
        address::refuse_nesting(&self.folder, &self.config.url)?;
        let storage = longshore::open_storage(&self.config.url).map_err(|error| self.failure(&error))?;
        Ok(server(DyingStorage::around(storage, die_at))?)
    }

    /// A failure of the engine, in the words of a user of this folder.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        let again = hint::anew(&self.folder, &self.config.url);
        Failure::of_store(error, &self.config.url, |text| {
            let text = text.replace("Detach this replica and join anew", &format!("To start anew, {again}"));
            text.replace("detach this replica and join anew", &again).replace("this replica", "this folder")
        })
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
        match server.store().await.map_err(|error| self.failure(&error))?.value {
            Some(found) if found.id == self.config.store => Ok(()),
            _ => {
                let again = hint::anew_by_force(&self.folder, &self.config.url);
                let what = format!(
                    "the store is not the one that this folder was attached to; nothing was changed; check the address, or \
                     {again}"
                );
                Err(Failure::new(Exit::Replaced, &self.config.url, what))
            }
        }
    }
}

/// The server on a storage.
pub(crate) fn server(storage: Arc<dyn Storage>) -> Result<Arc<StoredServer>, Error> {
    Ok(Arc::new(StoredServer::new(storage, Arc::new(TokioRuntime), &DomainName::default())?))
}

/// Locks a state, until the file is dropped.
pub(crate) fn lock_state(state: &Path, folder: &Path) -> Result<File> {
    let path = state.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| cannot("lock", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = "is being synced by another process; wait until that is done";
            Err(Failure::new(Exit::Busy, folder.display(), what))
        }
        Err(TryLockError::Error(error)) => Err(cannot("lock", &path, &error)),
    }
}

/// Makes the state of a newly attached folder.
pub(crate) async fn make_state(folder: &Path, config: &Config) -> Result<()> {
    let state = config.state_folder(folder);
    fs::create_dir_all(&state).map_err(|error| cannot("make", &state, &error))?;
    if config.state.is_some() {
        own(folder, &state)?;
    }
    open_replica(&state.join(DATABASE)).await.map(drop)
}

/// Writes down whose state this is.
fn own(folder: &Path, state: &Path) -> Result<()> {
    let owner = state.join(OWNER);
    write_whole(&owner, folder.to_string_lossy().as_bytes()).map_err(|error| cannot("write", &owner, &error))
}

/// The folder takes the state that it had under another path. Says which.
pub(crate) fn follow(folder: &Path, config: &Config) -> Result<PathBuf> {
    let refuse = |what: &str| Err(Failure::new(Exit::Usage, folder.display(), what));
    let Some(state) = &config.state else {
        return refuse("has its state with it, so it may move freely; leave out --moved, and just sync");
    };
    let _lock = lock_state(state, folder)?;
    let owner = read_owner(state)?;
    if is_same(&owner, folder) {
        return refuse("is where its state says; just sync");
    }
    if Config::exists(&owner) {
        let what = format!("is a copy of {}, which is still there; {}", owner.display(), copy_hint(folder, config));
        return refuse(&what);
    }
    own(folder, state)?;
    Ok(owner)
}

/// Removes the state of a folder that is detached.
pub(crate) fn remove_state(state: &Path) -> Result<()> {
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

/// Where the state of this folder is, if it is its own: a copy's belongs to the original.
pub(crate) fn own_state(folder: &Path, config: &Config) -> Option<PathBuf> {
    let state = config.state_folder(folder);
    let owned = config.state.is_none() || read_owner(&state).is_ok_and(|owner| is_same(&owner, folder));
    owned.then_some(state)
}

fn read_owner(state: &Path) -> Result<PathBuf> {
    let owner = state.join(OWNER);
    let recorded = fs::read(&owner).map_err(|error| cannot("read", &owner, &error))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&recorded).into_owned()))
}

/// A path is written down as text.
fn is_same(owner: &Path, folder: &Path) -> bool {
    owner.to_string_lossy() == folder.to_string_lossy()
}

/// A copied folder must not use the original's state: it would take the original's files for its own.
///
/// Whether a folder whose original is gone was moved or is an old copy, only its user knows.
fn check_owner(folder: &Path, config: &Config, state: &Path) -> Result<()> {
    if config.state.is_none() {
        return Ok(());
    }
    let owner = read_owner(state)?;
    if is_same(&owner, folder) {
        return Ok(());
    }
    let (state, old, copy) = (state.display(), owner.display(), copy_hint(folder, config));
    let what = if Config::exists(&owner) {
        format!("its state in {state} belongs to another folder, {old}, of which it is a copy; {copy}")
    } else {
        let (new, url) = (hint::path(folder), hint::quoted(&config.url));
        format!(
            "its state in {state} belongs to another folder, {old}, which is not there; if it is that folder, moved here, run \
             `longshore init --moved {new} {url}`; if it is a copy, {copy}"
        )
    };
    Err(Failure::new(Exit::Failure, folder.display(), what))
}

fn copy_hint(folder: &Path, config: &Config) -> String {
    let again = hint::anew_by_force(folder, &config.url);
    format!("{} --state DIR`, with a new DIR; no file is lost by that", again.trim_end_matches('`'))
}

//! The connections: one that writes, one for the app's reads and one for the engine's, so that neither waits for the other.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_core::Result;
use rusqlite::{Connection, TransactionBehavior};

use crate::blocking;
use crate::builder::Bodies;
use crate::errors::Result as Inner;
use crate::writer::Writer;

pub(crate) struct Database {
    pub(crate) path: PathBuf,
    pub(crate) bodies: Bodies,
    pub(crate) claimed: AtomicBool,
    writer: Mutex<Connection>,
    app: Mutex<Connection>,
    engine: Mutex<Connection>,
}

/// Who reads.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    App,
    Engine,
}

impl Database {
    pub(crate) fn new(path: PathBuf, bodies: Bodies, writer: Connection, app: Connection, engine: Connection) -> Self {
        let (writer, app, engine) = (Mutex::new(writer), Mutex::new(app), Mutex::new(engine));
        Self { path, bodies, claimed: AtomicBool::new(false), writer, app, engine }
    }

    /// Runs the job in one transaction, which stays only if the job succeeds and `keep` agrees.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        keep: fn(&T) -> bool,
        job: impl FnOnce(&mut Writer<'_>) -> Inner<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(self);
        let work = move || database.transact(keep, job).map_err(|fault| fault.at(operation, &database.path));
        blocking::run(work).await
    }

    fn transact<T>(&self, keep: fn(&T) -> bool, job: impl FnOnce(&mut Writer<'_>) -> Inner<T>) -> Inner<T> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = Writer::new(&transaction, self.bodies)?;
        let done = job(&mut writer)?;
        if keep(&done) {
            writer.finish()?;
            transaction.commit()?;
        }
        Ok(done)
    }

    /// Runs the job on one unchanging view of the database. It waits for no writer.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        reader: Reader,
        operation: &'static str,
        job: impl FnOnce(&Connection) -> Inner<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(self);
        let work = move || database.view(reader, job).map_err(|fault| fault.at(operation, &database.path));
        blocking::run(work).await
    }

    fn view<T>(&self, reader: Reader, job: impl FnOnce(&Connection) -> Inner<T>) -> Inner<T> {
        let connection = match reader {
            Reader::App => lock(&self.app),
            Reader::Engine => lock(&self.engine),
        };
        let view = connection.unchecked_transaction()?;
        job(&view)
    }

    /// The side file whose lock says that somebody syncs. It stays: to remove it would let two hold "it".
    pub(crate) fn lock_path(&self) -> PathBuf {
        beside(&self.path, ".lock")
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic in between rolled its transaction back.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

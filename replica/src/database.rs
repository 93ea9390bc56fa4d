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
    app: Mutex<Connection>,
    engine: Mutex<Connection>,
    // Last, since the last to close moves the write-ahead log into the database, which a reader cannot.
    writer: Mutex<Connection>,
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
        Self { path, bodies, claimed: AtomicBool::new(false), app, engine, writer }
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

    /// Runs the job on the connection that writes, in no transaction.
    pub(crate) async fn maintain<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        job: impl FnOnce(&Connection) -> Inner<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(self);
        let work = move || job(&lock(&database.writer)).map_err(|fault| fault.at(operation, &database.path));
        blocking::run(work).await
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

#[cfg(test)]
mod tests {
    //! A full disk, played by a limit on the pages of the database.

    use longshore_core::{
        Applied, Attempt, AttemptNumber, Batch, Change, Document, ErrorKind, Hash, Outcome, Replica, RowNumber, RowSet,
        Sequence, Step,
    };

    use crate::SqliteReplica;

    fn document(name: &str) -> Document {
        Document::new(name, vec![7; 100_000]).unwrap()
    }

    async fn limit(replica: &SqliteReplica, spare: i64) {
        let set = move |writer: &mut super::Writer<'_>| {
            let pages: i64 = writer.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            writer.connection.pragma_update_and_check(None, "max_page_count", pages + spare, |_| Ok(()))?;
            Ok(())
        };
        replica.database.write("limit", |()| true, set).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_leaves_nothing_half_done() {
        let folder = tempfile::tempdir().unwrap();
        let replica = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
        replica.put(document("a")).await.unwrap();
        limit(&replica, 20).await;

        let changes = vec![Change::put(document("b")), Change::put(document("c")), Change::delete(document("a").id)];
        let error = replica.write(changes.clone()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Full, Outcome::NotApplied));
        assert_eq!((error.operation(), error.message()), (Some("write"), "no room is left for the database"));
        assert_eq!(replica.list(None, 9).await.unwrap(), [document("a").id]);
        assert_eq!(replica.outbox(&[]).await.unwrap().last_row.map(RowNumber::get), Some(1));

        limit(&replica, 1_000_000).await;
        replica.write(changes).await.unwrap();
        assert_eq!(replica.len().await.unwrap(), 2);
    }

    fn batch(rows: RowSet) -> Batch {
        let bytes = vec![1; 10].into();
        let hash = Hash::of(&[1; 10]);
        let attempt = Attempt { number: AttemptNumber::FIRST, sequence: Sequence::FIRST, hash, bytes, rows };
        let store = |name| Step::Store { change: Change::put(document(name)), sequence: Sequence::FIRST };
        Batch { seen: None, steps: vec![Step::Journal(attempt), Step::Commit, store("b"), store("c")] }
    }

    #[tokio::test]
    async fn a_batch_that_finds_no_room_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let replica = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
        replica.put(document("a")).await.unwrap();
        limit(&replica, 20).await;

        let rows: RowSet = [RowNumber::FIRST].into_iter().collect();
        let error = replica.apply(batch(rows.clone())).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Full, Some("apply")));
        assert_eq!(replica.pending_count().await.unwrap(), 1);
        assert!(!replica.committed(&Hash::of(&[1; 10])).await.unwrap());

        limit(&replica, 1_000_000).await;
        // The row is seen, and `b` and `c` have none.
        assert_eq!(replica.apply(batch(rows)).await.unwrap(), Applied::Done);
        assert_eq!((replica.pending_count().await.unwrap(), replica.len().await.unwrap()), (0, 3));
    }
}

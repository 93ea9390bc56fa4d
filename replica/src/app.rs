//! What the app calls: write, read, list.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use longshore_core::{Base, Change, Document, DocumentId, Error, ErrorKind, Hash, Result, Revision};
use rusqlite::{Connection, Row};

use crate::builder::Builder;
use crate::database::{Database, Reader};
use crate::digests;
use crate::errors::{Fault, Result as Inner, damaged};
use crate::record::{Record, exists};
use crate::room;
use crate::values;
use crate::writer::Writer;

const INFO: &str = "
    SELECT id, revision, base, base_revision, digest, length, row IS NOT NULL, note
    FROM document WHERE id = ?1 AND digest IS NOT NULL";

const INFOS: &str = "
    SELECT id, revision, base, base_revision, digest, length, row IS NOT NULL, note
    FROM document WHERE id > ?1 AND digest IS NOT NULL ORDER BY id LIMIT ?2";

/// A device's documents and outbox in one SQLite database. Its clones share their connections.
///
/// Every call runs on tokio's threads for blocking work, and needs a tokio runtime. A write whose future is dropped may
/// still happen, but never in part. Reads wait for no write and no sync.
///
/// ```
/// use longshore_core::{Document, DocumentId, Replica};
/// use longshore_replica::SqliteReplica;
///
/// # let folder = tempfile::tempdir().map_err(|_| longshore_core::Error::new(longshore_core::ErrorKind::Full, "no folder"))?;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let replica = SqliteReplica::open(folder.path().join("app.db")).await?;
/// replica.put(Document::new("notes/today", "buy milk")?).await?;
///
/// let id = DocumentId::new("notes/today")?;
/// assert_eq!(replica.get(&id).await?.map(|document| document.body), Some("buy milk".into()));
/// assert_eq!(replica.pending_count().await?, 1);
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SqliteReplica {
    pub(crate) database: Arc<Database>,
}

/// What a replica knows of a document without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentInfo {
    /// Its name.
    pub id: DocumentId,
    /// The app's own hint about its version.
    pub revision: Option<Revision>,
    /// The committed entry that it is from, or that its pending edit started from; none for a new document.
    pub base: Option<Base>,
    /// BLAKE3 of its body.
    pub digest: Hash,
    /// The bytes of its body.
    pub len: u64,
    /// Whether a change of it is pending.
    pub pending: bool,
    /// The app's own note beside it.
    pub note: Option<Bytes>,
}

impl SqliteReplica {
    pub(crate) fn new(database: Database) -> Self {
        Self { database: Arc::new(database) }
    }

    /// Opens the database of this path with the default options, and creates it where there is none. See
    /// [`Builder::open`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::builder(path).open().await
    }

    /// Options for opening the database of this path.
    pub fn builder(path: impl Into<PathBuf>) -> Builder {
        Builder::new(path.into())
    }

    /// Stores a document.
    pub async fn put(&self, document: Document) -> Result<()> {
        self.write(vec![Change::put(document)]).await
    }

    /// Removes a document; nothing if it is absent.
    pub async fn delete(&self, id: DocumentId) -> Result<()> {
        self.write(vec![Change::delete(id)]).await
    }

    /// Makes all these changes, in this order, or none: one transaction, however many. Their bases do not matter; deleting an
    /// absent document is nothing.
    pub async fn write(&self, changes: Vec<Change>) -> Result<()> {
        self.write_with_notes(changes.into_iter().map(|change| (change, None)).collect()).await
    }

    /// As [`write`](Self::write), and sets the note beside each document that has one here.
    ///
    /// A note is the app's own: it is never synced, and longshore never reads it. It stays with its document until that is
    /// deleted and the deletion is committed. An app whose documents are files notes what it saw of each file.
    ///
    /// ```
    /// use longshore_core::{Change, Document, DocumentId};
    /// use longshore_replica::SqliteReplica;
    ///
    /// # let folder = tempfile::tempdir().map_err(|_| longshore_core::Error::new(longshore_core::ErrorKind::Full, "no folder"))?;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let replica = SqliteReplica::open(folder.path().join("app.db")).await?;
    /// let change = Change::put(Document::new("a.txt", "text")?);
    /// replica.write_with_notes(vec![(change, Some("mtime 7".into()))]).await?;
    ///
    /// let info = replica.info(&DocumentId::new("a.txt")?).await?.expect("it was written");
    /// assert_eq!((info.len, info.note), (4, Some("mtime 7".into())));
    /// # Ok::<(), longshore_core::Error>(())
    /// # })?;
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub async fn write_with_notes(&self, changes: Vec<(Change, Option<Bytes>)>) -> Result<()> {
        changes.iter().try_for_each(|(change, _)| digests::check(change))?;
        self.database.write("write", |()| true, move |writer| write(writer, &changes)).await
    }

    /// Sets the notes beside these documents, in one transaction; nothing for a document that is not here.
    pub async fn set_notes(&self, notes: Vec<(DocumentId, Bytes)>) -> Result<()> {
        let set = move |writer: &mut Writer<'_>| notes.iter().try_for_each(|(id, note)| writer.set_note(id, note));
        self.database.write("set_notes", |()| true, set).await
    }

    /// The document of this id. `Unsupported` if it exists but its body is not kept ([`Bodies::WhilePending`]).
    ///
    /// [`Bodies::WhilePending`]: crate::Bodies::WhilePending
    pub async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        let id = id.clone();
        self.read("get", move |connection| {
            let Some(record) = Record::load(connection, &id)? else { return Ok(None) };
            let not_kept = || not_kept(&id);
            record.local.document(connection, id.clone(), not_kept)
        })
        .await
    }

    /// What is known of a document without its bytes.
    pub async fn info(&self, id: &DocumentId) -> Result<Option<DocumentInfo>> {
        let id = id.clone();
        self.read("info", move |connection| {
            let mut statement = connection.prepare_cached(INFO)?;
            let mut rows = statement.query([id.as_str()])?;
            rows.next()?.map(DocumentInfo::from_row).transpose()
        })
        .await
    }

    /// The documents without their bytes, in the order of their ids: at most `limit` of them, those after `after`.
    pub async fn infos(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentInfo>> {
        let (after, limit) = page(after, limit);
        self.read("infos", move |connection| {
            let mut statement = connection.prepare_cached(INFOS)?;
            collect(statement.query((after, limit))?, DocumentInfo::from_row)
        })
        .await
    }

    /// The ids of documents in their order, at most `limit` of them, those after `after`.
    pub async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>> {
        const SQL: &str = "SELECT id FROM document WHERE id > ?1 AND digest IS NOT NULL ORDER BY id LIMIT ?2";
        let (after, limit) = page(after, limit);
        self.read("list", move |connection| {
            let mut statement = connection.prepare_cached(SQL)?;
            collect(statement.query((after, limit))?, |row| values::id(row, 0))
        })
        .await
    }

    /// How many documents there are.
    pub async fn len(&self) -> Result<u64> {
        const SQL: &str = "SELECT count(*) FROM document WHERE digest IS NOT NULL";
        self.read("len", |connection| count(connection, SQL)).await
    }

    /// Whether there are no documents.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.list(None, 1).await?.is_empty())
    }

    /// Gives room in the database that nothing uses any more back to the disk, if it is worth it, and says how many bytes.
    ///
    /// SQLite keeps the room of what was removed for what comes later. After a large push with
    /// [`Bodies::WhilePending`](crate::Bodies::WhilePending) that is as much as all the bodies. It is given back if it is at
    /// least `least` bytes **and** at least half of the database: what is kept is written anew, so no more is ever written
    /// than is won. Otherwise nothing is done, and the answer is 0.
    ///
    /// - **Best called** when nothing is pending: what is, will soon leave more.
    /// - **Meanwhile** writes wait, and reads do not. What is kept needs its room once more on the disk.
    /// - **An error leaves** every document as it was; call it again at any time.
    /// - **Errors**: `Locked` if another process writes for ten seconds, `Full` without room for the copy, `Denied` where the
    ///   database cannot be written, `Unavailable` if the disk fails, `Corrupt` if the database is damaged.
    ///
    /// ```
    /// use longshore_core::Document;
    /// use longshore_replica::SqliteReplica;
    ///
    /// # let folder = tempfile::tempdir().map_err(|_| longshore_core::Error::new(longshore_core::ErrorKind::Full, "no folder"))?;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let replica = SqliteReplica::open(folder.path().join("app.db")).await?;
    /// replica.put(Document::new("film", vec![0; 1 << 20])?).await?;
    /// replica.put(Document::new("film", "cut")?).await?;
    ///
    /// assert_eq!(replica.reclaim(1 << 30).await?, 0);
    /// assert!(replica.reclaim(64 << 10).await? >= 1 << 20);
    /// assert_eq!(replica.reclaim(64 << 10).await?, 0);
    /// # Ok::<(), longshore_core::Error>(())
    /// # })?;
    /// # Ok::<(), longshore_core::Error>(())
    /// ```
    pub async fn reclaim(&self, least: u64) -> Result<u64> {
        self.database.maintain("reclaim", move |connection| room::reclaim(connection, least)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&Connection) -> Inner<T> + Send + 'static,
    ) -> Result<T> {
        self.database.read(Reader::App, operation, job).await
    }
}

impl fmt::Debug for SqliteReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteReplica")
            .field("path", &self.database.path)
            .field("bodies", &self.database.bodies)
            .finish_non_exhaustive()
    }
}

impl DocumentInfo {
    fn from_row(row: &Row<'_>) -> Inner<Self> {
        Ok(Self {
            id: values::id(row, 0)?,
            revision: values::revision(row, 1)?,
            base: values::base(row, 2)?,
            digest: values::hash(row, 4)?.ok_or_else(damaged)?,
            len: values::length(row, 5)?,
            pending: row.get(6)?,
            note: row.get::<_, Option<Vec<u8>>>(7)?.map(Bytes::from),
        })
    }
}

fn write(writer: &mut Writer<'_>, changes: &[(Change, Option<Bytes>)]) -> Inner<()> {
    digests::each(
        changes,
        |(change, _)| change,
        |(change, note), digest| {
            if change.action.is_delete() && !exists(writer.connection, &change.id)? {
                return Ok(());
            }
            writer.write(change, digest, note.as_ref()).map(drop)
        },
    )
}

/// The bounds of a page as parameters: ids are not empty, so all come after the empty text.
fn page(after: Option<&DocumentId>, limit: usize) -> (String, i64) {
    let after = after.map_or_else(String::new, |id| id.as_str().to_owned());
    (after, i64::try_from(limit).unwrap_or(i64::MAX))
}

fn collect<T>(mut rows: rusqlite::Rows<'_>, from_row: impl Fn(&Row<'_>) -> Inner<T>) -> Inner<Vec<T>> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_row(row)?);
    }
    Ok(found)
}

pub(crate) fn count(connection: &Connection, sql: &str) -> Inner<u64> {
    let count: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    u64::try_from(count).map_err(|_| damaged())
}

fn not_kept(id: &DocumentId) -> Fault {
    Error::new(ErrorKind::Unsupported, "this replica keeps bodies only while they are pending").with_key(id).into()
}

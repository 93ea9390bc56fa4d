//! The replica whose documents are files: SQLite underneath, and a folder that follows every batch.
//!
//! Files come first, the database after: a crash between leaves files that are newer than their records. The next scan queues
//! them as changes, whose bytes equal those in the log, and the engine settles them as equal. The other order would leave
//! records of files that were never written, and the next scan would take them for deleted. (I13)
//!
//! A file that changed since the scan is not overwritten: its change is queued, and the batch is stale, so that the engine
//! decides anew and finds a conflict. (I12)

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::IntoIter;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::try_join;
use longshore::{
    Answer, Applied, Batch, Change, Claim, Conflict, DocumentId, Error, ErrorKind, Hash, Loaded, Outbox, PendingChange,
    Replica, Result, Revision, RowNumber, Runtime as _, SqliteReplica, Step, Synced, TokioRuntime, Version,
};

use crate::book::Book;
use crate::changes::{self, Candidate, Changed, Changes, Page};
use crate::folder::examine::Local;
use crate::folder::seen::{Hint, Record, Seen};
use crate::folder::write::{Task, Wanted, Written};
use crate::folder::{Folder, Skipped};
use crate::guard::Guard;
use crate::platform;

/// A folder of files as a replica.
#[derive(Debug)]
pub(crate) struct FolderReplica {
    inner: SqliteReplica,
    folder: Arc<Folder>,
    book: Mutex<Book>,
    guard: Mutex<Guard>,
    tally: Mutex<Tally>,
    /// For tests: a command line to run once before the first file is written back.
    before_write: Mutex<Option<String>>,
}

/// What a sync did to the folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Files written.
    pub(crate) written: u64,
    /// Files removed.
    pub(crate) removed: u64,
    /// Changes that the scan had not seen and the write back found.
    pub(crate) unseen: u64,
    /// The documents whose removal the guard refused.
    pub(crate) refused: Vec<DocumentId>,
    /// Documents that could not be written here in this sync.
    pub(crate) skipped: Vec<Skipped>,
}

/// Now on the wall clock, in seconds.
pub(crate) fn wall_seconds() -> i64 {
    i64::try_from(TokioRuntime.wall() / 1000).unwrap_or(i64::MAX)
}

/// Runs blocking code where it blocks nothing else.
pub(crate) async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(job)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "a thread ended early").with_source(error))
}

impl FolderReplica {
    pub(crate) fn new(inner: SqliteReplica, folder: Arc<Folder>, book: Book, allow_mass_delete: bool) -> Self {
        let guard = Mutex::new(Guard::new(&book, allow_mass_delete));
        let (tally, before_write) = (Mutex::default(), Mutex::default());
        Self { inner, folder, book: Mutex::new(book), guard, tally, before_write }
    }

    /// For tests: see [`before_write`](Self::before_write).
    pub(crate) fn run_before_write(&self, line: Option<String>) {
        *lock(&self.before_write) = line;
    }

    pub(crate) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    pub(crate) fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Queues what changed in the folder, a page at a time, while the next page is read. Says what was left out.
    pub(crate) async fn queue_changes(self: &Arc<Self>, changes: Changes) -> Result<Vec<Skipped>> {
        let mut skipped = changes.skipped;
        self.queue_all(Vec::new(), changes.deleted).await?;
        let (mut page, mut left) = self.read_page(changes.candidates.into_iter()).await?;
        loop {
            skipped.append(&mut page.skipped);
            if page.is_empty() && left.len() == 0 {
                return Ok(skipped);
            }
            ((), (page, left)) = try_join(self.queue_page(page), self.read_page(left)).await?;
        }
    }

    async fn queue_page(&self, page: Page) -> Result<()> {
        self.queue_all(page.changed, Vec::new()).await?;
        self.note(page.touched.into_iter().map(|(id, stamp)| (id, Seen::OnDisk(stamp))).collect()).await
    }

    async fn read_page(self: &Arc<Self>, mut left: IntoIter<Candidate>) -> Result<(Page, IntoIter<Candidate>)> {
        let this = Arc::clone(self);
        blocking(move || (changes::read_page(&this.folder, &mut left, wall_seconds()), left)).await
    }

    /// Queues these changes with their notes, in one transaction.
    async fn queue_all(&self, changed: Vec<Changed>, deleted: Vec<DocumentId>) -> Result<()> {
        if changed.is_empty() && deleted.is_empty() {
            return Ok(());
        }
        let puts = changed.iter().map(|changed| {
            let (document, note) = changed.document()?;
            Ok((Change::put(document), Some(note)))
        });
        let removals = deleted.iter().map(|id| Ok((Change::delete(id.clone()), None)));
        self.inner.write_with_notes(puts.chain(removals).collect::<Result<_>>()?).await?;
        let mut book = self.book();
        book.0.extend(changed.into_iter().map(|changed| (changed.id, changed.record)));
        for id in &deleted {
            book.0.remove(id);
        }
        Ok(())
    }

    /// Records where files are.
    pub(crate) async fn note(&self, seen: Vec<(DocumentId, Seen)>) -> Result<()> {
        if seen.is_empty() {
            return Ok(());
        }
        self.inner.set_notes(seen.iter().map(|(id, seen)| (id.clone(), seen.encode())).collect()).await?;
        let mut book = self.book();
        for (id, seen) in seen {
            if let Some(record) = book.0.get_mut(&id) {
                record.seen = seen;
            }
        }
        Ok(())
    }

    /// What a batch does to files. `None`: an answer is out of date.
    async fn tasks(&self, batch: &Batch) -> Result<Option<Vec<Task>>> {
        let mut tasks = Vec::new();
        for step in &batch.steps {
            match step {
                Step::Store { change, .. } => {
                    tasks.push(self.task(&change.id, wanted(change.revision.as_ref(), change.action.body())));
                }
                Step::Answer { id, row, answer } => {
                    let Some(conflict) = self.inner.conflict(id).await?.filter(|conflict| conflict.row == *row) else {
                        return Ok(None);
                    };
                    tasks.extend(self.answered(&conflict, answer));
                }
                _ => {}
            }
        }
        Ok(Some(tasks))
    }

    fn task(&self, id: &DocumentId, wanted: Wanted) -> Task {
        Task { id: id.clone(), wanted, record: self.book().0.get(id).cloned() }
    }

    fn answered(&self, conflict: &Conflict, answer: &Answer) -> Vec<Task> {
        let remote = self.task(&conflict.id, version(&conflict.remote));
        match answer {
            Answer::TakeRemote => vec![remote],
            Answer::KeepBoth { copy } => vec![self.task(copy, version(&conflict.local)), remote],
            Answer::Merge { revision, body } => {
                vec![self.task(&conflict.id, wanted(revision.as_ref(), Some(body)))]
            }
            _ => Vec::new(),
        }
    }

    /// Writes the files of a batch.
    async fn write_back(&self, tasks: Vec<Task>) -> Result<Written> {
        if let Some(line) = lock(&self.before_write).take() {
            drop(platform::shell(&line).status());
        }
        if let Some(refused) = lock(&self.guard).refuses(&self.book(), &tasks) {
            let what = format!("a sync would remove {} files here; nothing of this was done", refused.len());
            lock(&self.tally).refused = refused;
            return Err(Error::new(ErrorKind::Conflict, what).with_operation("sync"));
        }
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.write_back(&tasks, wall_seconds())).await?
    }

    /// Writes the file of a document that has none here, outside any batch.
    pub(crate) async fn write_missing(&self, task: Task) -> Result<()> {
        let written = self.write_back(vec![task]).await?;
        self.queue_unseen(written.unseen).await?;
        lock(&self.tally).written +=
            written.seen.iter().filter(|(_, seen)| matches!(seen, Seen::OnDisk(_))).count() as u64;
        self.note(written.seen).await
    }

    /// Queues what the user did meanwhile.
    async fn queue_unseen(&self, unseen: Vec<(DocumentId, Local)>) -> Result<()> {
        lock(&self.tally).unseen += unseen.len() as u64;
        let (mut changed, mut deleted) = (Vec::new(), Vec::new());
        for (id, local) in unseen {
            match local {
                Local::Put(body, stamp) => changed.push(Changed::found(id, body, stamp)),
                Local::Delete => deleted.push(id),
            }
        }
        self.queue_all(changed, deleted).await
    }

    /// The database has the batch: the book and the notes follow.
    async fn settle(&self, tasks: Vec<(DocumentId, Option<Hash>)>, written: Written) -> Result<()> {
        {
            let mut book = self.book();
            let mut tally = lock(&self.tally);
            for (id, digest) in tasks {
                let old = book.0.remove(&id);
                match digest {
                    Some(digest) => drop(book.0.insert(id, Record { digest, seen: Seen::Unknown })),
                    None => tally.removed += u64::from(old.is_some()),
                }
            }
            for (id, seen) in &written.seen {
                match seen {
                    Seen::Off(why) => tally.skipped.push(Skipped::problem(id.as_str(), why.clone())),
                    _ => tally.written += 1,
                }
            }
        }
        self.note(written.seen).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wanted(revision: Option<&Revision>, body: Option<&Bytes>) -> Wanted {
    match body {
        Some(body) => Wanted::File { body: body.clone(), digest: Hash::of(body), hint: Hint::parse(revision) },
        None => Wanted::Nothing,
    }
}

fn version(version: &Version) -> Wanted {
    match version {
        Version::Present(document) => wanted(document.revision.as_ref(), Some(&document.body)),
        Version::Deleted => Wanted::Nothing,
    }
}

#[async_trait]
impl Replica for FolderReplica {
    async fn claim(&self) -> Result<Claim> {
        self.inner.claim().await
    }

    async fn load(&self) -> Result<Loaded> {
        self.inner.load().await
    }

    async fn queue(&self, change: Change) -> Result<RowNumber> {
        self.inner.queue(change).await
    }

    async fn uncommitted(&self) -> Result<Vec<Change>> {
        self.inner.uncommitted().await
    }

    async fn pending(&self, after: Option<RowNumber>, last: RowNumber, bytes: usize) -> Result<Vec<PendingChange>> {
        self.inner.pending(after, last, bytes).await
    }

    async fn outbox(&self, ids: &[DocumentId]) -> Result<Outbox> {
        self.inner.outbox(ids).await
    }

    async fn pending_count(&self) -> Result<u64> {
        self.inner.pending_count().await
    }

    async fn conflicts(&self) -> Result<Vec<DocumentId>> {
        self.inner.conflicts().await
    }

    async fn conflict(&self, id: &DocumentId) -> Result<Option<Conflict>> {
        self.inner.conflict(id).await
    }

    async fn contains(&self, id: &DocumentId) -> Result<bool> {
        self.inner.contains(id).await
    }

    async fn committed(&self, hash: &Hash) -> Result<bool> {
        self.inner.committed(hash).await
    }

    async fn synced(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<Synced>> {
        self.inner.synced(after, limit).await
    }

    async fn shelved(&self, name: &str) -> Result<Option<Bytes>> {
        self.inner.shelved(name).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied> {
        let Some(tasks) = self.tasks(&batch).await? else { return Ok(Applied::Stale) };
        if tasks.is_empty() {
            return self.inner.apply(batch).await;
        }
        let after = tasks.iter().map(|task| (task.id.clone(), digest(&task.wanted))).collect();
        let written = self.write_back(tasks).await?;
        if !written.unseen.is_empty() {
            self.queue_unseen(written.unseen).await?;
            return Ok(Applied::Stale);
        }
        let applied = self.inner.apply(batch).await?;
        if applied == Applied::Done {
            self.settle(after, written).await?;
        }
        Ok(applied)
    }
}

fn digest(wanted: &Wanted) -> Option<Hash> {
    match wanted {
        Wanted::File { digest, .. } => Some(*digest),
        Wanted::Nothing => None,
    }
}

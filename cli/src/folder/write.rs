//! Writing back: what others changed becomes files, each whole or not at all, and durable before the replica says so.
//!
//! A file goes to a temporary beside its place, is looked at once more, and is renamed. Between that last look and the rename
//! lie some microseconds in which an edit could still be overwritten; no portable call closes them for a file that exists. A
//! name that was free is taken by a rename that overwrites nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;

use bytes::Bytes;
use longshore::{DocumentId, Hash, Result};

use super::Folder;
use super::examine::{Local, Verdict, failed};
use super::names::TEMPORARY;
use super::place::Checked;
use super::seen::{Hint, Record, Seen, Stamp};
use crate::output::say;
use crate::platform;

/// Up to so many files are synced to disk one by one; for more, the whole file system is.
const FEW: usize = 16;
/// So many files are written by two threads.
const MANY: usize = 256;
/// How often a file is looked at again because it changed just before the rename.
const TRIES: usize = 5;

/// What a document's file is to become.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// A file of these bytes.
    File {
        /// Its bytes.
        body: Bytes,
        /// Their hash.
        digest: Hash,
        /// What the other device says about its file.
        hint: Hint,
    },
    /// No file.
    Nothing,
}

/// One document to write back.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: DocumentId,
    pub(crate) wanted: Wanted,
    /// What is recorded about it; none for a document that is new here.
    pub(crate) record: Option<Record>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Where each written document's file is now; removed documents are not in it.
    pub(crate) seen: Vec<(DocumentId, Seen)>,
    /// Changes of the user's that nobody had seen: their files were left alone, and the batch must be decided anew.
    pub(crate) unseen: Vec<(DocumentId, Local)>,
}

/// One batch under way.
struct Writing<'a> {
    folder: &'a Folder,
    now: i64,
    checked: Checked,
    /// Folders whose entries changed.
    touched: BTreeSet<PathBuf>,
    /// Whether each file is synced by itself.
    each: bool,
    done: Written,
    placed: u64,
}

impl Folder {
    /// Does these tasks, removals first, so that a folder can take a file's place. Everything is durable on return.
    pub(crate) fn write_back(&self, tasks: &[Task], now: i64) -> Result<Written> {
        let each = tasks.len() <= FEW || !platform::SYNCS_FILE_SYSTEMS;
        let (removals, files): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| matches!(task.wanted, Wanted::Nothing));
        let mut writing = Writing::new(self, each, now);
        removals.into_iter().try_for_each(|task| writing.remove(task))?;
        let (here, beside) = if each { (&files[..], &[][..]) } else { files.split_at(apart(&files)) };
        let other = thread::scope(|scope| {
            let other = scope.spawn(|| Writing::new(self, each, now).put_all(beside));
            here.iter().try_for_each(|task| writing.put(task))?;
            other.join().unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        writing.add(other);
        writing.sync().map_err(|error| failed("sync", self.root().display(), error))?;
        Ok(writing.done)
    }

    fn temporary(&self, place: &Path) -> PathBuf {
        let count = self.temporaries.fetch_add(1, Ordering::Relaxed);
        place.with_file_name(format!("{TEMPORARY}{}-{count}", std::process::id()))
    }
}

/// Where to divide files between two threads: about in the middle, where another folder under the root begins, so that neither
/// thread meets the other's folders. Few files are not divided.
fn apart(files: &[&Task]) -> usize {
    let top = |at: usize| files[at].id.as_str().split('/').next();
    let many = files.len() >= MANY && files.is_sorted_by(|one, other| one.id < other.id);
    let middle = files.len() / 2;
    (middle.max(1)..files.len()).find(|at| many && top(*at) != top(at - 1)).unwrap_or(files.len())
}

impl<'a> Writing<'a> {
    fn new(folder: &'a Folder, each: bool, now: i64) -> Self {
        let (checked, touched, done) = (Checked::default(), BTreeSet::new(), Written::default());
        Self { folder, now, checked, touched, each, done, placed: 0 }
    }

    fn put_all(mut self, tasks: &[&Task]) -> Result<Self> {
        tasks.iter().try_for_each(|task| self.put(task))?;
        Ok(self)
    }

    /// Takes over what another thread did.
    fn add(&mut self, other: Self) {
        self.touched.extend(other.touched);
        self.done.seen.extend(other.done.seen);
        self.done.unseen.extend(other.done.unseen);
    }

    fn remove(&mut self, task: &Task) -> Result<()> {
        // What was never written here is not ours to remove. (I13)
        if !matches!(&task.record, Some(Record { seen: Seen::OnDisk(_) | Seen::Unknown, .. })) {
            return Ok(());
        }
        if self.folder.refuses(task.id.as_str()).is_some() {
            return Ok(());
        }
        match self.folder.examine(&task.id, task.record.as_ref(), None, self.now)? {
            Verdict::Recorded(_) => self.remove_file(&task.id).map_err(|error| failed("remove", &task.id, error)),
            Verdict::Unseen(local @ Local::Put(..)) => {
                self.unseen(task, local);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn remove_file(&mut self, id: &DocumentId) -> io::Result<()> {
        let path = self.folder.path(id.as_str());
        fs::remove_file(&path)?;
        self.folder.prune_parents(id.as_str());
        self.touch(&path);
        Ok(())
    }

    fn put(&mut self, task: &Task) -> Result<()> {
        if let Some(why) = self.refused(task.id.as_str())? {
            self.leave(task, why);
            return Ok(());
        }
        for _ in 0..TRIES {
            if self.try_put(task)? {
                return Ok(());
            }
        }
        Err(failed("write", &task.id, io::Error::from(io::ErrorKind::ResourceBusy)))
    }

    /// Why this name cannot be written; makes the folders above it otherwise.
    fn refused(&mut self, id: &str) -> Result<Option<String>> {
        match self.folder.refuses(id) {
            Some(why) => Ok(Some(why)),
            None => self
                .folder
                .make_parents(id, &mut self.checked)
                .or_else(unusable)
                .map_err(|error| failed("write", id, error)),
        }
    }

    /// False if something changed there at the last moment: look again.
    fn try_put(&mut self, task: &Task) -> Result<bool> {
        let Wanted::File { body, digest, hint } = &task.wanted else { return Ok(true) };
        match self.folder.examine(&task.id, task.record.as_ref(), Some(digest), self.now)? {
            Verdict::Free => return self.place(task, body, *hint, None),
            Verdict::Recorded(stamp) => return self.place(task, body, *hint, Some(stamp)),
            Verdict::Same => self.adopt(task, *hint)?,
            Verdict::Blocked(why) => self.leave(task, why),
            Verdict::Unseen(local) => self.unseen(task, local),
        }
        Ok(true)
    }

    fn leave(&mut self, task: &Task, why: String) {
        self.done.seen.push((task.id.clone(), Seen::Off(why)));
    }

    fn unseen(&mut self, task: &Task, local: Local) {
        self.done.unseen.push((task.id.clone(), local));
    }

    /// The file has the right bytes already: only its time and its executable bit are set.
    fn adopt(&mut self, task: &Task, hint: Hint) -> Result<()> {
        let path = self.folder.path(task.id.as_str());
        let stamp = adopt(&path, hint, self.now).map_err(|error| failed("write", &task.id, error))?;
        self.done.seen.push((task.id.clone(), Seen::OnDisk(stamp)));
        Ok(())
    }

    /// Puts the file in its place; false if something changed there at the last moment.
    fn place(&mut self, task: &Task, body: &Bytes, hint: Hint, expected: Option<Stamp>) -> Result<bool> {
        let path = self.folder.path(task.id.as_str());
        let temporary = self.folder.temporary(&path);
        let placed = self.try_place(&path, &temporary, body, hint, expected);
        if !matches!(placed, Ok(Some(_))) {
            drop(fs::remove_file(&temporary));
        }
        match placed {
            Ok(None) => return Ok(false),
            Ok(Some(stamp)) => {
                self.done.seen.push((task.id.clone(), Seen::OnDisk(stamp)));
                self.touch(&path);
                self.count_placed();
            }
            Err(error) if expected.is_none() && is_unusable(&error) => {
                self.leave(task, format!("this file system does not take its name ({error})"));
            }
            Err(error) => return Err(failed("write", &task.id, error)),
        }
        Ok(true)
    }

    fn try_place(
        &self,
        path: &Path,
        temporary: &Path,
        body: &Bytes,
        hint: Hint,
        expected: Option<Stamp>,
    ) -> io::Result<Option<Stamp>> {
        let replaced = if expected.is_some() { Some(fs::symlink_metadata(path)?) } else { None };
        let stamp = self.write_temporary(temporary, body, hint, replaced.as_ref())?;
        let renamed = match expected {
            None => platform::rename_new(temporary, path),
            Some(expected) if is_still(path, expected, self.now) => fs::rename(temporary, path),
            Some(_) => return Ok(None),
        };
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            renamed => renamed.map(|()| Some(stamp)),
        }
    }

    fn write_temporary(
        &self,
        temporary: &Path,
        body: &Bytes,
        hint: Hint,
        replaced: Option<&Metadata>,
    ) -> io::Result<Stamp> {
        let mut file = match replaced {
            Some(_) => platform::create_private(temporary)?,
            None => File::create_new(temporary)?,
        };
        file.write_all(body)?;
        // A private file stays private.
        let permissions = match replaced {
            Some(meta) => Some(meta.permissions()),
            None if hint.executable => Some(file.metadata()?.permissions()),
            None => None,
        };
        if let Some(permissions) = permissions {
            file.set_permissions(platform::with_executable(&permissions, hint.executable))?;
        }
        if let Some(modified) = hint.modified {
            filetime::set_file_handle_times(&file, None, Some(modified))?;
        }
        if self.each {
            file.sync_all()?;
        }
        Ok(Stamp::of(&file.metadata()?, self.now))
    }

    fn touch(&mut self, path: &Path) {
        if let Some(parent) = path.parent()
            && !self.touched.contains(parent)
        {
            self.touched.insert(parent.to_owned());
        }
    }

    fn count_placed(&mut self) {
        self.placed += 1;
        if self.folder.die_at_file == Some(self.placed) {
            say!("died: after putting file {} in its place", self.placed);
            platform::die();
        }
    }

    /// The files and their names are durable before the replica's transaction says that they are there: after a power cut a
    /// missing file would else be taken for a deletion. (I13)
    fn sync(&self) -> io::Result<()> {
        if self.each { self.sync_folders() } else { self.sync_file_systems() }
    }

    /// The folders that changed, and those above: they may be new.
    fn sync_folders(&self) -> io::Result<()> {
        let root = self.folder.root();
        let all: BTreeSet<&Path> =
            self.touched.iter().flat_map(|path| path.ancestors().take_while(|path| path.starts_with(root))).collect();
        // A folder that is gone was pruned; its parent is in the set.
        all.into_iter().try_for_each(|folder| match platform::sync_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        })
    }

    /// One call for each file system that was written to: thousands of files cost one wait, not thousands.
    fn sync_file_systems(&self) -> io::Result<()> {
        let mut devices = BTreeMap::new();
        for folder in self.touched.iter().filter(|folder| folder.is_dir()).chain([&self.folder.root().to_owned()]) {
            devices.insert(platform::device(&fs::metadata(folder)?), folder.clone());
        }
        devices.values().try_for_each(|folder| platform::sync_file_system(folder))
    }
}

/// Whether the file is the one that was looked at.
fn is_still(path: &Path, expected: Stamp, now: i64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && Stamp::of(&meta, now) == expected)
}

fn adopt(path: &Path, hint: Hint, now: i64) -> io::Result<Stamp> {
    let meta = fs::symlink_metadata(path)?;
    if platform::is_executable(&meta) != hint.executable {
        fs::set_permissions(path, platform::with_executable(&meta.permissions(), hint.executable))?;
    }
    if let Some(modified) = hint.modified {
        filetime::set_file_mtime(path, modified)?;
    }
    Ok(Stamp::of(&fs::symlink_metadata(path)?, now))
}

/// A name that the file system refuses is a reason to leave the document out, not to fail.
fn is_unusable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput)
}

fn unusable(error: io::Error) -> io::Result<Option<String>> {
    if is_unusable(&error) {
        Ok(Some(format!("this file system does not take its name ({error})")))
    } else {
        Err(error)
    }
}

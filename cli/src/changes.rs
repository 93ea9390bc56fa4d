//! What changed in the folder since it was recorded, and how it gets into the outbox.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use longshore::{Document, DocumentId, Hash, Result};

use crate::book::Book;
use crate::folder::place::Presence;
use crate::folder::read::{Read, read};
use crate::folder::scan::{Found, Scan};
use crate::folder::seen::{Record, Seen, Stamp};
use crate::folder::{Folder, Skipped};

/// Bytes of files that go into the outbox in one transaction, while the next are read.
const PAGE: u64 = 4 << 20;
/// Files of one transaction, however small.
const PAGE_FILES: usize = 10_000;
/// More threads do not make a disk faster.
const MOST_THREADS: usize = 4;
/// Fewer files are read by one thread.
const WORTH_THREADS: usize = 64;

/// A status reads at most so many files that are too fresh to tell, and so many bytes of them.
const FRESH_FILES: u64 = 1000;
const FRESH_BYTES: u64 = 64 << 20;

/// A file that is new or looks changed.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) found: Found,
    /// What is recorded about it; none if it is new.
    pub(crate) record: Option<Record>,
}

/// What a look at the folder shows, before any file is read.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Files that are new or look changed.
    pub(crate) candidates: Vec<Candidate>,
    /// Documents whose recorded files are gone. (I13)
    pub(crate) deleted: Vec<DocumentId>,
    /// What was left out.
    pub(crate) skipped: Vec<Skipped>,
}

/// What reading one candidate shows.
#[derive(Debug)]
pub(crate) enum Checked {
    /// Its content, or its executable bit, is another.
    Changed(Changed),
    /// Only its time is another, or was too young to vouch for it.
    Touched(DocumentId, Stamp),
    /// It was left out.
    Skipped(Skipped),
    /// It is gone again.
    Gone,
}

/// A file with other bytes, or another executable bit, than were recorded.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) id: DocumentId,
    pub(crate) body: Bytes,
    pub(crate) record: Record,
    /// Whether the document was recorded before.
    pub(crate) known: bool,
}

/// A step towards the outbox: what one transaction takes.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) changed: Vec<Changed>,
    pub(crate) touched: Vec<(DocumentId, Stamp)>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Page {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.touched.is_empty() && self.skipped.is_empty()
    }
}

impl Changes {
    /// Compares a scan with the book.
    pub(crate) fn find(folder: &Folder, scan: Scan, book: &Book) -> Self {
        let mut changes = Self { skipped: scan.skipped, ..Self::default() };
        let new = |found| Candidate { found, record: None };
        let mut files = scan.files.into_iter().peekable();
        for (id, record) in &book.0 {
            while let Some(found) = files.next_if(|found| found.id < *id) {
                changes.candidates.push(new(found));
            }
            match files.next_if(|found| found.id == *id) {
                Some(found) if is_unchanged(record, &found.stamp) => {}
                Some(found) => changes.candidates.push(Candidate { found, record: Some(record.clone()) }),
                None if is_deleted(folder, id, record) => changes.deleted.push(id.clone()),
                None => {}
            }
        }
        changes.candidates.extend(files.map(new));
        changes
    }

    /// Files that look as they were recorded, but were recorded so soon after their change that one more may not show: reads
    /// them, and takes out those that are the same. Says how many were too many to read; they are taken out as well.
    pub(crate) fn settle_fresh(&mut self, folder: &Folder, now: i64) -> u64 {
        let (mut files, mut bytes, mut unread) = (0, 0, 0);
        self.candidates.retain(|Candidate { found, record }| {
            let Some(record) = record.as_ref().filter(|record| is_fresh(record, &found.stamp)) else { return true };
            files += 1;
            bytes += found.stamp.size;
            if files > FRESH_FILES || bytes > FRESH_BYTES {
                unread += 1;
                return false;
            }
            digest(&folder.path(found.id.as_str()), now) != Some(record.digest)
        });
        unread
    }

    /// The documents whose deletion would be too many; none if they may go. Reads the candidates, if it comes to that.
    pub(crate) fn mass_deletion(&self, folder: &Folder, book: &Book, now: i64) -> Option<Vec<DocumentId>> {
        let files = book.on_disk().count();
        if !crate::guard::is_mass(self.deleted.len(), files) {
            return None;
        }
        let arriving = self.candidates.iter().filter_map(|new| digest(&folder.path(new.found.id.as_str()), now));
        let lost = crate::guard::lost(book, self.deleted.iter(), arriving.collect::<BTreeSet<Hash>>());
        crate::guard::is_mass(lost.len(), files).then_some(lost)
    }
}

/// Whether only the youth of the record makes the file a candidate.
fn is_fresh(record: &Record, now: &Stamp) -> bool {
    match &record.seen {
        Seen::OnDisk(stamp) => stamp.executable == now.executable && Stamp { racy: false, ..*stamp }.vouches_for(now),
        Seen::Off(_) | Seen::Unknown => false,
    }
}

fn digest(path: &Path, now: i64) -> Option<Hash> {
    match read(path, now) {
        Read::Whole(bytes, _) => Some(Hash::of(&bytes)),
        Read::Gone | Read::Refused(_) => None,
    }
}

fn is_unchanged(record: &Record, now: &Stamp) -> bool {
    match &record.seen {
        Seen::OnDisk(stamp) => stamp.vouches_for(now) && stamp.executable == now.executable,
        Seen::Off(_) | Seen::Unknown => false,
    }
}

/// I13: only a file that was recorded here can be deleted, and only if its name is surely free and not ignored.
fn is_deleted(folder: &Folder, id: &DocumentId, record: &Record) -> bool {
    matches!(record.seen, Seen::OnDisk(_))
        && folder.refuses(id.as_str()).is_none()
        && folder.presence(id.as_str()) != Presence::There
}

/// Reads the next candidates, as many as one transaction takes.
pub(crate) fn read_page(folder: &Folder, candidates: &mut std::vec::IntoIter<Candidate>, now: i64) -> Page {
    let (mut next, mut size) = (Vec::new(), 0);
    while size < PAGE
        && next.len() < PAGE_FILES
        && let Some(candidate) = candidates.next()
    {
        size = size.saturating_add(candidate.found.stamp.size);
        next.push(candidate);
    }
    let mut page = Page::default();
    for checked in check_all(folder, next, now) {
        match checked {
            Checked::Changed(changed) => page.changed.push(changed),
            Checked::Touched(id, stamp) => page.touched.push((id, stamp)),
            Checked::Skipped(skipped) => page.skipped.push(skipped),
            Checked::Gone => {}
        }
    }
    page
}

/// Reads these candidates, on as many threads as it is worth: of small files the time goes into the calls to the system.
fn check_all(folder: &Folder, mut candidates: Vec<Candidate>, now: i64) -> Vec<Checked> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = candidates.len().div_ceil(threads).max(WORTH_THREADS);
    let check_each = |part: Vec<Candidate>| part.into_iter().map(|found| check(folder, found, now)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        while candidates.len() > share {
            let part = candidates.split_off(candidates.len() - share);
            others.push(scope.spawn(|| check_each(part)));
        }
        let mut checked = check_each(candidates);
        for thread in others.into_iter().rev() {
            checked.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        checked
    })
}

fn check(folder: &Folder, candidate: Candidate, now: i64) -> Checked {
    let Candidate { found: Found { id, .. }, record: old } = candidate;
    let (body, stamp) = match read(&folder.path(id.as_str()), now) {
        Read::Whole(bytes, stamp) => (Bytes::from(bytes), stamp),
        Read::Gone => return Checked::Gone,
        Read::Refused(why) => return Checked::Skipped(Skipped::problem(id.as_str(), why)),
    };
    let known = old.is_some();
    let digest = Hash::of(&body);
    let changed =
        |id| Checked::Changed(Changed { id, body, record: Record { digest, seen: Seen::OnDisk(stamp) }, known });
    let Some(old) = old else { return changed(id) };
    let same = old.digest == digest;
    match &old.seen {
        Seen::OnDisk(was) if same && was.executable == stamp.executable => Checked::Touched(id, stamp),
        Seen::Off(_) | Seen::Unknown if same => Checked::Touched(id, stamp),
        Seen::Off(_) => {
            let why = "a document of this name is in the store and could not be written here: rename this file, then both \
                       are synced";
            Checked::Skipped(Skipped::problem(id.as_str(), why))
        }
        _ => changed(id),
    }
}

impl Changed {
    /// A file that a write back found changed.
    pub(crate) fn found(id: DocumentId, body: Bytes, stamp: Stamp) -> Self {
        let record = Record { digest: Hash::of(&body), seen: Seen::OnDisk(stamp) };
        Self { id, body, record, known: true }
    }

    /// The document, and its note.
    pub(crate) fn document(&self) -> Result<(Document, Bytes)> {
        let revision = match &self.record.seen {
            Seen::OnDisk(stamp) => Some(stamp.revision()?),
            Seen::Off(_) | Seen::Unknown => None,
        };
        Ok((Document { id: self.id.clone(), revision, body: self.body.clone() }, self.record.seen.encode()))
    }
}

//! What changed in the folder since it was recorded, and how it gets into the outbox.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use longshore::{Action, Change, Document, DocumentId, Hash, Result};

use crate::book::Book;
use crate::folder::place::Presence;
use crate::folder::read::{Read, read};
use crate::folder::scan::{Found, Scan};
use crate::folder::seen::{Record, Seen, Stamp};
use crate::folder::{Folder, Skipped};

/// Bytes of files that go into the outbox in one transaction.
const PAGE: usize = 16 << 20;

/// What a look at the folder shows, before any file is read.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Files that are new or look changed.
    pub(crate) candidates: Vec<Found>,
    /// Documents whose recorded files are gone. (I13)
    pub(crate) deleted: Vec<DocumentId>,
    /// What was left out.
    pub(crate) skipped: Vec<Skipped>,
}

/// What reading one candidate shows.
#[derive(Debug)]
pub(crate) enum Checked {
    /// Its content, or its executable bit, is another.
    Changed(DocumentId, Bytes, Stamp),
    /// Only its time is another, or was too young to vouch for it.
    Touched(DocumentId, Stamp),
    /// It was left out.
    Skipped(Skipped),
    /// It is gone again.
    Gone,
}

/// A step towards the outbox: what one transaction takes.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) changed: Vec<(DocumentId, Bytes, Stamp)>,
    pub(crate) touched: Vec<(DocumentId, Stamp)>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Changes {
    /// Compares a scan with the book.
    pub(crate) fn find(folder: &Folder, scan: Scan, book: &Book) -> Self {
        let mut changes = Self { skipped: scan.skipped, ..Self::default() };
        let mut files = scan.files.into_iter().peekable();
        for (id, record) in &book.0 {
            while let Some(new) = files.next_if(|found| found.id < *id) {
                changes.candidates.push(new);
            }
            match files.next_if(|found| found.id == *id) {
                Some(found) if is_unchanged(record, &found.stamp) => {}
                Some(found) => changes.candidates.push(found),
                None if is_deleted(folder, id, record) => changes.deleted.push(id.clone()),
                None => {}
            }
        }
        changes.candidates.extend(files);
        changes
    }

    /// The documents whose deletion would be too many; none if they may go. Reads the candidates, if it comes to that.
    pub(crate) fn mass_deletion(&self, folder: &Folder, book: &Book, now: i64) -> Option<Vec<DocumentId>> {
        let files = book.on_disk().count();
        if !crate::guard::is_mass(self.deleted.len(), files) {
            return None;
        }
        let arriving = self.candidates.iter().filter_map(|found| digest(&folder.path(found.id.as_str()), now));
        let lost = crate::guard::lost(book, self.deleted.iter(), arriving.collect::<BTreeSet<Hash>>());
        crate::guard::is_mass(lost.len(), files).then_some(lost)
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
pub(crate) fn read_page(folder: &Folder, candidates: &mut std::vec::IntoIter<Found>, book: &Book, now: i64) -> Page {
    let (mut page, mut size) = (Page::default(), 0);
    while size < PAGE
        && let Some(found) = candidates.next()
    {
        match check(folder, found, book, now) {
            Checked::Changed(id, bytes, stamp) => {
                size += bytes.len() + id.as_str().len();
                page.changed.push((id, bytes, stamp));
            }
            Checked::Touched(id, stamp) => page.touched.push((id, stamp)),
            Checked::Skipped(skipped) => page.skipped.push(skipped),
            Checked::Gone => {}
        }
    }
    page
}

fn check(folder: &Folder, found: Found, book: &Book, now: i64) -> Checked {
    let id = found.id;
    let (bytes, stamp) = match read(&folder.path(id.as_str()), now) {
        Read::Whole(bytes, stamp) => (Bytes::from(bytes), stamp),
        Read::Gone => return Checked::Gone,
        Read::Refused(why) => return Checked::Skipped(Skipped::problem(id.as_str(), why)),
    };
    let Some(record) = book.0.get(&id) else { return Checked::Changed(id, bytes, stamp) };
    let same = record.digest == Hash::of(&bytes);
    match &record.seen {
        Seen::OnDisk(old) if same && old.executable == stamp.executable => Checked::Touched(id, stamp),
        Seen::Off(_) | Seen::Unknown if same => Checked::Touched(id, stamp),
        Seen::Off(_) => {
            let why = "a document of this name is in the store and could not be written here: rename this file, then both \
                       are synced";
            Checked::Skipped(Skipped::problem(id.as_str(), why))
        }
        _ => Checked::Changed(id, bytes, stamp),
    }
}

/// A file's content as a change for the outbox, with its note.
pub(crate) fn put(id: DocumentId, body: Bytes, stamp: Stamp) -> Result<(Change, Option<Bytes>)> {
    let document = Document { id, revision: Some(stamp.revision()?), body };
    Ok((Change::put(document), Some(Seen::OnDisk(stamp).encode())))
}

/// The record that a change leaves; none for a deletion.
pub(crate) fn record(change: &Change, seen: Seen) -> Option<Record> {
    match &change.action {
        Action::Put(body) => Some(Record { digest: Hash::of(body), seen }),
        Action::Delete => None,
    }
}

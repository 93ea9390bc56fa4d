//! The guard against mass deletion: a sync that would remove more than half of at least ten files stops first.
//!
//! It counts by content: a file that was renamed or moved is not deleted. Both directions are guarded. What this device would
//! delete elsewhere is known after the scan. What others deleted is known when the engine hands a batch over to be written;
//! the guard then refuses that batch before anything of it is written, and the sync ends. (Asking for a plan beforehand would
//! read everything twice at every sync.) Removals of earlier batches of the same sync count too.

use std::collections::BTreeSet;

use longshore::{DocumentId, Hash};

use crate::book::Book;
use crate::folder::write::{Task, Wanted};

/// A folder with fewer files is not guarded.
const FEWEST: usize = 10;

/// Whether removing so many of so many files is a mass deletion.
pub(crate) fn is_mass(removed: usize, files: usize) -> bool {
    files >= FEWEST && removed * 2 > files
}

/// Of these documents, those whose content is nowhere in the folder any more. `arriving`: the hashes of new files.
pub(crate) fn lost<'a>(
    book: &Book,
    removed: impl Iterator<Item = &'a DocumentId>,
    mut staying: BTreeSet<Hash>,
) -> Vec<DocumentId> {
    let removed: BTreeSet<&DocumentId> = removed.collect();
    staying.extend(book.on_disk().filter(|(id, _)| !removed.contains(id)).map(|(_, record)| record.digest));
    let is_lost = |id: &&DocumentId| book.0.get(*id).is_some_and(|record| !staying.contains(&record.digest));
    removed.into_iter().filter(is_lost).cloned().collect()
}

/// What a sync has removed here so far.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The files that were here at its start.
    files: usize,
    removed: usize,
    allowed: bool,
}

impl Guard {
    pub(crate) fn new(book: &Book, allowed: bool) -> Self {
        Self { files: book.on_disk().count(), removed: 0, allowed }
    }

    /// The documents that this batch would remove too many of; none if it may go on.
    pub(crate) fn refuses(&mut self, book: &Book, tasks: &[Task]) -> Option<Vec<DocumentId>> {
        let removed: Vec<&DocumentId> =
            tasks.iter().filter(|task| matches!(task.wanted, Wanted::Nothing)).map(|task| &task.id).collect();
        // The usual case, answered without a look at any content.
        if removed.is_empty() || self.allowed || !is_mass(self.removed + removed.len(), self.files) {
            self.removed += removed.len();
            return None;
        }
        let arriving = tasks.iter().filter_map(|task| match &task.wanted {
            Wanted::File { digest, .. } => Some(*digest),
            Wanted::Nothing => None,
        });
        let lost = lost(book, removed.into_iter(), arriving.collect());
        if is_mass(self.removed + lost.len(), self.files) {
            return Some(lost);
        }
        self.removed += lost.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_files_may_go() {
        assert!(!is_mass(5, 10));
        assert!(is_mass(6, 10));
        assert!(!is_mass(9, 9));
    }
}

//! The rule for pulled changes of one document: a sync does what it says, and a plan tells it.

use crate::model::RowNumber;
use crate::replica::{Digest, PendingRow};
use crate::sabotage::{Mistake, on};

/// What becomes of a document's pulled versions, and of its pending rows.
#[derive(Debug)]
pub(super) struct Fate<'v, V> {
    /// Versions that equal a pending row, in the order of the log, each with the last row that it settles.
    pub(super) settled: Vec<(&'v V, RowNumber)>,
    /// The version that is left: a conflict if rows stay pending, else the document's new version.
    pub(super) last: Option<&'v V>,
    /// Whether rows stay pending.
    pub(super) pending: bool,
}

impl<'v, V> Fate<'v, V> {
    /// A document without pending rows takes its last change. A change that equals a pending row settles that row: it is our
    /// own from another life, or the same edit made twice. Any other is a conflict.
    ///
    /// `digest` is asked only while there are rows to compare with.
    pub(super) fn of(versions: &'v [V], digest: impl Fn(&V) -> Digest, mut rows: &[PendingRow]) -> Self {
        let (mut settled, mut last) = (Vec::new(), None);
        for version in versions {
            let digest = if rows.is_empty() { None } else { Some(digest(version)) };
            let equal = digest.and_then(|digest| rows.iter().rposition(|row| row.digest == digest));
            let equal = equal.filter(|_| !on(Mistake::EqualEditsConflict));
            last = match equal {
                Some(at) => {
                    settled.push((version, rows[at].row));
                    rows = &rows[at + 1..];
                    None
                }
                None if on(Mistake::FirstChangeCounts) => last.or(Some(version)),
                None => Some(version),
            };
        }
        Self { settled, last, pending: !rows.is_empty() }
    }

    /// Whether a pending row is concerned.
    pub(super) fn touches_rows(&self) -> bool {
        !self.settled.is_empty() || (self.pending && self.last.is_some())
    }
}

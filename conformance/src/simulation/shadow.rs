//! What one replica must have pending, written down beside it as its transactions come by.

use std::collections::BTreeMap;

use longshore_core::{Action, DocumentId, Hash, RowNumber, RowSet, Sequence};

/// A write that an app made, or gave as an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) id: DocumentId,
    pub(super) action: Action,
    pub(super) revision: Option<String>,
}

impl Written {
    pub(super) fn words(&self) -> String {
        let what = if self.action.is_delete() { "deletion" } else { "write" };
        let revision = self.revision.as_deref().unwrap_or("merged");
        format!("the {what} {revision} of {:?}", self.id.as_str())
    }
}

/// The outbox, the recorded conflicts and the open attempt that a replica must have.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    pub(super) rows: BTreeMap<RowNumber, Written>,
    pub(super) conflicts: BTreeMap<DocumentId, Sequence>,
    pub(super) attempt: Option<(Sequence, Hash, RowSet)>,
    /// The conflicts that the app was asked about, by their newest rows.
    pub(super) asked: BTreeMap<DocumentId, RowNumber>,
}

impl Shadow {
    pub(super) fn newest(&self, id: &DocumentId) -> Option<(RowNumber, &Written)> {
        let newest = self.rows.iter().rfind(|(_, written)| written.id == *id)?;
        Some((*newest.0, newest.1))
    }

    /// The newest row of each document.
    pub(super) fn pending(&self) -> BTreeMap<DocumentId, RowNumber> {
        self.rows.iter().map(|(row, written)| (written.id.clone(), *row)).collect()
    }

    /// Drops a document's rows up to and including this one.
    pub(super) fn drop_up_to(&mut self, id: &DocumentId, last: RowNumber) {
        self.rows.retain(|row, written| written.id != *id || *row > last);
        self.conflicts.remove(id);
    }

    pub(super) fn drop_all(&mut self, id: &DocumentId) {
        self.rows.retain(|_, written| written.id != *id);
        self.conflicts.remove(id);
    }
}

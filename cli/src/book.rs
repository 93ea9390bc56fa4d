//! The book: what is recorded about every file, read from the replica once and kept in step with it.

use std::collections::BTreeMap;

use longshore::{DocumentId, Result, SqliteReplica};

use crate::folder::seen::{Record, Seen};

/// Documents read from the database at once.
const PAGE: usize = 10_000;

/// Every document's record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(pub(crate) BTreeMap<DocumentId, Record>);

impl Book {
    /// Reads all records.
    pub(crate) async fn load(replica: &SqliteReplica) -> Result<Self> {
        let mut records = Vec::new();
        let mut after: Option<DocumentId> = None;
        loop {
            let page = replica.infos(after.as_ref(), PAGE).await?;
            let more = page.len() == PAGE;
            records.extend(page.into_iter().map(|info| {
                let seen = Seen::decode(info.note.as_ref());
                (info.id, Record { digest: info.digest, seen })
            }));
            if !more {
                return Ok(Self(records.into_iter().collect()));
            }
            after = records.last().map(|(id, _)| id.clone());
        }
    }

    /// The files that are on disk.
    pub(crate) fn on_disk(&self) -> impl Iterator<Item = (&DocumentId, &Record)> {
        self.0.iter().filter(|(_, record)| matches!(record.seen, Seen::OnDisk(_)))
    }

    /// The documents that have no file here, and why.
    pub(crate) fn off_disk(&self) -> impl Iterator<Item = (&DocumentId, &str)> {
        self.0.iter().filter_map(|(id, record)| match &record.seen {
            Seen::Off(why) => Some((id, why.as_str())),
            _ => None,
        })
    }
}

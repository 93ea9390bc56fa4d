//! Documents that have no file here though they could: their obstacle is gone, or a crash came before their note.
//!
//! Their bodies are not kept on this device, so they are fetched from the store. A missing file that was never recorded as
//! written is no deletion. (I13)

use std::sync::Arc;

use longshore::{DocumentId, Hash, Result, Server};

use crate::folder::place::Presence;
use crate::folder::seen::{Hint, Record, Seen};
use crate::folder::write::{Task, Wanted};
use crate::replica::FolderReplica;

/// Writes the files of such documents.
pub(super) async fn fetch(replica: &Arc<FolderReplica>, server: &dyn Server) -> Result<()> {
    for (id, record) in candidates(replica) {
        let Some(document) = server.get(&id).await? else { continue };
        let digest = Hash::of(&document.body);
        // Committed since this sync: the next one brings it.
        if digest != record.digest {
            continue;
        }
        let hint = Hint::parse(document.revision.as_ref());
        let wanted = Wanted::File { body: document.body, digest, hint };
        replica.write_missing(Task { id, wanted, record: Some(record) }).await?;
    }
    Ok(())
}

fn candidates(replica: &FolderReplica) -> Vec<(DocumentId, Record)> {
    let (folder, book) = (replica.folder(), replica.book());
    let absent = book.0.iter().filter(|(_, record)| !matches!(record.seen, Seen::OnDisk(_)));
    let possible = absent
        .filter(|(id, _)| folder.refuses(id.as_str()).is_none() && folder.presence(id.as_str()) == Presence::Missing);
    possible.map(|(id, record)| (id.clone(), record.clone())).collect()
}

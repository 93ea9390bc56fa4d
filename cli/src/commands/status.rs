//! `longshore status`: how a folder stands, without asking the store.

use std::sync::Arc;

use longshore::{Client, MemoryStorage, Replica, Status};
use serde_json::json;

use super::text::{count, print_json, print_skipped, time};
use crate::args;
use crate::attached::{self, Attached};
use crate::book::Book;
use crate::changes::Changes;
use crate::exit::{Exit, Result, one_line};
use crate::folder::{Folder, Skipped};
use crate::last_failure::LastFailure;
use crate::output::say;
use crate::replica::{blocking, wall_seconds};

pub(super) async fn run(args: &args::Attached, json: bool) -> Result<Exit> {
    let at = Attached::open(&args.folder).await?;
    let mut status = replica_status(Arc::new(at.replica.clone())).await?;
    let failed = LastFailure::load(&at.state());
    // The engine's own is the same or older: each sync that fails is noted, and each that succeeds ends both.
    let failed_at = failed.as_ref().map(|failed| failed.at);
    status.last_error = failed.map(|failed| failed.message).or(status.last_error);
    let book = Book::load(&at.replica).await?;
    let off: Vec<Skipped> = book.off_disk().map(|(id, why)| Skipped::problem(id.as_str(), why)).collect();
    let files = book.on_disk().count() as u64;
    let (changes, fresh) = look(&at, book).await?;
    if json {
        print_json(&json!({
            "folder": at.folder, "url": at.config.url, "device": at.config.device, "files": files,
            "changed": changes.candidates.len(), "deleted": changes.deleted.len(), "too_fresh": fresh, "status": status,
            "failed_at": failed_at, "skipped": changes.skipped, "not_on_disk": off,
        }));
        return Ok(Exit::Done);
    }
    say!("{} is attached to {} as `{}`", at.folder.display(), at.config.url, at.config.device);
    say!("{}", last_sync(&status, failed_at));
    say!(
        "{} recorded; since then {} look changed and {} are gone",
        count(files, "file"),
        changes.candidates.len(),
        changes.deleted.len()
    );
    if fresh > 0 {
        say!("{} too fresh to tell: written within two seconds of being recorded", count(fresh, "file"));
    }
    say!("{} to commit, {} waiting", count(status.pending, "recorded change"), count(status.conflicts, "conflict"));
    print_skipped(&changes.skipped);
    print_skipped(&off);
    Ok(Exit::Done)
}

/// The engine's status needs no store: a client over an empty one asks the replica only.
async fn replica_status(replica: Arc<dyn Replica>) -> Result<Status> {
    let server = attached::server(Arc::new(MemoryStorage::new()))?;
    Ok(Client::builder(server, replica).build().status().await?)
}

/// What changed, and how many files cannot be told without reading much.
async fn look(at: &Attached, book: Book) -> Result<(Changes, u64)> {
    let folder = Folder::new(at.folder.clone());
    let changes = blocking(move || {
        let mut changes = Changes::find(&folder, folder.scan(wall_seconds())?, &book);
        let fresh = changes.settle_fresh(&folder, wall_seconds());
        Ok((changes, fresh))
    });
    changes.await?.map_err(|error| crate::config::cannot("read", &at.folder, &error))
}

fn last_sync(status: &Status, failed_at: Option<u64>) -> String {
    let synced = match (status.last_synced, status.checkpoint) {
        (None, _) => "never synced".to_owned(),
        (Some(at), Some(entry)) => format!("last in step at {}, with commit {}", time(at), entry.get()),
        (Some(at), None) => format!("last in step at {}, with an empty store", time(at)),
    };
    let failed = failed_at.map_or_else(String::new, |at| format!(" at {}", time(at)));
    match &status.last_error {
        Some(error) => format!("{synced}; the last sync failed{failed}: {}", one_line(error)),
        None => synced,
    }
}

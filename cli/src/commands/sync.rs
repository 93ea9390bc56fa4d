//! `longshore sync`: scan, queue, sync, write back.

mod dry_run;
mod missing;
mod space;
mod summary;

use std::sync::{Arc, PoisonError};

use longshore::{DocumentId, Replica, SyncReport};

use self::summary::Summary;
use crate::address;
use crate::args::Sync;
use crate::attached::Attached;
use crate::book::Book;
use crate::changes::Changes;
use crate::config::cannot;
use crate::conflict::{ByRule, Decisions};
use crate::dying::DieAt;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::folder::scan::remove_leftovers;
use crate::folder::{Folder, Skipped};
use crate::last_failure::LastFailure;
use crate::progress::Display;
use crate::replica::{FolderReplica, blocking, wall_seconds};

/// Names of files that a guard shows.
const SHOWN: usize = 20;

pub(super) async fn run(args: Sync, json: bool) -> Result<Exit> {
    let at = Attached::open(&args.at.folder).await?;
    let _lock = at.lock()?;
    if args.dry_run {
        let (folder, book, changes) = look(&at, &args).await?;
        return dry_run::run(&at, folder, book, changes, json).await;
    }
    let result = in_step(&at, args, json).await;
    LastFailure::note(&at.state(), &result);
    Ok(result?.tell(json))
}

/// Brings the folder and its store in step.
async fn in_step(at: &Attached, args: Sync, json: bool) -> Result<Summary> {
    let (folder, book, changes) = look(at, &args).await?;
    if !args.allow_mass_delete {
        guard(&folder, &book, &changes)?;
    }
    let replica = Arc::new(FolderReplica::new(at.replica.clone(), folder, book, args.allow_mass_delete));
    replica.run_before_write(args.before_write);
    let skipped = replica.queue_changes(changes).await?;
    let rule = ByRule {
        rule: args.conflict,
        device: at.config.device.clone(),
        replica: Arc::clone(&replica),
        decisions: Decisions::default(),
    };
    let decisions = Arc::clone(&rule.decisions);
    let report = sync(at, &replica, rule, args.die_at, json).await?;
    space::give_back(at).await;
    let decisions = decisions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Summary { report, tally: replica.tally(), skipped: left_out(&replica, skipped), decisions })
}

/// Scans the folder while the records are read, and compares the two.
async fn look(at: &Attached, args: &Sync) -> Result<(Arc<Folder>, Book, Changes)> {
    address::refuse_nesting(&at.folder, &at.config.url)?;
    let mut folder = Folder::new(at.folder.clone());
    if let Some(DieAt::File(number)) = args.die_at {
        folder.die_at_file = Some(number);
    }
    let folder = Arc::new(folder);
    let scanner = Arc::clone(&folder);
    let scan = tokio::spawn(blocking(move || scanner.scan(wall_seconds())));
    let book = Book::load(&at.replica).await?;
    let ended = |error| Failure::new(Exit::Failure, at.folder.display(), format!("the scan ended early ({error})"));
    let scan = scan.await.map_err(ended)??.map_err(|error| cannot("read", &at.folder, &error))?;
    let (comparer, keep_leftovers) = (Arc::clone(&folder), args.dry_run);
    let found = blocking(move || {
        if !keep_leftovers {
            remove_leftovers(&scan.leftovers);
        }
        let changes = Changes::find(&comparer, scan, &book);
        (book, changes)
    });
    let (book, changes) = found.await?;
    Ok((folder, book, changes))
}

/// Stops before deletions are queued, if they would be too many.
fn guard(folder: &Folder, book: &Book, changes: &Changes) -> Result<()> {
    match changes.mass_deletion(folder, book, wall_seconds()) {
        None => Ok(()),
        Some(lost) => Err(stopped(&lost, "elsewhere, since they are gone here")),
    }
}

/// Shows what would go, and fails.
fn stopped(lost: &[DocumentId], place: &str) -> Failure {
    for id in lost.iter().take(SHOWN) {
        eprintln!("  - {}", one_line(id.as_str()));
    }
    if lost.len() > SHOWN {
        eprintln!("  … and {} more", lost.len() - SHOWN);
    }
    let what = format!(
        "stopped: this sync would delete {} files {place}, more than half of all; if that is right, run it again with \
         --allow-mass-delete",
        lost.len()
    );
    Failure::new(Exit::Guard, "sync", what)
}

async fn sync(
    at: &Attached,
    replica: &Arc<FolderReplica>,
    rule: ByRule,
    die_at: Option<DieAt>,
    json: bool,
) -> Result<SyncReport> {
    let server = at.server(die_at)?;
    at.check_store(&server).await?;
    let display = Display::new(json);
    let client = Attached::client(Arc::clone(&server), Arc::clone(replica) as Arc<dyn Replica>);
    let client = client.resolver(rule).observer(display).build();
    let report = client.sync().await.map_err(|error| {
        let refused = replica.tally().refused;
        if refused.is_empty() { Failure::from(error) } else { stopped(&refused, "here, since they are gone elsewhere") }
    })?;
    missing::fetch(replica, &*server).await?;
    Ok(report)
}

/// Everything that is not in step, old and new.
fn left_out(replica: &FolderReplica, mut skipped: Vec<Skipped>) -> Vec<Skipped> {
    let book = replica.book();
    for (id, why) in book.off_disk() {
        if !skipped.iter().any(|known| known.name == id.as_str()) {
            let policy = replica.folder().is_ignored(id.as_str());
            skipped.push(Skipped { name: id.to_string(), why: why.to_owned(), policy });
        }
    }
    skipped
}

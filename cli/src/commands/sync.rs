//! `longshore sync`: scan, queue, sync, write back.

mod dry_run;
mod forecast;
mod missing;
mod space;
mod summary;

use std::sync::{Arc, PoisonError};

use longshore::{DocumentId, Replica, SyncReport};
use serde_json::json;

use self::forecast::{Forecast, Here};
use self::summary::Summary;
use crate::address;
use crate::args::Sync;
use crate::attached::Attached;
use crate::book::Book;
use crate::changes::Changes;
use crate::config::cannot;
use crate::conflict::{ByRule, Decisions, Rule};
use crate::dying::DieAt;
use crate::exit::{Exit, Failure, Result, one_line};
use crate::folder::scan::remove_leftovers;
use crate::folder::{Folder, Skipped};
use crate::last_failure::LastFailure;
use crate::progress::Display;
use crate::replica::{FolderReplica, blocking, wall_seconds};

/// Names of files that a guard shows.
const SHOWN: usize = 20;

pub(super) async fn run(args: Sync, verbose: bool, json: bool) -> Result<Exit> {
    let at = Attached::open(&args.at.folder).await?;
    let _lock = at.lock()?;
    if args.dry_run {
        let here = look(&at, &args).await?;
        return dry_run::run(&at, &args, here, json).await;
    }
    let result = in_step(&at, args, Shown { all: verbose, json }).await;
    LastFailure::note(&at.state(), &result);
    Ok(result?.tell(&at.folder, json))
}

/// How much is shown of what the guard stopped.
#[derive(Clone, Copy)]
struct Shown {
    all: bool,
    json: bool,
}

/// Brings the folder and its store in step.
async fn in_step(at: &Attached, args: Sync, shown: Shown) -> Result<Summary> {
    let here = look(at, &args).await?;
    if !args.allow_mass_delete
        && let Some(lost) = here.changes.mass_deletion(&here.folder, &here.book, wall_seconds())
    {
        return Err(stopped(at, here, args.conflict, &lost, "elsewhere, since they are gone here", shown).await);
    }
    let Here { folder, book, changes } = here;
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
    let report = sync(at, &replica, rule, args.die_at, shown).await?;
    space::give_back(at).await;
    let decisions = decisions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Summary { report, tally: replica.tally(), skipped: left_out(&replica, skipped), decisions })
}

/// Scans the folder while the records are read, and compares the two.
async fn look(at: &Attached, args: &Sync) -> Result<Here> {
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
    Ok(Here { folder, book, changes })
}

/// Shows what would go, and what else the sync would do; nothing of it is done.
async fn stopped(at: &Attached, here: Here, rule: Rule, lost: &[DocumentId], place: &str, shown: Shown) -> Failure {
    let what = format!(
        "stopped: this sync would delete {} files {place}, more than half of all; if that is right, run it again with \
         --allow-mass-delete",
        lost.len()
    );
    let failure = Failure::new(Exit::Guard, "sync", what);
    // A store that cannot be reached changes nothing of what would go.
    let forecast = Forecast::make(at, here, rule).await.ok();
    show(&lost.iter().map(|id| format!("- {}", one_line(id.as_str()))).collect::<Vec<_>>(), shown.all);
    let others = forecast.as_ref().map_or_else(Vec::new, |forecast| forecast.lines(lost, rule));
    if !others.is_empty() {
        eprintln!("and it would do this as well:");
        show(&others, shown.all);
    }
    let mut plan = forecast.map_or_else(|| json!({}), |forecast| forecast.as_json(Exit::Guard));
    plan["mass_delete"] = json!(true);
    plan["would_delete"] = json!(lost);
    failure.with_details(json!({ "plan": plan }))
}

/// The first lines, or all.
fn show(lines: &[String], all: bool) {
    let most = if all { lines.len() } else { SHOWN.min(lines.len()) };
    for line in &lines[..most] {
        eprintln!("  {line}");
    }
    if most < lines.len() {
        eprintln!("  … and {} more; --verbose shows all", lines.len() - most);
    }
}

async fn sync(
    at: &Attached,
    replica: &Arc<FolderReplica>,
    rule: ByRule,
    die_at: Option<DieAt>,
    shown: Shown,
) -> Result<SyncReport> {
    let server = at.server(die_at)?;
    at.check_store(&server).await?;
    let display = Display::new(shown.json);
    let client = Attached::client(Arc::clone(&server), Arc::clone(replica) as Arc<dyn Replica>);
    let conflict = rule.rule;
    let client = client.resolver(rule).observer(display).build();
    let synced = client.sync().await;
    drop(client);
    let refused = replica.tally().refused;
    if synced.is_err() && !refused.is_empty() {
        let (folder, book) = (Arc::clone(replica.folder()), replica.book().clone());
        let here = Here { folder, book, changes: Changes::default() };
        return Err(stopped(at, here, conflict, &refused, "here, since they are gone elsewhere", shown).await);
    }
    let report = synced.map_err(|error| at.failure(&error))?;
    missing::fetch(replica, &*server).await.map_err(|error| at.failure(&error))?;
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

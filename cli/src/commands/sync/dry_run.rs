//! `longshore sync --dry-run`: what a sync would do. Nothing is written: no file, no state, nothing in the store.
//!
//! What changed in the folder is not queued for this, so the engine's plan does not know it; the two are laid together here.

use std::collections::BTreeSet;
use std::sync::Arc;

use longshore::{DocumentId, Effect, Plan};
use serde_json::json;

use crate::attached::Attached;
use crate::book::Book;
use crate::changes::{Changes, read_page};
use crate::commands::text::{count, print_json, print_skipped};
use crate::exit::{Exit, Result, one_line};
use crate::folder::{Folder, Skipped};
use crate::guard::is_mass;
use crate::output::say;
use crate::replica::{blocking, wall_seconds};

/// One line of what would happen.
type Line = (&'static str, DocumentId);

/// What changed here, in the words of a plan.
struct Here {
    push: Vec<Line>,
    skipped: Vec<Skipped>,
}

pub(super) async fn run(at: &Attached, folder: Arc<Folder>, book: Book, changes: Changes, json: bool) -> Result<Exit> {
    let server = at.server(None)?;
    at.check_store(&server).await?;
    let plan = Attached::client(server, Arc::new(at.replica.clone())).build().plan().await?;
    let files = book.on_disk().count();
    let here = blocking(move || read_all(&folder, changes)).await?;
    let (push, pull, conflicts) = lay_together(&here, &plan);
    let deletes = |lines: &[Line]| lines.iter().filter(|(effect, _)| *effect == "delete").count();
    let mass = is_mass(deletes(&push), files) || is_mass(deletes(&pull), files);
    if json {
        let lines =
            |lines: &[Line]| lines.iter().map(|(effect, id)| json!({ "id": id, "effect": effect })).collect::<Vec<_>>();
        print_json(&json!({
            "push": lines(&push), "pull": lines(&pull), "conflicts": conflicts, "skipped": here.skipped,
            "mass_delete": mass,
        }));
        return Ok(Exit::Done);
    }
    print(&push, "commit:");
    print(&pull, "write here:");
    for id in &conflicts {
        say!("changed on both sides: {}", one_line(id.as_str()));
    }
    print_skipped(&here.skipped);
    if mass {
        say!("many files would be deleted: a sync may stop and ask for --allow-mass-delete");
    }
    say!(
        "a sync would commit {}, write {} here, and meet {} on both sides; nothing was done",
        count(push.len() as u64, "change"),
        count(pull.len() as u64, "change"),
        count(conflicts.len() as u64, "file"),
    );
    Ok(Exit::Done)
}

fn print(lines: &[Line], what: &str) {
    for (effect, id) in lines {
        say!("{what} {effect} {}", one_line(id.as_str()));
    }
}

fn read_all(folder: &Folder, changes: Changes) -> Here {
    let mut here = Here { push: Vec::new(), skipped: changes.skipped };
    here.push.extend(changes.deleted.into_iter().map(|id| ("delete", id)));
    let mut left = changes.candidates.into_iter();
    while left.len() > 0 {
        let page = read_page(folder, &mut left, wall_seconds());
        here.skipped.extend(page.skipped);
        here.push.extend(page.changed.into_iter().map(|changed| (put(changed.known), changed.id)));
    }
    here
}

const fn put(known: bool) -> &'static str {
    if known { "update" } else { "create" }
}

/// A document that changed here and elsewhere is in conflict, unless both turn out to have the same bytes.
fn lay_together(here: &Here, plan: &Plan) -> (Vec<Line>, Vec<Line>, BTreeSet<DocumentId>) {
    let mut push: Vec<Line> = here.push.clone();
    let known: BTreeSet<DocumentId> = push.iter().map(|(_, id)| id.clone()).collect();
    let queued = plan.push.iter().filter(|planned| !known.contains(&planned.id));
    push.extend(queued.map(|planned| (effect(planned.effect), planned.id.clone())));
    let mut conflicts: BTreeSet<DocumentId> = plan.conflicts.iter().cloned().collect();
    conflicts.extend(plan.pull.iter().filter(|planned| known.contains(&planned.id)).map(|planned| planned.id.clone()));
    push.retain(|(_, id)| !conflicts.contains(id));
    let pull = plan.pull.iter().filter(|planned| !conflicts.contains(&planned.id));
    (push, pull.map(|planned| (effect(planned.effect), planned.id.clone())).collect(), conflicts)
}

const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Create => "create",
        Effect::Update => "update",
        Effect::Delete => "delete",
    }
}

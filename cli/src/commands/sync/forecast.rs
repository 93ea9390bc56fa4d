//! What a sync would do, by the same rules: for `--dry-run`, and to show what the guard stopped.
//!
//! What changed in the folder may not be queued, so the engine's plan does not know it; the two are laid together here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore::{DocumentId, Effect, Hash, Plan, Replica as _, Version};
use serde_json::{Value, json};

use crate::attached::Attached;
use crate::book::Book;
use crate::changes::{Changes, read_page};
use crate::commands::log;
use crate::commands::text::{count, print_skipped};
use crate::conflict::{CopyName, Rule, copy_name};
use crate::exit::{Exit, Result, one_line};
use crate::folder::place::Presence;
use crate::folder::{Folder, Skipped};
use crate::guard;
use crate::replica::{blocking, wall_seconds};

/// What happens to a document.
#[derive(Clone, Debug)]
struct Line {
    id: DocumentId,
    effect: &'static str,
    /// The hash of what it has then, as far as that is known.
    digest: Option<Hash>,
}

/// A document that was changed on both sides, and what would become of it.
struct Meeting {
    id: DocumentId,
    deleted_here: bool,
    deleted_elsewhere: bool,
    decision: Outcome,
}

/// What a rule would do.
enum Outcome {
    Copied(DocumentId),
    Ours,
    Theirs,
    Open,
}

/// What a sync would do.
pub(super) struct Forecast {
    push: Vec<Line>,
    pull: Vec<Line>,
    conflicts: Vec<Meeting>,
    skipped: Vec<Skipped>,
    /// What would be deleted by a mass deletion, elsewhere or here.
    pub(super) lost: Vec<DocumentId>,
}

/// The folder as a sync finds it.
pub(super) struct Here {
    pub(super) folder: Arc<Folder>,
    pub(super) book: Book,
    pub(super) changes: Changes,
}

/// The newest version of a document beyond this folder's checkpoint; none if it was deleted.
type Ahead = BTreeMap<DocumentId, Option<Hash>>;
/// What a look at the folder finds changed; none is a deletion.
type Found = BTreeMap<DocumentId, Option<Hash>>;

impl Forecast {
    /// Reads the folder and the store, and changes neither.
    pub(super) async fn make(at: &Attached, here: Here, rule: Rule) -> Result<Self> {
        let server = at.server(None)?;
        at.check_store(&server).await?;
        let client = Attached::client(Arc::clone(&server), Arc::new(at.replica.clone())).build();
        let plan = client.plan().await.map_err(|error| at.failure(&error))?;
        let Here { folder, book, changes } = here;
        let reader = Arc::clone(&folder);
        let (push, mut skipped) = blocking(move || read_all(&reader, changes)).await?;
        let ahead = if plan.pull.is_empty() && plan.conflicts.is_empty() {
            Ahead::new()
        } else {
            let checkpoint = client.status().await?.checkpoint;
            let ahead = log::ahead(&server, checkpoint).await;
            ahead.map_err(|error| at.failure(&error))?
        };
        skipped.extend(left_out(&folder, &book, &plan));
        let found: Found = push.iter().map(|line| (line.id.clone(), line.digest)).collect();
        let mut forecast = lay_together(push, &plan, &ahead, skipped);
        for (id, ours, theirs) in met(at, &found, &plan, &ahead).await? {
            let decision = decide(at, &folder, &book, rule, &id, (ours, theirs));
            forecast.meet(id, ours, theirs, decision);
        }
        forecast.lost = forecast.mass_deletion(&book);
        Ok(forecast)
    }

    /// Takes in a document that was changed on both sides.
    fn meet(&mut self, id: DocumentId, ours: Option<Hash>, theirs: Option<Hash>, decision: Outcome) {
        self.push.retain(|line| line.id != id);
        self.pull.retain(|line| line.id != id);
        // Both did the same: nothing is left to decide.
        if ours != theirs {
            let (deleted_here, deleted_elsewhere) = (ours.is_none(), theirs.is_none());
            self.conflicts.push(Meeting { id, deleted_here, deleted_elsewhere, decision });
        }
    }

    /// What would be too much, as the guards of a sync count it: by content, each direction by itself.
    fn mass_deletion(&self, book: &Book) -> Vec<DocumentId> {
        let files = book.on_disk().count();
        let conflicts = |wanted: fn(&Meeting) -> bool| self.conflicts.iter().filter(move |meeting| wanted(meeting));
        let here = conflicts(|meeting| meeting.deleted_elsewhere && matches!(meeting.decision, Outcome::Theirs));
        let gone = conflicts(|meeting| meeting.deleted_here);
        for (lines, more) in [
            (&self.push, gone.map(|meeting| &meeting.id).collect::<Vec<_>>()),
            (&self.pull, here.map(|meeting| &meeting.id).collect()),
        ] {
            let removed = lines.iter().filter(|line| line.effect == "delete").map(|line| &line.id).chain(more);
            let lost = guard::lost(book, removed, lines.iter().filter_map(|line| line.digest).collect());
            if guard::is_mass(lost.len(), files) {
                return lost;
            }
        }
        Vec::new()
    }

    /// How a sync would end.
    pub(super) fn exit(&self, allow_mass_delete: bool) -> Exit {
        if !self.lost.is_empty() && !allow_mass_delete {
            Exit::Guard
        } else if self.conflicts.iter().any(|meeting| matches!(meeting.decision, Outcome::Open)) {
            Exit::Conflicts
        } else if self.skipped.iter().any(|skipped| !skipped.policy) {
            Exit::Skipped
        } else {
            Exit::Done
        }
    }

    pub(super) fn as_json(&self, exit: Exit) -> Value {
        let lines = |lines: &[Line]| {
            lines.iter().map(|line| json!({ "id": line.id, "effect": line.effect })).collect::<Vec<_>>()
        };
        json!({
            "push": lines(&self.push), "pull": lines(&self.pull), "skipped": self.skipped,
            "conflicts": self.conflicts.iter().map(Meeting::as_json).collect::<Vec<_>>(),
            "mass_delete": !self.lost.is_empty(), "would_delete": self.lost, "exit": exit as u8,
        })
    }

    /// One line for each document, but for those that are named already.
    pub(super) fn lines(&self, named: &[DocumentId], rule: Rule) -> Vec<String> {
        let named: BTreeSet<&DocumentId> = named.iter().collect();
        let line = |what: &str, line: &Line| format!("{what} {} {}", line.effect, one_line(line.id.as_str()));
        let left =
            |lines: &'_ [Line]| lines.iter().filter(|line| !named.contains(&line.id)).cloned().collect::<Vec<_>>();
        let mut all: Vec<String> = left(&self.push).iter().map(|l| line("commit:", l)).collect();
        all.extend(left(&self.pull).iter().map(|l| line("write here:", l)));
        all.extend(self.conflicts.iter().map(|meeting| meeting.words(rule)));
        all
    }

    pub(super) fn print_skipped(&self) {
        print_skipped(&self.skipped);
    }

    /// Everything in a line.
    pub(super) fn summary(&self) -> String {
        format!(
            "a sync would commit {}, write {} here, and meet {} on both sides; nothing was done",
            count(self.push.len() as u64, "change"),
            count(self.pull.len() as u64, "change"),
            count(self.conflicts.len() as u64, "file"),
        )
    }
}

impl Meeting {
    /// `sub/c.md: deleted elsewhere, changed here; with remote it would be removed here`
    fn words(&self, rule: Rule) -> String {
        let what = match (self.deleted_elsewhere, self.deleted_here) {
            (true, _) => "deleted elsewhere, changed here",
            (_, true) => "changed elsewhere, deleted here",
            _ => "changed elsewhere and here",
        };
        let then = match &self.decision {
            Outcome::Copied(copy) => {
                format!("theirs would take the name, and yours become {}", one_line(copy.as_str()))
            }
            Outcome::Ours if self.deleted_here => "it would be deleted elsewhere".to_owned(),
            Outcome::Ours => "your version would be committed".to_owned(),
            Outcome::Theirs if self.deleted_elsewhere => "it would be removed here".to_owned(),
            Outcome::Theirs => "their version would be written here".to_owned(),
            Outcome::Open => "it would stay open".to_owned(),
        };
        format!("conflict: {}: {what}; with {} {then}", one_line(self.id.as_str()), rule.word())
    }

    fn as_json(&self) -> Value {
        let word = |deleted| if deleted { "deleted" } else { "changed" };
        let (decision, copy) = match &self.decision {
            Outcome::Copied(copy) => ("copied", Some(copy)),
            Outcome::Ours => ("ours", None),
            Outcome::Theirs => ("theirs", None),
            Outcome::Open => ("open", None),
        };
        json!({
            "document": self.id, "here": word(self.deleted_here), "elsewhere": word(self.deleted_elsewhere),
            "decision": decision, "copy": copy,
        })
    }
}

/// The documents that were changed on both sides, with what each side has.
async fn met(
    at: &Attached,
    found: &Found,
    plan: &Plan,
    ahead: &Ahead,
) -> Result<Vec<(DocumentId, Option<Hash>, Option<Hash>)>> {
    let mut ids: BTreeSet<&DocumentId> = plan.conflicts.iter().collect();
    ids.extend(plan.pull.iter().map(|planned| &planned.id).filter(|id| found.contains_key(*id)));
    let mut met = Vec::new();
    for id in ids {
        let recorded = at.replica.conflict(id).await?;
        let theirs = match (ahead.get(id), &recorded) {
            (Some(theirs), _) => *theirs,
            (None, Some(recorded)) => digest(&recorded.remote),
            (None, None) => continue,
        };
        let ours = match (found.get(id), &recorded) {
            (Some(ours), _) => *ours,
            (None, Some(recorded)) => digest(&recorded.local),
            // It waits in the outbox.
            (None, None) => at.replica.info(id).await?.map(|info| info.digest),
        };
        met.push((id.clone(), ours, theirs));
    }
    Ok(met)
}

/// What the rule does, as [`crate::conflict::ByRule`] decides it.
fn decide(
    at: &Attached,
    folder: &Folder,
    book: &Book,
    rule: Rule,
    id: &DocumentId,
    (ours, theirs): (Option<Hash>, Option<Hash>),
) -> Outcome {
    match (rule, ours, theirs) {
        (Rule::Stop, ..) => Outcome::Open,
        (Rule::Local, ..) | (Rule::KeepBoth, Some(_), None) => Outcome::Ours,
        (Rule::Remote, ..) | (Rule::KeepBoth, None, _) => Outcome::Theirs,
        (Rule::KeepBoth, Some(ours), Some(_)) => match copy_name(folder, book, &at.config.device, id, ours) {
            CopyName::Free(copy) => Outcome::Copied(copy),
            CopyName::Made => Outcome::Theirs,
            CopyName::Impossible => Outcome::Open,
        },
    }
}

fn digest(version: &Version) -> Option<Hash> {
    match version {
        Version::Present(document) => Some(Hash::of(&document.body)),
        Version::Deleted => None,
    }
}

fn read_all(folder: &Folder, changes: Changes) -> (Vec<Line>, Vec<Skipped>) {
    let mut skipped = changes.skipped;
    let mut push: Vec<Line> =
        changes.deleted.into_iter().map(|id| Line { id, effect: "delete", digest: None }).collect();
    let mut left = changes.candidates.into_iter();
    while left.len() > 0 {
        let page = read_page(folder, &mut left, wall_seconds());
        skipped.extend(page.skipped);
        push.extend(page.changed.into_iter().map(|changed| {
            let effect = if changed.known { "update" } else { "create" };
            Line { id: changed.id, effect, digest: Some(changed.record.digest) }
        }));
    }
    (push, skipped)
}

/// Documents that have no file here and would get none, and those that would come and cannot be written.
fn left_out(folder: &Folder, book: &Book, plan: &Plan) -> Vec<Skipped> {
    let old = book.off_disk().filter_map(|(id, why)| {
        let blocked = folder.refuses(id.as_str()).is_some() || folder.presence(id.as_str()) != Presence::Missing;
        blocked.then(|| (id, why.to_owned()))
    });
    let coming = plan.pull.iter().filter(|planned| planned.effect != Effect::Delete);
    let coming = coming.filter_map(|planned| Some((&planned.id, folder.refuses(planned.id.as_str())?)));
    let all: BTreeMap<&DocumentId, String> = old.chain(coming).collect();
    let skipped = |(id, why): (&DocumentId, String)| Skipped {
        name: id.to_string(),
        why,
        policy: folder.is_ignored(id.as_str()),
    };
    all.into_iter().map(skipped).collect()
}

fn lay_together(mut push: Vec<Line>, plan: &Plan, ahead: &Ahead, skipped: Vec<Skipped>) -> Forecast {
    let known: BTreeSet<DocumentId> = push.iter().map(|line| line.id.clone()).collect();
    let queued = plan.push.iter().filter(|planned| !known.contains(&planned.id));
    push.extend(queued.map(|planned| Line { id: planned.id.clone(), effect: effect(planned.effect), digest: None }));
    let pull = plan.pull.iter().map(|planned| {
        let digest = ahead.get(&planned.id).copied().flatten();
        Line { id: planned.id.clone(), effect: effect(planned.effect), digest }
    });
    Forecast { push, pull: pull.collect(), conflicts: Vec::new(), skipped, lost: Vec::new() }
}

const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Create => "create",
        Effect::Update => "update",
        Effect::Delete => "delete",
    }
}

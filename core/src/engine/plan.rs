//! Plans: what a sync would do, before it does anything; and a sync that does exactly that.

use std::collections::BTreeMap;

use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Change, DocumentId, RowNumber, Sequence};
use crate::replica::{Digest, PendingRow};
use crate::server::{Content, Entry, Tip};

/// How many entries are read at once.
const STRIDE: usize = 16;
/// Body bytes of one page read from the outbox.
const PAGE: usize = 4 << 20;

/// What happens to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is new there.
    Create,
    /// It is there already and changes.
    Update,
    /// It goes.
    Delete,
}

/// One document of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The document.
    pub id: DocumentId,
    /// What happens to it.
    pub effect: Effect,
    /// Body bytes of its new version.
    pub bytes: u64,
}

/// What a sync would do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// What would change here, by id.
    pub pull: Vec<Planned>,
    /// What would be committed, in the order of the outbox.
    pub push: Vec<Planned>,
    /// Documents that the app would be asked about.
    pub conflicts: Vec<DocumentId>,
    /// Whether the store would be initialised.
    pub initialize: bool,
    from: Option<Tip>,
    head: Option<Tip>,
    last_row: Option<RowNumber>,
}

impl Plan {
    /// The newest outbox row that the plan knew.
    pub(super) const fn last_row(&self) -> Option<RowNumber> {
        self.last_row
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.pull.is_empty() && self.push.is_empty() && self.conflicts.is_empty()
    }

    pub(super) fn outdated() -> Error {
        Error::new(ErrorKind::Conflict, "the plan is outdated: make a new one; nothing was changed")
            .with_operation("sync")
    }
}

impl Session<'_> {
    /// Reads on to the head, applies nothing, and tells what would happen.
    pub(super) async fn plan(&mut self) -> Result<Plan> {
        let from = self.state.store.as_ref().map(|known| known.tip);
        let mut changes = BTreeMap::new();
        let head = self.walk(Some(&mut changes)).await?;
        let ids: Vec<DocumentId> = changes.keys().cloned().collect();
        let outbox = self.client.replica.outbox(&ids).await?;
        let mut plan = Plan {
            pull: Vec::new(),
            push: Vec::new(),
            conflicts: self.client.replica.conflicts().await?,
            initialize: head.is_none(),
            from,
            head,
            last_row: outbox.last_row,
        };
        let mut settled = Vec::new();
        for (id, versions) in changes {
            match fate(&versions, outbox.rows.get(&id).map_or(&[][..], Vec::as_slice)) {
                Fate::Take(planned) => plan.pull.extend(self.pulled(planned).await?),
                Fate::Settle => settled.push(id),
                Fate::Keep => {}
                Fate::Conflict => plan.conflicts.push(id),
            }
        }
        plan.conflicts.sort();
        plan.conflicts.dedup();
        plan.push = self.pushed(&plan, &settled).await?;
        Ok(plan)
    }

    /// The effect of a remote change here; none for the deletion of what is not here.
    async fn pulled(&self, mut planned: Planned) -> Result<Option<Planned>> {
        let here = self.client.replica.contains(&planned.id).await?;
        planned.effect = match (planned.effect, here) {
            (Effect::Delete, false) => return Ok(None),
            (Effect::Delete, true) => Effect::Delete,
            (_, false) => Effect::Create,
            (_, true) => Effect::Update,
        };
        Ok(Some(planned))
    }

    async fn pushed(&self, plan: &Plan, settled: &[DocumentId]) -> Result<Vec<Planned>> {
        let mut push = Vec::new();
        let Some(last) = plan.last_row else {
            return Ok(push);
        };
        let mut after = None;
        loop {
            let page = self.client.replica.pending(after, last, PAGE).await?;
            let Some(newest) = page.last() else {
                return Ok(push);
            };
            after = Some(newest.row);
            let kept = page.into_iter().map(|pending| pending.change);
            let kept = kept.filter(|change| settled.binary_search(&change.id).is_err());
            push.extend(kept.filter(|change| plan.conflicts.binary_search(&change.id).is_err()).map(|c| planned(&c)));
        }
    }

    /// Whether the outbox is still the one that the caller agreed to. Asked before anything else, a new store included.
    pub(super) async fn check_agreed_outbox(&self) -> Result<()> {
        let Some(plan) = self.agreed else {
            return Ok(());
        };
        let last_row = self.client.replica.outbox(&[]).await?.last_row;
        if last_row == plan.last_row { Ok(()) } else { Err(Plan::outdated()) }
    }

    /// Whether what the caller agreed to is still what would happen.
    pub(super) async fn check_agreed(&mut self) -> Result<()> {
        let Some(plan) = self.agreed else {
            return Ok(());
        };
        if plan.from.is_some_and(|from| self.tip().is_ok_and(|tip| tip != from)) {
            return Err(Plan::outdated());
        }
        let head = self.walk(None).await?;
        let expected = match plan.head {
            Some(head) => head,
            None => self.tip()?,
        };
        if head.map(|tip| tip.hash) == Some(expected.hash) { Ok(()) } else { Err(Plan::outdated()) }
    }

    /// Whether this number lies beyond what the caller agreed to.
    pub(super) fn beyond_agreed(&self, number: Sequence) -> bool {
        self.agreed.is_some_and(|plan| number.get() > plan.head.map_or(0, |head| head.number()))
    }

    /// Whether this place is the head that the caller agreed to.
    pub(super) fn at_agreed(&self, tip: &Tip) -> bool {
        self.agreed.is_some_and(|plan| tip.number() >= plan.head.map_or(0, |head| head.number()))
    }

    /// Walks the log from the checkpoint to its head, and gathers changes on request. `None`: there is no store yet.
    async fn walk(&mut self, mut changes: Option<&mut Changes>) -> Result<Option<Tip>> {
        let mut tip = match &self.state.store {
            Some(known) => known.tip,
            None => match self.client.server.store().await?.value {
                Some(info) => Tip::beginning(&info),
                None => return Ok(None),
            },
        };
        loop {
            let next = tip.next()?;
            for reply in self.client.server.changes_read(next, STRIDE).await? {
                let Some(entry) = reply.value else {
                    self.above_floor(tip.next()?).await?;
                    return Ok(Some(tip));
                };
                if entry.previous != tip.hash {
                    return Err(self.broken_chain(entry.sequence).await);
                }
                if let Some(changes) = &mut changes {
                    self.note(&entry, changes).await?;
                }
                tip = entry.tip();
            }
        }
    }

    async fn note(&self, entry: &Entry, changes: &mut Changes) -> Result<()> {
        if self.attempt.as_ref().is_some_and(|open| open.hash == entry.hash) {
            return Ok(());
        }
        let mut add = |list: &[Change]| {
            for change in list {
                let version = (Digest::of(&change.action), planned(change));
                changes.entry(change.id.clone()).or_default().push(version);
            }
        };
        match &entry.content {
            Content::Changes(list) => add(list),
            Content::Segments(segments) => {
                for segment in segments {
                    add(&self.client.server.segment(segment).await?);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

type Changes = BTreeMap<DocumentId, Vec<(Digest, Planned)>>;

enum Fate {
    Take(Planned),
    Settle,
    Keep,
    Conflict,
}

/// The same rule as the pull's: an equal change settles a row, any other to a pending document is a conflict.
fn fate(versions: &[(Digest, Planned)], mut rows: &[PendingRow]) -> Fate {
    let mut last = Fate::Keep;
    for (digest, planned) in versions {
        if let Some(at) = rows.iter().rposition(|row| row.digest == *digest) {
            rows = &rows[at + 1..];
            last = if rows.is_empty() { Fate::Settle } else { Fate::Keep };
        } else if rows.is_empty() {
            last = Fate::Take(planned.clone());
        } else {
            last = Fate::Conflict;
        }
    }
    last
}

fn planned(change: &Change) -> Planned {
    let effect = match (&change.base, change.action.is_delete()) {
        (_, true) => Effect::Delete,
        (None, false) => Effect::Create,
        (Some(_), false) => Effect::Update,
    };
    Planned { id: change.id.clone(), effect, bytes: change.action.len() as u64 }
}

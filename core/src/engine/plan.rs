//! Plans: what a sync would do, before it does anything; and a sync that does exactly that.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::stream::TryStreamExt;

use super::fate::Fate;
use super::open::{BEGINNING, below_floor};
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Change, DocumentId, RowNumber, Sequence};
use crate::replica::{Conflict, Digest, PendingChange, PendingRow, RowSet, Version};
use crate::server::{Entry, Tip};

/// How many entries are read at once at the most: their changes are held.
const WIDEST: usize = 16;
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
        if let Some(between) = self.state.store.as_ref().and_then(|known| known.between) {
            return Err(below_floor(between));
        }
        let from = self.state.store.as_ref().map(|known| known.tip);
        let mut ahead = Ahead::default();
        let head = self.walk(Some(&mut ahead)).await?;
        let ids: Vec<DocumentId> = ahead.changes.keys().cloned().collect();
        let outbox = self.client.replica.outbox(&ids).await?;
        let mut left = Left {
            committed: self.attempt.as_ref().filter(|_| ahead.landed).map(|open| open.rows.clone()).unwrap_or_default(),
            conflicts: self.client.replica.conflicts().await?.into_iter().collect(),
            ..Left::default()
        };
        let mut pull = Vec::new();
        for (id, versions) in &ahead.changes {
            let rows = outbox.rows.get(id).map_or(&[][..], Vec::as_slice);
            if let Some(planned) = left.take(id, versions, rows) {
                pull.extend(self.pulled(planned).await?);
            }
        }
        let push = self.pushed(outbox.last_row, &left).await?;
        let conflicts = left.conflicts.into_iter().collect();
        Ok(Plan { pull, push, conflicts, initialize: head.is_none(), from, head, last_row: outbox.last_row })
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

    /// What is left to commit, in the order of the outbox.
    async fn pushed(&self, last: Option<RowNumber>, left: &Left) -> Result<Vec<Planned>> {
        let mut push = Vec::new();
        for id in &left.freed {
            if let Some(conflict) = self.client.replica.conflict(id).await? {
                push.push((conflict.row, freed(&conflict)));
            }
        }
        let Some(last) = last else {
            return Ok(Vec::new());
        };
        let mut after = None;
        loop {
            let page = self.client.replica.pending(after, last, PAGE).await?;
            let Some(newest) = page.last() else {
                break;
            };
            after = Some(newest.row);
            let based = self.based(&page, left).await?;
            for PendingChange { row, change } in page.into_iter().filter(|pending| left.stays(pending)) {
                let mut planned = planned(&change);
                if planned.effect == Effect::Create && based.contains(&change.id) {
                    planned.effect = Effect::Update;
                }
                push.push((row, planned));
            }
        }
        push.sort_by_key(|(row, _)| *row);
        Ok(push.into_iter().map(|(_, planned)| planned).collect())
    }

    /// The documents whose earlier rows are in the log by the time their last is pushed.
    async fn based(&self, page: &[PendingChange], left: &Left) -> Result<BTreeSet<DocumentId>> {
        let mut based = left.based.clone();
        if !left.committed.is_empty() {
            let ids: Vec<DocumentId> = page.iter().map(|pending| pending.change.id.clone()).collect();
            let rows = self.client.replica.outbox(&ids).await?.rows;
            let committed = |rows: &[PendingRow]| rows.iter().any(|row| left.committed.contains(row.row));
            based.extend(rows.into_iter().filter(|(_, rows)| committed(rows)).map(|(id, _)| id));
        }
        Ok(based)
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

    /// Whether a snapshot up to this entry leads to what the caller agreed to.
    pub(super) fn check_agreed_snapshot(&self, last: Sequence) -> Result<()> {
        if self.beyond_agreed(last) { Err(Plan::outdated()) } else { Ok(()) }
    }

    /// Whether this place is the head that the caller agreed to.
    pub(super) fn at_agreed(&self, tip: &Tip) -> bool {
        self.agreed.is_some_and(|plan| tip.number() >= plan.head.map_or(0, |head| head.number()))
    }

    /// Walks the log from the checkpoint to its head, and gathers changes on request. `None`: there is no store yet.
    async fn walk(&mut self, mut ahead: Option<&mut Ahead>) -> Result<Option<Tip>> {
        let mut tip = match &self.state.store {
            Some(known) => known.tip,
            None => match self.client.server.store().await?.value {
                Some(info) => Tip::beginning(&info),
                None => return Ok(None),
            },
        };
        // Mostly there is nothing, so the first look is a small one.
        let mut width = if tip.sequence.is_none() { BEGINNING } else { 1 };
        let mut hole = None;
        loop {
            let replies = self.client.server.changes_read(tip.next()?, width).await?;
            width = (width * 2).min(WIDEST);
            let gap = replies.iter().position(|reply| reply.value.is_none());
            let is_hole = gap.is_some_and(|gap| replies[gap..].iter().any(|reply| reply.value.is_some()));
            for entry in replies.into_iter().map_while(|reply| reply.value) {
                if entry.previous != tip.hash {
                    return Err(self.broken_chain(entry.sequence).await);
                }
                if let Some(ahead) = &mut ahead {
                    self.note(&entry, ahead).await?;
                }
                tip = entry.tip();
            }
            match gap {
                Some(_) if is_hole => hole = Some(self.wait_for_hole(tip.next()?, hole).await?),
                Some(_) => {
                    self.above_floor(tip.next()?).await?;
                    return Ok(Some(tip));
                }
                None => {}
            }
        }
    }

    async fn note(&self, entry: &Entry, ahead: &mut Ahead) -> Result<()> {
        if self.attempt.as_ref().is_some_and(|open| open.hash == entry.hash) {
            ahead.landed = true;
            return Ok(());
        }
        let mut lists = pin!(self.lists(std::slice::from_ref(entry)));
        while let Some((_, list)) = lists.try_next().await? {
            for change in list {
                let version = (Digest::of(&change.action), planned(&change));
                ahead.changes.entry(change.id).or_default().push(version);
            }
        }
        Ok(())
    }
}

/// What the log holds beyond the checkpoint.
#[derive(Default)]
struct Ahead {
    changes: BTreeMap<DocumentId, Vec<(Digest, Planned)>>,
    /// Whether the open attempt is part of it.
    landed: bool,
}

/// What a pull would leave of the outbox.
#[derive(Default)]
struct Left {
    /// Rows of the open attempt, if it is in the log.
    committed: RowSet,
    /// Documents whose rows are all settled.
    settled: BTreeSet<DocumentId>,
    /// Documents whose last row would be based on one that is settled.
    based: BTreeSet<DocumentId>,
    /// Of those, the ones whose recorded conflict would be gone.
    freed: BTreeSet<DocumentId>,
    conflicts: BTreeSet<DocumentId>,
}

impl Left {
    /// Decides a document's pulled versions; says which would be stored.
    fn take(&mut self, id: &DocumentId, versions: &[(Digest, Planned)], rows: &[PendingRow]) -> Option<Planned> {
        let committed = rows.iter().rposition(|row| self.committed.contains(row.row)).map_or(0, |at| at + 1);
        let fate = Fate::of(versions, |(digest, _)| *digest, &rows[committed..]);
        if !fate.settled.is_empty() {
            let recorded = self.conflicts.remove(id);
            if !fate.pending {
                self.settled.insert(id.clone());
            } else if recorded && fate.last.is_none() {
                self.freed.insert(id.clone());
            } else {
                self.based.insert(id.clone());
            }
        }
        if fate.pending && fate.last.is_some() {
            self.conflicts.insert(id.clone());
            return None;
        }
        fate.last.map(|(_, planned)| planned.clone())
    }

    fn stays(&self, pending: &PendingChange) -> bool {
        let id = &pending.change.id;
        !self.committed.contains(pending.row) && !self.settled.contains(id) && !self.conflicts.contains(id)
    }
}

/// What would be pushed of a document whose recorded conflict is settled: its last row, over an earlier one.
fn freed(conflict: &Conflict) -> Planned {
    let (effect, bytes) = match &conflict.local {
        Version::Present(document) => (Effect::Update, document.body.len() as u64),
        Version::Deleted => (Effect::Delete, 0),
    };
    Planned { id: conflict.id.clone(), effect, bytes }
}

fn planned(change: &Change) -> Planned {
    let effect = match (&change.base, change.action.is_delete()) {
        (_, true) => Effect::Delete,
        (None, false) => Effect::Create,
        (Some(_), false) => Effect::Update,
    };
    Planned { id: change.id.clone(), effect, bytes: change.action.len() as u64 }
}

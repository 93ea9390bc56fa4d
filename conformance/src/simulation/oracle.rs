//! Who knows what must be true, and says at once when it is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use longshore_core::{
    Action, Answer, Batch, Conflict, Document, DocumentId, DomainName, MemoryReplica, MemoryStorage, Replica, Runtime,
    Step, Version,
};

use super::Broken;
use super::coverage::Counters;
use super::ledger::{Ledger, now};
use super::shadow::{Shadow, Written};
use super::time::lock;
use crate::case::Rule;

/// A device, and which of its replicas.
pub(super) type Side = (usize, usize);

#[derive(Clone)]
pub(super) struct Oracle(Arc<Mutex<Inner>>);

struct Inner {
    ledgers: [Ledger; 2],
    shadows: BTreeMap<Side, Shadow>,
    backups: BTreeMap<Side, Shadow>,
    /// Entries that a replica holds for committed: domain, number and hash.
    claims: Vec<(usize, u64, longshore_core::Hash)>,
    broken: Option<Broken>,
    counters: Counters,
}

pub(super) fn domains() -> Result<[DomainName; 2], Broken> {
    Ok([DomainName::default(), DomainName::new("project")?])
}

fn ledgers(memory: &MemoryStorage, runtime: &Arc<dyn Runtime>) -> Result<[Ledger; 2], Broken> {
    let [first, second] = domains()?;
    Ok([Ledger::new(memory, runtime, &first)?, Ledger::new(memory, runtime, &second)?])
}

impl Oracle {
    pub(super) fn new(memory: &MemoryStorage, runtime: &Arc<dyn Runtime>, counters: &Counters) -> Result<Self, Broken> {
        let inner = Inner {
            ledgers: ledgers(memory, runtime)?,
            shadows: BTreeMap::new(),
            backups: BTreeMap::new(),
            claims: Vec::new(),
            broken: None,
            counters: counters.clone(),
        };
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    pub(super) fn blame(&self, broken: Broken) {
        lock(&self.0).broken.get_or_insert(broken);
    }

    pub(super) fn broken(&self) -> Option<Broken> {
        lock(&self.0).broken.clone()
    }

    pub(super) fn is_broken(&self) -> bool {
        lock(&self.0).broken.is_some()
    }

    /// Notes what a check found.
    pub(super) fn check(&self, found: Result<(), Broken>) {
        if let Err(broken) = found {
            self.blame(broken);
        }
    }

    /// The app wrote these, in one transaction; the replica says under which rows.
    pub(super) fn wrote(&self, side: Side, replica: &MemoryReplica, writes: Vec<Written>) {
        let found = lock(&self.0).wrote(side, replica, writes);
        self.check(found);
    }

    /// A batch became durable.
    pub(super) fn applied(&self, side: Side, replica: &MemoryReplica, batch: Batch) {
        let mut inner = lock(&self.0);
        for step in batch.steps {
            if let Err(broken) = inner.step(side, replica, step) {
                inner.broken.get_or_insert(broken);
                return;
            }
        }
    }

    /// The app is asked about a conflict.
    pub(super) fn asked(&self, side: Side, conflict: &Conflict) {
        let found = lock(&self.0).asked(side, conflict);
        self.check(found);
    }

    pub(super) fn backup(&self, side: Side) {
        let mut inner = lock(&self.0);
        let shadow = inner.shadow(side).clone();
        inner.backups.insert(side, shadow);
    }

    pub(super) fn restore(&self, side: Side) {
        let mut inner = lock(&self.0);
        let backup = inner.backups.get(&side).cloned().unwrap_or_default();
        inner.shadows.insert(side, backup);
    }

    pub(super) fn copy(&self, from: Side, to: Side) {
        let mut inner = lock(&self.0);
        let shadow = inner.shadow(from).clone();
        inner.shadows.insert(to, shadow);
    }

    pub(super) fn shadow(&self, side: Side) -> Shadow {
        lock(&self.0).shadow(side).clone()
    }

    /// The replica holds what its app wrote and has pending, and for everything else what the log left at its checkpoint.
    pub(super) fn check_replica(&self, side: Side, replica: &MemoryReplica, checkpoint: u64) {
        let found = lock(&self.0).check_replica(side, replica, checkpoint);
        self.check(found);
    }

    pub(super) fn head(&self, domain: usize) -> u64 {
        let mut inner = lock(&self.0);
        if let Err(broken) = inner.ledgers[domain].read_on() {
            inner.broken.get_or_insert(broken);
        }
        inner.ledgers[domain].head()
    }

    /// Nothing that was ever seen in the log has changed, and every push that a replica holds for committed is there.
    pub(super) fn check_log(&self, memory: &MemoryStorage) -> Result<(), Broken> {
        let inner = lock(&self.0);
        let objects = memory.objects();
        inner.ledgers.iter().try_for_each(|ledger| ledger.check_objects(&objects))?;
        for (domain, number, hash) in &inner.claims {
            if inner.ledgers[*domain].entry(*number).is_none_or(|there| there.hash != *hash) {
                let seen = format!("a push was acknowledged as entry {number}, and another entry is there at the end");
                return Err(Broken::new(Rule::Invariant(2), seen));
            }
        }
        Ok(())
    }
}

impl Inner {
    fn shadow(&mut self, side: Side) -> &mut Shadow {
        self.shadows.entry(side).or_default()
    }

    fn wrote(&mut self, side: Side, replica: &MemoryReplica, writes: Vec<Written>) -> Result<(), Broken> {
        for written in writes {
            let rows = now(replica.outbox(std::slice::from_ref(&written.id)))?.rows;
            let newest = rows.get(&written.id).and_then(|rows| rows.last()).map(|row| row.row);
            let before = self.shadow(side).newest(&written.id).map(|(row, _)| row);
            let Some(row) = newest.filter(|row| Some(*row) > before) else {
                let seen = format!("{} was acknowledged and is not in the outbox", written.words());
                return Err(Broken::new(Rule::Invariant(1), seen));
            };
            self.shadow(side).rows.insert(row, written);
        }
        Ok(())
    }

    fn step(&mut self, side: Side, replica: &MemoryReplica, step: Step) -> Result<(), Broken> {
        match step {
            Step::Store { change, sequence } => {
                if let Some((_, written)) = self.shadow(side).newest(&change.id) {
                    let seen = format!("{} was overwritten by entry {}", written.words(), sequence.get());
                    return Err(Broken::new(Rule::Invariant(4), seen));
                }
            }
            Step::Settle { id, row, base } => self.settle(side, &id, row, base.sequence)?,
            Step::Conflict { change, sequence } => {
                let again = self.shadow(side).conflicts.insert(change.id, sequence).is_some();
                self.counters.count_if(again, "conflict: recorded again before an answer");
            }
            Step::Answer { id, row, answer } => self.answered(side, replica, &id, row, answer)?,
            Step::Journal(attempt) => {
                self.shadow(side).attempt = Some((attempt.sequence, attempt.hash, attempt.rows));
            }
            Step::Commit => self.commit(side)?,
            Step::Abandon => {
                self.shadow(side).attempt = None;
                self.counters.count("attempt: abandoned");
            }
            _ => {}
        }
        Ok(())
    }

    fn settle(
        &mut self,
        side: Side,
        id: &DocumentId,
        row: longshore_core::RowNumber,
        sequence: longshore_core::Sequence,
    ) -> Result<(), Broken> {
        self.counters.count("settled: an equal change");
        self.ledgers[side.1].read_on()?;
        let written = self.shadow(side).rows.get(&row).cloned();
        let equal = written.as_ref().is_some_and(|written| self.ledgers[side.1].has(sequence, id, &written.action));
        if !equal {
            let what = written.map_or_else(|| format!("a row of {:?}", id.as_str()), |written| written.words());
            let seen = format!("{what} was dropped as equal to entry {}, which has no such change", sequence.get());
            return Err(Broken::new(Rule::Invariant(4), seen));
        }
        self.shadow(side).drop_up_to(id, row);
        Ok(())
    }

    fn commit(&mut self, side: Side) -> Result<(), Broken> {
        let Some((sequence, hash, rows)) = self.shadow(side).attempt.take() else {
            return Ok(());
        };
        self.ledgers[side.1].read_on()?;
        self.claims.push((side.1, sequence.get(), hash));
        if self.ledgers[side.1].entry(sequence.get()).is_none_or(|there| there.hash != hash) {
            let seen = format!("a push counts as committed, and entry {} is another", sequence.get());
            return Err(Broken::new(Rule::Invariant(2), seen));
        }
        let several = self.ledgers[side.1].entry(sequence.get()).is_some_and(|there| there.segments.len() > 1);
        self.counters.count_if(several, "push: several segments in one entry");
        let committed: Vec<_> = {
            let shadow = self.shadow(side);
            shadow.rows.iter().filter(|(row, _)| rows.contains(**row)).map(|(row, w)| (*row, w.clone())).collect()
        };
        for (row, written) in committed {
            if !self.ledgers[side.1].has(sequence, &written.id, &written.action) {
                let seen = format!("{} counts as committed, and entry {} lacks it", written.words(), sequence.get());
                return Err(Broken::new(Rule::Invariant(2), seen));
            }
            self.shadow(side).drop_up_to(&written.id, row);
            let stays = self.shadow(side).newest(&written.id).is_some();
            self.counters.count_if(stays, "push: a later write stayed behind");
        }
        Ok(())
    }

    fn asked(&mut self, side: Side, conflict: &Conflict) -> Result<(), Broken> {
        self.ledgers[side.1].read_on()?;
        let id = &conflict.id;
        let remote = self.ledgers[side.1].change(conflict.sequence, id).map(|change| &change.action);
        if remote != Some(&action_of(&conflict.remote)) {
            let seen = format!(
                "the remote side of the conflict of {:?} is not what entry {} has",
                id.as_str(),
                conflict.sequence.get()
            );
            return Err(Broken::new(Rule::Invariant(4), seen));
        }
        let shadow = self.shadow(side);
        let local = shadow.rows.get(&conflict.row).map(|written| &written.action);
        if local != Some(&action_of(&conflict.local)) {
            let seen = format!("the local side of the conflict of {:?} is not what the app wrote last", id.as_str());
            return Err(Broken::new(Rule::Invariant(4), seen));
        }
        shadow.asked.insert(id.clone(), conflict.row);
        self.counters.count(match (&conflict.local, &conflict.remote) {
            (Version::Present(_), Version::Present(_)) => "conflict: edit against edit",
            (Version::Present(_), Version::Deleted) => "conflict: edit against deletion",
            _ => "conflict: deletion against edit",
        });
        Ok(())
    }

    fn answered(
        &mut self,
        side: Side,
        replica: &MemoryReplica,
        id: &DocumentId,
        row: longshore_core::RowNumber,
        answer: Answer,
    ) -> Result<(), Broken> {
        let shadow = self.shadow(side);
        let Some((_, local)) = shadow.newest(id).map(|(row, local)| (row, local.clone())) else {
            return Err(Broken::new(
                Rule::Invariant(4),
                format!("a conflict of {:?} was answered without a pending write", id.as_str()),
            ));
        };
        if shadow.asked.get(id) != Some(&row) {
            let seen = format!("{} was given up, and its app was never asked", local.words());
            return Err(Broken::new(Rule::Invariant(4), seen));
        }
        if answer == Answer::KeepLocal {
            shadow.conflicts.remove(id);
        } else {
            shadow.drop_all(id);
        }
        match answer {
            Answer::Merge { revision, body } => {
                let revision = revision.map(|revision| revision.to_string());
                let merged = Written { id: id.clone(), action: Action::Put(body), revision };
                self.wrote(side, replica, vec![merged])
            }
            Answer::KeepBoth { copy } if !local.action.is_delete() => {
                self.wrote(side, replica, vec![Written { id: copy, ..local }])
            }
            _ => Ok(()),
        }
    }

    fn check_replica(&mut self, side: Side, replica: &MemoryReplica, checkpoint: u64) -> Result<(), Broken> {
        self.ledgers[side.1].read_on()?;
        let device = super::history::name(side.0);
        let documents = replica.documents();
        let shadow = self.shadows.entry(side).or_default();
        let pending = shadow.pending();
        check_outbox(device, shadow, replica, &pending)?;
        let Some(expected) = self.ledgers[side.1].documents(checkpoint) else {
            let seen = format!("device {device} is at entry {checkpoint}, which is not in the log");
            return Err(Broken::new(Rule::Invariant(6), seen));
        };
        let differs = |id: &DocumentId, mine: Option<&Document>| {
            let there = expected.get(id).map(|document| &document.body);
            !pending.contains_key(id) && mine.map(|document| &document.body) != there
        };
        let wrong = documents.iter().find(|(id, document)| differs(id, Some(document))).map(|(id, _)| id);
        let wrong = wrong.or_else(|| expected.keys().find(|id| !documents.contains_key(*id) && differs(id, None)));
        if let Some(id) = wrong {
            let there = |documents: &BTreeMap<DocumentId, Document>| {
                documents.get(id).map_or_else(|| "nothing".to_owned(), |document| words(&document.body))
            };
            let seen = format!(
                "device {device} is at entry {checkpoint} and has {} as {:?}, where the log left {}",
                there(&documents),
                id.as_str(),
                there(expected)
            );
            return Err(Broken::new(Rule::Invariant(6), seen));
        }
        for (id, row) in &pending {
            let written = &shadow.rows[row];
            if documents.get(id).map(|document| &document.body) != written.action.body() {
                let seen = format!("device {device} has {} pending, and its document is another", written.words());
                return Err(Broken::new(Rule::Invariant(1), seen));
            }
        }
        Ok(())
    }
}

fn check_outbox(
    device: &str,
    shadow: &Shadow,
    replica: &MemoryReplica,
    pending: &BTreeMap<DocumentId, longshore_core::RowNumber>,
) -> Result<(), Broken> {
    let ids: Vec<DocumentId> = pending.keys().cloned().collect();
    let outbox = now(replica.outbox(&ids))?;
    for (id, row) in pending {
        if !outbox.rows.get(id).is_some_and(|rows| rows.iter().any(|there| there.row == *row)) {
            let seen =
                format!("device {device} has dropped {}: not committed, no conflict told", shadow.rows[row].words());
            return Err(Broken::new(Rule::Invariant(4), seen));
        }
    }
    let count = now(replica.pending_count())?;
    if count != pending.len() as u64 {
        let seen = format!("device {device} has {count} documents pending, where {} must be", pending.len());
        return Err(Broken::new(Rule::Invariant(3), seen));
    }
    Ok(())
}

fn action_of(version: &Version) -> Action {
    match version {
        Version::Present(document) => Action::Put(document.body.clone()),
        Version::Deleted => Action::Delete,
    }
}

/// A body for a reader: its beginning.
fn words(body: &bytes::Bytes) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    format!("{text:?}")
}

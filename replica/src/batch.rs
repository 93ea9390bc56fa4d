//! The engine's steps, one function for each.

use longshore_core::{
    Action, Answer, Applied, Base, Batch, Change, Digest, DocumentId, Error, ErrorKind, Hash, Revision, RowNumber,
    Sequence, Step,
};

use crate::bodies;
use crate::builder::Bodies;
use crate::conflicts::{self, Remote};
use crate::errors::{Result, defect};
use crate::outbox;
use crate::record::{Kept, Record, Stored, exists, lost};
use crate::shelf;
use crate::state::{self, Place};
use crate::values;
use crate::writer::Writer;

impl Writer<'_> {
    /// Does the steps in their order. The caller undoes them all unless this says `Done`.
    pub(crate) fn apply(&mut self, batch: &Batch) -> Result<Applied> {
        if self.is_stale(batch)? {
            return Ok(Applied::Stale);
        }
        for step in &batch.steps {
            if self.step(step)? == Applied::Stale {
                return Ok(Applied::Stale);
            }
        }
        Ok(Applied::Done)
    }

    /// Whether the app wrote a document of the batch after the engine had looked.
    fn is_stale(&self, batch: &Batch) -> Result<bool> {
        let seen = batch.seen.map_or(0, |row| values::column(row.get()));
        // The usual case, answered without a look at each document.
        if outbox::newest(self.connection)?.is_none_or(|newest| newest <= seen) {
            return Ok(false);
        }
        for id in batch.steps.iter().filter_map(decided) {
            if Record::load(self.connection, id)?.and_then(|record| record.row).is_some_and(|row| row > seen) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step(&mut self, step: &Step) -> Result<Applied> {
        match step {
            Step::State(state) => state::set(self.connection, Place::State, state)?,
            Step::Store { change, sequence } => self.store(change, *sequence)?,
            Step::Settle { id, row, base } => self.settle(id, values::column(row.get()), base.clone())?,
            Step::Conflict { change, sequence } => self.record(change, *sequence)?,
            Step::Answer { id, row, answer } => return self.answer(id, *row, answer),
            Step::Journal(attempt) => state::journal(self.connection, attempt)?,
            Step::Commit => self.commit()?,
            Step::Abandon => state::abandon(self.connection)?,
            Step::Shelve { name, bytes } => shelf::set(self.connection, name, bytes)?,
            Step::Unshelve => shelf::clear(self.connection)?,
            _ => return Err(unknown("this replica does not know a step of the engine")),
        }
        Ok(Applied::Done)
    }

    fn store(&mut self, change: &Change, sequence: Sequence) -> Result<()> {
        let local = self.arrived(change)?;
        let base = Some(Base { sequence, revision: local.revision.clone() });
        let record = Record { local, base, ..Record::default() };
        if record.is_present() && record.insert(self.connection, &change.id)? {
            return Ok(());
        }
        self.overwrite(&change.id, &record)
    }

    /// A remote version, kept if bodies are.
    fn arrived(&self, change: &Change) -> Result<Stored> {
        let body = change.action.body();
        let mut version = Stored {
            revision: change.revision.clone(),
            digest: body.map(|body| Hash::of(body)),
            length: change.action.len() as u64,
            body: None,
        };
        if let (Some(body), Bodies::Kept) = (body, self.bodies) {
            version.body = Some(bodies::insert(self.connection, body)?.number);
        }
        Ok(version)
    }

    /// Puts a remote version over a document that has nothing pending.
    fn overwrite(&self, id: &DocumentId, record: &Record) -> Result<()> {
        let Some(mut old) = Record::load(self.connection, id)? else { return Ok(()) };
        if old.row.is_some() {
            return Err(defect("a remote change would overwrite a pending one", id));
        }
        self.discard(&mut old.local)?;
        if record.is_present() { record.update(self.connection, id) } else { Record::remove(self.connection, id) }
    }

    /// Drops the document's rows up to `row`, which turned out to be the entry of `base`.
    pub(crate) fn settle(&mut self, id: &DocumentId, row: i64, base: Base) -> Result<()> {
        let missing = || defect("a settled row is not in the outbox", id);
        let mut record = Record::load(self.connection, id)?.ok_or_else(missing)?;
        let rows = outbox::chain(self.connection, record.row)?;
        let at = rows.iter().position(|pending| pending.number == row).ok_or_else(missing)?;
        conflicts::remove(self.connection, id)?;
        self.forget(record.base_version)?;
        record.base_version = rows[at].kept();
        record.base = Some(base);
        self.drop_rows(&rows[at..], 1)?;
        if at > 0 { record.update(self.connection, id) } else { self.come_to_rest(id, record) }
    }

    /// Removes these rows, and the versions kept for all but the first `spared`.
    fn drop_rows(&self, rows: &[outbox::OutboxRow], spared: usize) -> Result<()> {
        for row in rows {
            outbox::remove(self.connection, row.number)?;
        }
        rows.iter().skip(spared).try_for_each(|row| self.forget(row.kept()))
    }

    /// Nothing is pending any more: the document is the version of its base.
    fn come_to_rest(&self, id: &DocumentId, mut record: Record) -> Result<()> {
        if !record.is_present() {
            return Record::remove(self.connection, id);
        }
        record.row = None;
        record.base_version = Kept::No;
        record.local.revision = record.base.as_ref().and_then(|base| base.revision.clone());
        self.rest(&mut record.local)?;
        record.update(self.connection, id)
    }

    fn record(&mut self, change: &Change, sequence: Sequence) -> Result<()> {
        if Record::load(self.connection, &change.id)?.is_none_or(|record| record.row.is_none()) {
            return Err(defect("a conflict needs a pending change", &change.id));
        }
        let version = self.hold(change.revision.as_ref(), change.action.body(), Digest::of(&change.action))?;
        conflicts::set(self.connection, &change.id, &Remote { version, sequence })
    }

    fn answer(&mut self, id: &DocumentId, row: RowNumber, answer: &Answer) -> Result<Applied> {
        let Some(record) = Record::load(self.connection, id)? else { return Ok(Applied::Stale) };
        if record.row != Some(values::column(row.get())) {
            return Ok(Applied::Stale);
        }
        let Some(remote) = conflicts::take(self.connection, id)? else { return Ok(Applied::Stale) };
        match answer {
            Answer::KeepLocal => self.rebase(id, record, &remote)?,
            Answer::TakeRemote => self.take_remote(id, record, remote)?,
            Answer::Merge { revision, body } => self.merge(id, revision.as_ref(), body, record, &remote)?,
            Answer::KeepBoth { copy } => self.keep_both(id, copy, record, remote)?,
            Answer::Later => return Err(defect("an answer for later is not stored", id)),
            _ => return Err(unknown("this replica does not know the answer")),
        }
        Ok(Applied::Done)
    }

    /// The remote version is what the pending change starts from now.
    fn rebase(&self, id: &DocumentId, mut record: Record, remote: &Remote) -> Result<()> {
        self.forget(record.base_version)?;
        record.base_version = remote.version.kept();
        record.base = Some(remote.base());
        record.update(self.connection, id)
    }

    fn take_remote(&self, id: &DocumentId, mut record: Record, remote: Remote) -> Result<()> {
        self.drop_all(&mut record)?;
        let base = Some(remote.base());
        self.come_to_rest(id, Record { local: remote.version, base, ..Record::default() })
    }

    fn merge(
        &mut self,
        id: &DocumentId,
        revision: Option<&Revision>,
        body: &bytes::Bytes,
        record: Record,
        remote: &Remote,
    ) -> Result<()> {
        let merged =
            Change { id: id.clone(), revision: revision.cloned(), base: None, action: Action::Put(body.clone()) };
        merged.document().map_or(Ok(()), |document| document.check())?;
        self.clear(id, record)?;
        self.write(&merged, Digest::of(&merged.action), None)?;
        let written = Record::load(self.connection, id)?.ok_or_else(lost)?;
        self.rebase(id, written, remote)
    }

    /// Leaves nothing of the document but its note, for a new version to take its place.
    fn clear(&self, id: &DocumentId, mut record: Record) -> Result<()> {
        self.drop_all(&mut record)?;
        Record::default().update(self.connection, id)
    }

    /// Removes all rows of the document, and all its bodies.
    fn drop_all(&self, record: &mut Record) -> Result<()> {
        let rows = outbox::chain(self.connection, record.row)?;
        self.drop_rows(&rows, 0)?;
        self.forget(record.base_version)?;
        self.discard(&mut record.local)
    }

    fn keep_both(&mut self, id: &DocumentId, copy: &DocumentId, record: Record, remote: Remote) -> Result<()> {
        if let Some(local) = record.local.document(self.connection, copy.clone(), lost)? {
            if exists(self.connection, copy)? {
                return Err(Error::new(ErrorKind::Invalid, "the copy's id is taken").with_key(copy).into());
            }
            let change = Change::put(local);
            self.write(&change, Digest::of(&change.action), None)?;
        }
        self.take_remote(id, record, remote)
    }
}

impl Remote {
    fn base(&self) -> Base {
        let revision = self.version.revision.clone().filter(|_| self.version.digest.is_some());
        Base { sequence: self.sequence, revision }
    }
}

/// The document that a step decides about.
fn decided(step: &Step) -> Option<&DocumentId> {
    match step {
        Step::Store { change, .. } | Step::Conflict { change, .. } => Some(&change.id),
        Step::Settle { id, .. } => Some(id),
        _ => None,
    }
}

fn unknown(message: &'static str) -> crate::errors::Fault {
    Error::new(ErrorKind::Unsupported, message).into()
}

//! Continuing from a snapshot: a first sync, and a replica beneath which the log was trimmed.
//!
//! Nothing is applied before everything is there and agrees with itself. What is little is applied in one transaction. What is
//! more waits in the replica's shelf until all of it is verified, and is then applied in batches; from the first of them to the last
//! the replica remembers that it is between two states, and only a snapshot leads on from there.

use std::collections::BTreeSet;
use std::pin::pin;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::open::{HISTORY, ROLLED_BACK, replaced};
use super::pull::{Decided, GATHER, SEGMENTS, STALE_LIMIT, outpaced};
use super::report::Phase;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DocumentsDigest, SegmentRef, decode_segment, encode_segment};
use crate::model::{Change, DocumentId, Hash, Sequence};
use crate::replica::{Applied, Outbox, RowSet, Step};
use crate::runtime::{compute, new_client_id};
use crate::server::Snapshot;
use crate::storage::ObjectKey;

/// Documents of one batch at the most.
const BATCH: usize = 10_000;
/// Documents looked at in one page of the replica.
const PAGE: usize = 1000;
/// Body bytes of one page read from the outbox.
const OUTBOX_PAGE: usize = 1 << 20;
/// How often a newer snapshot is taken in the place of one that cannot be read.
const LOOKS: usize = 5;

/// What the snapshot says about the attempt whose fate is open.
#[derive(PartialEq, Eq)]
enum Open {
    /// There is none, or it was not committed and never will be.
    Never,
    /// It is in the log.
    Committed,
    /// A copy of this replica has committed under the same name since: nobody can say.
    Doubtful,
}

/// The ids that were met, newest first: of each only the first counts. 16 bytes of its hash stand for each.
#[derive(Default)]
struct Met {
    present: BTreeSet<[u8; 16]>,
    gone: BTreeSet<[u8; 16]>,
}

impl Met {
    fn short(id: &DocumentId) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&Hash::of(id.as_str().as_bytes()).as_bytes()[..16]);
        short
    }

    /// Whether this is the document's last change, and puts it.
    fn is_last_put(&mut self, change: &Change) -> bool {
        let short = Self::short(&change.id);
        if self.present.contains(&short) || self.gone.contains(&short) {
            return false;
        }
        let there = !change.action.is_delete();
        if there {
            self.present.insert(short)
        } else {
            self.gone.insert(short)
        };
        there
    }

    fn is_present(&self, id: &DocumentId) -> bool {
        self.present.contains(&Self::short(id))
    }
}

/// Where the documents of a snapshot are until they are applied: segment by segment, the newest first.
enum Fetched {
    /// In memory: each segment's last changes, and the entries that put them.
    Here(Vec<Vec<(Change, Sequence)>>),
    /// On the replica's shelf.
    Shelved,
}

/// A snapshot that is being applied.
struct Boot {
    snapshot: Snapshot,
    /// Rows of the attempt of which nobody knows whether it was committed.
    doubtful: RowSet,
    /// The deletions that are told already, while there is a doubt: none is told twice.
    told: BTreeSet<[u8; 16]>,
    /// What the end of it does beside.
    last: Vec<Step>,
    /// Whether another has written under this replica's name.
    copied: bool,
    /// The checkpoint when it began. What the snapshot has from up to there is here already.
    from: Option<Sequence>,
    /// What was met and is to be applied.
    waiting: Vec<(Change, Sequence)>,
    bytes: u64,
}

impl Session<'_> {
    /// Brings the replica to where the newest snapshot is.
    pub(super) async fn boot(&mut self) -> Result<()> {
        let mut unreadable: Option<(Sequence, Error)> = None;
        for _ in 0..LOOKS {
            let Some(snapshot) = self.client.server.snapshot().await? else { return Err(self.rolled_back()) };
            let number = snapshot.entry.sequence;
            // What could not be read of this one cannot be read: only a newer one helps.
            if let Some((_, error)) = unreadable.take_if(|(before, _)| *before >= number) {
                return Err(error);
            }
            self.check_snapshot(&snapshot)?;
            match self.fetch(&snapshot).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => unreadable = Some((number, error)),
                Err(error) => return Err(error),
                Ok(fetched) => return self.continue_from(snapshot, fetched).await,
            }
        }
        Err(unreadable.map_or_else(|| self.rolled_back(), |(_, error)| error))
    }

    fn rolled_back(&self) -> Error {
        let tip = self.state.store.as_ref().and_then(|known| known.tip.sequence);
        replaced(ROLLED_BACK, tip.unwrap_or(Sequence::FIRST))
    }

    /// Whether the snapshot is of the history that this replica knows, and not from before.
    fn check_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let (known, number) = (self.state.known()?, snapshot.entry.sequence);
        if known.tip.sequence.max(known.between) > Some(number) {
            return Err(replaced(ROLLED_BACK, number));
        }
        if !known.agrees(snapshot) {
            return Err(replaced(HISTORY, number));
        }
        self.check_agreed_snapshot(number)
    }

    /// Fetches all documents, and verifies that they are what the snapshot says. Finished segments are kept, also by a failed sync.
    async fn fetch(&mut self, snapshot: &Snapshot) -> Result<Fetched> {
        let stored = snapshot.segments.iter().fold(0, |sum: u64, segment| sum.saturating_add(segment.length));
        let little = stored <= GATHER && snapshot.bytes <= GATHER;
        let (mut met, mut digest, mut here) = (Met::default(), DocumentsDigest::default(), Vec::new());
        let (server, replica) = (self.client.server.clone(), self.client.replica.clone());
        let newest_first: Vec<SegmentRef> = snapshot.segments.iter().rev().cloned().collect();
        let mut segments = pin!(
            stream::iter(newest_first)
                .map(|segment| {
                    let (server, replica) = (server.clone(), replica.clone());
                    async move {
                        let shelved = if little { None } else { replica.shelved(&segment.name).await? };
                        match shelved {
                            Some(bytes) => Ok::<_, Error>((segment, Ok(bytes))),
                            None => server.segment(&segment).await.map(|changes| (segment, Err(changes))),
                        }
                    }
                })
                .buffered(SEGMENTS)
        );
        while let Some((segment, found)) = segments.try_next().await? {
            self.keep_lease().await;
            let changes = match found {
                Ok(shelved) => self.unpack(shelved).await?,
                Err(fetched) if little => fetched,
                Err(fetched) => self.shelve(segment, fetched).await?,
            };
            let last = last_puts(snapshot, &mut met, changes)?;
            for (change, put_by) in &last {
                if let Some(body) = change.action.body() {
                    digest.add(&change.id, change.revision.as_ref(), *put_by, Hash::of(body), body.len() as u64);
                }
            }
            self.progress(Phase::Pull, digest.documents(), Some(snapshot.documents), 0);
            if little {
                here.push(last);
            }
        }
        let found = (digest.documents(), digest.bytes(), digest.hash());
        if found != (snapshot.documents, snapshot.bytes, snapshot.digest) {
            return Err(corrupt(snapshot, "its documents are not those that it says it has"));
        }
        Ok(if little { Fetched::Here(here) } else { Fetched::Shelved })
    }

    /// Keeps a verified segment in the replica.
    async fn shelve(&mut self, segment: SegmentRef, changes: Vec<Change>) -> Result<Vec<Change>> {
        let key = shelf()?;
        let packing =
            compute(&*self.client.runtime, move || encode_segment(&key, changes.clone()).map(|bytes| (bytes, changes)));
        let (bytes, changes) = packing.await??;
        self.apply(None, vec![Step::Shelve { name: segment.name, bytes }]).await?;
        Ok(changes)
    }

    async fn unpack(&self, shelved: Bytes) -> Result<Vec<Change>> {
        let key = shelf()?;
        compute(&*self.client.runtime, move || decode_segment(&key, &shelved)).await?
    }

    /// Applies the snapshot: its documents, then the deletions, which nothing else tells.
    async fn continue_from(&mut self, snapshot: Snapshot, fetched: Fetched) -> Result<()> {
        let mut boot = self.decide_open_attempt(snapshot).await?;
        let mut met = Met::default();
        match fetched {
            Fetched::Here(segments) => {
                for list in segments {
                    self.take_in(&mut boot, &mut met, list).await?;
                }
            }
            Fetched::Shelved => {
                for at in (0..boot.snapshot.segments.len()).rev() {
                    let shelved = self.client.replica.shelved(&boot.snapshot.segments[at].name).await?;
                    let missing = || Error::new(ErrorKind::Internal, "a segment that was kept is not there");
                    let changes = self.unpack(shelved.ok_or_else(missing)?).await?;
                    let list = last_puts(&boot.snapshot, &mut met, changes)?;
                    self.take_in_shelved(&mut boot, list).await?;
                }
            }
        }
        self.delete_what_is_gone(&mut boot, &met).await?;
        self.doubt_what_nobody_has(&mut boot, &met).await?;
        self.finish_boot(boot).await
    }

    async fn take_in(&mut self, boot: &mut Boot, met: &mut Met, list: Vec<(Change, Sequence)>) -> Result<()> {
        for (change, _) in &list {
            met.present.insert(Met::short(&change.id));
        }
        self.take_in_shelved(boot, list).await
    }

    /// What is not here yet waits to be applied.
    async fn take_in_shelved(&mut self, boot: &mut Boot, list: Vec<(Change, Sequence)>) -> Result<()> {
        for (change, put_by) in list {
            // With an attempt in doubt, the other side of its documents is told even if it is known.
            if Some(put_by) > boot.from || !boot.doubtful.is_empty() {
                self.wait_for_batch(boot, change, put_by).await?;
            }
        }
        Ok(())
    }

    async fn wait_for_batch(&mut self, boot: &mut Boot, change: Change, put_by: Sequence) -> Result<()> {
        let size = change.action.len() as u64;
        if boot.waiting.len() >= BATCH || !boot.waiting.is_empty() && boot.bytes.saturating_add(size) > GATHER {
            self.flush_boot(boot).await?;
        }
        boot.bytes = boot.bytes.saturating_add(size);
        boot.waiting.push((change, put_by));
        Ok(())
    }

    /// What the replica has by the entries it took, and the snapshot does not have, was deleted in between.
    async fn delete_what_is_gone(&mut self, boot: &mut Boot, met: &Met) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.client.replica.synced(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            for synced in page.into_iter().filter(|synced| !met.is_present(&synced.id)) {
                let covers = boot.snapshot.entry.sequence;
                if !boot.doubtful.is_empty() {
                    boot.told.insert(Met::short(&synced.id));
                }
                self.wait_for_batch(boot, Change::delete(synced.id), covers).await?;
            }
        }
    }

    /// Documents of an attempt in doubt that neither the snapshot has nor this replica had: they may have been committed, and
    /// deleted since.
    async fn doubt_what_nobody_has(&mut self, boot: &mut Boot, met: &Met) -> Result<()> {
        if boot.doubtful.is_empty() {
            return Ok(());
        }
        let Some(last) = self.client.replica.outbox(&[]).await?.last_row else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.client.replica.pending(after, last, OUTBOX_PAGE).await?;
            let Some(newest) = page.last() else { return Ok(()) };
            after = Some(newest.row);
            for pending in page.into_iter().filter(|pending| !met.is_present(&pending.change.id)) {
                let covers = boot.snapshot.entry.sequence;
                if boot.told.contains(&Met::short(&pending.change.id)) {
                    continue;
                }
                self.wait_for_batch(boot, Change::delete(pending.change.id), covers).await?;
            }
        }
    }

    /// Applies what waits, in a batch that is not the last: from here on the replica is between two states.
    async fn flush_boot(&mut self, boot: &mut Boot) -> Result<()> {
        self.state.known_mut()?.between = Some(boot.snapshot.entry.sequence);
        let waiting = std::mem::take(&mut boot.waiting);
        boot.bytes = 0;
        self.keep_lease().await;
        self.apply_boot(boot, &waiting, &[]).await
    }

    /// The last batch moves the checkpoint with it.
    async fn finish_boot(&mut self, mut boot: Boot) -> Result<()> {
        self.state.known_mut()?.continue_from(&boot.snapshot);
        if boot.copied {
            // Not before: until here the old name tells what became of the open attempt, also to a sync that begins again.
            self.state.client = new_client_id(&*self.client.runtime)?;
            self.state.attempt = None;
            self.report.cloned = true;
        }
        let (waiting, last) = (std::mem::take(&mut boot.waiting), std::mem::take(&mut boot.last));
        self.apply_boot(&boot, &waiting, &last).await?;
        self.attempt = None;
        self.restage = true;
        self.moved()
    }

    async fn apply_boot(&mut self, boot: &Boot, waiting: &[(Change, Sequence)], last: &[Step]) -> Result<()> {
        for _ in 0..STALE_LIMIT {
            let outbox = self.outbox_of(waiting.iter().map(|(change, _)| &change.id)).await?;
            let mut decided = Decided::default();
            for version in waiting {
                boot.decide(version, &outbox, &mut decided);
            }
            let mut steps = std::mem::take(&mut decided.steps);
            steps.extend_from_slice(last);
            if self.apply(outbox.last_row, steps).await? == Applied::Done {
                self.note_applied(&decided, Some(boot.snapshot.documents));
                return Ok(());
            }
        }
        Err(outpaced())
    }

    /// What the snapshot says about the open attempt, and about entries under this replica's name.
    async fn decide_open_attempt(&mut self, snapshot: Snapshot) -> Result<Boot> {
        let (fate, copied) = self.fate_by(&snapshot).await?;
        let (mut last, mut doubtful) = (vec![Step::Unshelve], RowSet::default());
        if fate == Open::Committed {
            self.commit_by(&snapshot).await?;
        } else if let Some(attempt) = &self.attempt {
            last.push(Step::Abandon);
            if fate == Open::Doubtful {
                doubtful = attempt.rows.clone();
            }
        }
        let from = self.tip()?.sequence;
        let told = BTreeSet::new();
        Ok(Boot { snapshot, doubtful, told, last, copied, from, waiting: Vec::new(), bytes: 0 })
    }

    /// The fate of the open attempt, and whether another has written under this replica's name.
    async fn fate_by(&self, snapshot: &Snapshot) -> Result<(Open, bool)> {
        let Some(listed) = snapshot.client(&self.state.client) else { return Ok((Open::Never, false)) };
        let attempt = self.attempt.as_ref();
        if attempt.is_some_and(|attempt| attempt.hash == listed.entry.hash) {
            return Ok((Open::Committed, false));
        }
        let copied = !self.client.replica.committed(&listed.entry.hash).await?;
        let passed = attempt.is_some_and(|attempt| listed.attempt >= attempt.number);
        Ok((if passed { Open::Doubtful } else { Open::Never }, copied))
    }

    /// The open attempt is in the log, somewhere below the snapshot.
    async fn commit_by(&mut self, snapshot: &Snapshot) -> Result<()> {
        let Some(attempt) = self.attempt.take() else { return Ok(()) };
        let client = self.state.client;
        let known = self.state.known_mut()?;
        known.committed(client, &attempt);
        // Its documents are of its entry now, which is above the checkpoint.
        known.between = Some(snapshot.entry.sequence);
        self.apply(None, vec![Step::Commit]).await?;
        self.report.pushed += attempt.rows.len();
        Ok(())
    }
}

impl Boot {
    /// Decides about one document. What this replica took before is no news: not for a pending row, and not for what is at rest.
    fn decide(&self, version: &(Change, Sequence), outbox: &Outbox, decided: &mut Decided) {
        let id = &version.0.id;
        let rows = outbox.rows.get(id).map_or(&[][..], Vec::as_slice);
        let news = match outbox.taken.get(id) {
            Some(taken) => version.1 > *taken,
            // Of a deletion alone nothing is known here: it is told only in doubt.
            None if !rows.is_empty() => !version.0.action.is_delete(),
            None => Some(version.1) > self.from,
        };
        if news || rows.iter().any(|row| self.doubtful.contains(row.row)) {
            decided.decide(id, std::slice::from_ref(version), rows);
        }
    }
}

/// The last changes of documents among these, of which none is met yet.
fn last_puts(snapshot: &Snapshot, met: &mut Met, changes: Vec<Change>) -> Result<Vec<(Change, Sequence)>> {
    let mut last = Vec::new();
    for change in changes.into_iter().rev() {
        let put_by = change.base.as_ref().map(|base| base.sequence);
        if !met.is_last_put(&change) {
            continue;
        }
        let covered = put_by.filter(|number| *number <= snapshot.entry.sequence);
        let what = "a document of it does not say which entry put it";
        last.push((change, covered.ok_or_else(|| corrupt(snapshot, what))?));
    }
    Ok(last)
}

fn corrupt(snapshot: &Snapshot, what: &'static str) -> Error {
    let number = snapshot.entry.sequence.get();
    Error::new(ErrorKind::Corrupt, what).with_operation("pull").with_key(format_args!("snapshot {number}"))
}

/// The name under which segments are packed for the shelf.
fn shelf() -> Result<ObjectKey> {
    ObjectKey::new("shelf/segment")
}

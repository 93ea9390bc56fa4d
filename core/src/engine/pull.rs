//! Pulling: reading on from the checkpoint, and applying whole entries.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};

use super::fate::Fate;
use super::open::{Reading, after};
use super::report::Phase;
use super::session::Session;
use super::state::Moment;
use crate::error::{Error, ErrorKind, Result};
use crate::format::SegmentRef;
use crate::model::{Base, Change, DocumentId, Sequence};
use crate::replica::{Applied, Digest, Outbox, PendingRow, Step};
use crate::runtime::{jittered, new_client_id};
use crate::sabotage::{Mistake, on};
use crate::server::{Content, Entry, Tip};
use crate::storage::{Reply, ServerTime};

/// The widest read-ahead, in entries.
const WIDEST: usize = 64;
/// Bytes of changes that are gathered before they are applied, and read ahead.
pub(super) const GATHER: u64 = 8 << 20;
/// How many segments are on their way down at once: each is up to 8 MiB.
pub(super) const SEGMENTS: usize = 4;
/// After so many rounds a first sync knows that there is more than it reads at a glance.
const BEGUN: u32 = 2;
/// How often an entry that is missing below a present one is looked for.
const PATIENCE: u32 = 5;
/// How often a batch is decided anew because the app wrote meanwhile.
pub(super) const STALE_LIMIT: usize = 1000;

/// What a round of reading gave.
#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    bytes: u64,
    /// The lowest number whose reply does not count by itself.
    doubtful: Option<Sequence>,
    end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// Nothing at the next number, at this time.
    Head(Option<ServerTime>),
    /// Nothing at the next number, and something behind it.
    Hole,
}

impl Gathered {
    /// Takes replies in, up to the first that has no entry, or up to the entry `last`.
    fn take(&mut self, session: &Session<'_>, replies: Vec<Reading>, from: Sequence) -> Result<()> {
        let (mut number, moment) = (from, session.moment());
        for Reply { value, time } in replies {
            if session.beyond_agreed(number) {
                break;
            }
            match (value, self.end) {
                (Some(_), End::Head(_)) => self.end = End::Hole,
                (Some(entry), End::Open) => {
                    self.doubt(session, number, time, &moment)?;
                    self.bytes = self.bytes.saturating_add(held(&entry));
                    self.entries.push(entry);
                }
                (None, End::Open) => {
                    self.doubt(session, number, time, &moment)?;
                    self.end = End::Head(time);
                }
                _ => {}
            }
            number = number.next()?;
        }
        Ok(())
    }

    fn doubt(
        &mut self,
        session: &Session<'_>,
        number: Sequence,
        time: Option<ServerTime>,
        moment: &Moment,
    ) -> Result<()> {
        if !session.state.known()?.counts(time, moment) {
            self.doubtful.get_or_insert(number);
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Reads on from the checkpoint until nothing more is there, widening the read-ahead while entries keep coming.
    pub(super) async fn pull(&mut self, first: Vec<Reading>) -> Result<()> {
        let mut gathered = Gathered::default();
        let (mut replies, mut width, mut hole) = (first, 1, None);
        let mut rounds = 0;
        loop {
            let from = after(&self.tip()?, &gathered.entries).next()?;
            let heaviest = replies.iter().filter_map(|reply| reply.value.as_ref()).map(held).max().unwrap_or(0);
            replies.iter().try_for_each(|reply| self.saw(reply.time))?;
            gathered.take(self, replies, from)?;
            self.check_chain(&gathered.entries).await?;
            rounds += 1;
            if rounds == BEGUN && gathered.end == End::Open {
                self.look_for_a_beginning().await?;
            }
            if gathered.end != End::Open
                || gathered.bytes >= GATHER
                || self.at_agreed(&after(&self.tip()?, &gathered.entries))
            {
                let done = std::mem::take(&mut gathered);
                let end = done.end;
                self.flush(done).await?;
                match end {
                    End::Head(time) => return self.head(time),
                    End::Hole => hole = Some(self.wait_for_hole(self.tip()?.next()?, hole).await?),
                    End::Open if self.at_agreed(&self.tip()?) => return Ok(()),
                    End::Open => {}
                }
            }
            // As many as may be held at once, should they all be as large as the largest of the last round.
            let room = usize::try_from(GATHER / heaviest.max(1)).unwrap_or(WIDEST);
            let next = after(&self.tip()?, &gathered.entries).next()?;
            let waiting = hole.is_some_and(|(number, _)| number == next);
            width = if waiting { 2 } else { (width * 2).min(WIDEST).min(room.max(1)) };
            self.keep_lease().await;
            replies = self.client.server.changes_read(next, width).await?;
        }
    }

    /// A first sync that finds several entries begins with a snapshot, if there is one, and not with all that ever was.
    async fn look_for_a_beginning(&self) -> Result<()> {
        if self.tip()?.sequence.is_none() { self.above_floor(Sequence::FIRST).await } else { Ok(()) }
    }

    fn saw(&mut self, time: Option<ServerTime>) -> Result<()> {
        self.state.known_mut()?.saw(time);
        Ok(())
    }

    fn head(&mut self, time: Option<ServerTime>) -> Result<()> {
        let moment = self.moment();
        self.state.known_mut()?.proved_head(time, &moment);
        self.moved()
    }

    /// Waits for this number, which is missing below a present one; says which it is and how often it was waited for.
    pub(super) async fn wait_for_hole(
        &mut self,
        number: Sequence,
        before: Option<(Sequence, u32)>,
    ) -> Result<(Sequence, u32)> {
        let waited = before.filter(|(earlier, _)| *earlier == number).map_or(0, |(_, waited)| waited);
        if waited < PATIENCE {
            let pause = std::time::Duration::from_millis(200) * (1 << waited);
            self.client.runtime.sleep(jittered(&*self.client.runtime, pause)).await;
            return Ok((number, waited + 1));
        }
        self.above_floor(number).await?;
        let what = "an entry is missing below one that is there: restore it from a backup";
        Err(Error::new(ErrorKind::Corrupt, what)
            .with_operation("pull")
            .with_key(format_args!("entry {}", number.get())))
    }

    /// Each entry names the hash of the one before.
    async fn check_chain(&self, entries: &[Entry]) -> Result<()> {
        let mut expected = self.tip()?.hash;
        for entry in entries {
            if entry.previous != expected && !on(Mistake::ChainUnchecked) {
                return Err(self.broken_chain(entry.sequence).await);
            }
            expected = entry.hash;
        }
        Ok(())
    }

    /// Applies what was gathered, if every reply counts. The bytes applied are those read before the floor was.
    async fn flush(&mut self, gathered: Gathered) -> Result<()> {
        if let Some(number) = gathered.doubtful {
            self.above_floor(number).await?;
        }
        let (mut run, mut bytes) = (Vec::new(), 0);
        if on(Mistake::CheckpointFirst) {
            gathered
                .entries
                .iter()
                .try_for_each(|entry| self.state.known_mut().map(|known| known.advance_to(entry)))?;
            self.save().await?;
        }
        for entry in gathered.entries {
            let decisive = self.attempt.as_ref().is_some_and(|open| open.sequence == entry.sequence);
            bytes = weight(&entry).saturating_add(bytes);
            if decisive || bytes >= GATHER {
                self.apply_run(std::mem::take(&mut run)).await?;
                bytes = weight(&entry);
            }
            if decisive {
                self.decide_attempt(entry).await?;
            } else {
                run.push(entry);
            }
        }
        self.apply_run(run).await
    }

    /// The entry at the open attempt's number: ours, or another's.
    async fn decide_attempt(&mut self, entry: Entry) -> Result<()> {
        let mine = self.attempt.as_ref().is_some_and(|open| {
            let named =
                on(Mistake::OwnByClientId) && (&self.state.client, open.number) == (&entry.client, entry.attempt);
            named || (open.hash == entry.hash && !on(Mistake::OwnEntryApplied))
        });
        if mine {
            return self.committed(entry.tip(), None).await;
        }
        self.attempt = None;
        self.restage = true;
        self.apply_entries(vec![entry], vec![Step::Abandon]).await
    }

    async fn apply_run(&mut self, entries: Vec<Entry>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.keep_lease().await;
        self.apply_entries(entries, Vec::new()).await
    }

    /// Moves documents, bases and checkpoint together. If the app wrote meanwhile, everything is decided anew.
    async fn apply_entries(&mut self, entries: Vec<Entry>, before: Vec<Step>) -> Result<()> {
        for entry in &entries {
            self.notice_clone(entry).await?;
            self.restage |= matches!(entry.content, Content::Collect);
        }
        let changes = self.gather(&entries).await?;
        for entry in &entries {
            self.state.known_mut()?.advance_to(entry);
        }
        if on(Mistake::CheckpointApart) {
            self.save().await?;
        }
        for _ in 0..STALE_LIMIT {
            let outbox = self.outbox_of(changes.keys()).await?;
            let mut decided = Decided { steps: before.clone(), ..Decided::default() };
            for (id, versions) in &changes {
                decided.decide(id, versions, outbox.rows.get(id).map_or(&[][..], Vec::as_slice));
            }
            let steps = std::mem::take(&mut decided.steps);
            if self.apply(outbox.last_row, steps).await? == Applied::Done {
                self.note_applied(&decided, None);
                return Ok(());
            }
        }
        Err(outpaced())
    }

    pub(super) fn note_applied(&mut self, decided: &Decided, total: Option<u64>) {
        self.report.pulled += decided.stored;
        self.report.conflicts += decided.conflicts;
        self.restage |= decided.touched;
        self.pulled_bytes += decided.bytes;
        self.progress(Phase::Pull, self.report.pulled, total, self.pulled_bytes);
    }

    /// The rows of these documents.
    pub(super) async fn outbox_of(&self, ids: impl Iterator<Item = &DocumentId>) -> Result<Outbox> {
        let all = self.client.replica.outbox(&[]).await?;
        if self.client.replica.pending_count().await? == 0 {
            // Rows added since then are above `last_row`: they make the batch stale.
            return Ok(all);
        }
        let ids: Vec<DocumentId> = ids.cloned().collect();
        self.client.replica.outbox(&ids).await
    }

    async fn gather(&self, entries: &[Entry]) -> Result<Changes> {
        let mut changes = Changes::new();
        let mut lists = pin!(self.lists(entries));
        while let Some((sequence, list)) = lists.try_next().await? {
            for change in list {
                changes.entry(change.id.clone()).or_default().push((change, sequence));
            }
        }
        Ok(changes)
    }

    /// What entries hold, list by list in the order of the log. Segments are read a few at a time.
    pub(super) fn lists<'e>(
        &'e self,
        entries: &'e [Entry],
    ) -> impl Stream<Item = Result<(Sequence, Vec<Change>)>> + Send + 'e {
        let parts = entries.iter().flat_map(|entry| parts(entry).into_iter().map(move |part| (entry.sequence, part)));
        let read = move |(sequence, part)| async move {
            let list = match part {
                Part::List(changes) => changes.to_vec(),
                Part::Segment(segment) => match self.client.server.segment(segment).await {
                    Err(_) if on(Mistake::SegmentSkipped) => Vec::new(),
                    Err(error) => return Err(self.or_below_floor(error, sequence).await),
                    Ok(changes) => changes,
                },
                Part::Dropped => {
                    let what = "this domain was dropped: what it held is gone from the store; nothing was changed here";
                    return Err(Error::new(ErrorKind::Replaced, what).with_operation("pull"));
                }
            };
            Ok((sequence, list))
        };
        stream::iter(parts).map(read).buffered(SEGMENTS)
    }

    /// What a segment of this entry that is damaged, or gone, means: a snapshot that covers the entry has what it held.
    async fn or_below_floor(&self, error: Error, number: Sequence) -> Error {
        if error.kind() != ErrorKind::Corrupt {
            return error;
        }
        self.above_floor(number).await.err().filter(Error::is_below_floor).unwrap_or(error)
    }

    /// An entry under my name that I never journalled: this replica is a copy, or was restored from a backup.
    async fn notice_clone(&mut self, entry: &Entry) -> Result<()> {
        let unnoticed = on(Mistake::CopyUnnoticed);
        if entry.client != self.state.client || unnoticed || self.client.replica.committed(&entry.hash).await? {
            return Ok(());
        }
        self.state.client = new_client_id(&*self.client.runtime)?;
        self.state.attempt = None;
        self.report.cloned = true;
        Ok(())
    }

    /// The checkpoint is now the entry of the open attempt.
    pub(super) async fn committed(&mut self, tip: Tip, time: Option<ServerTime>) -> Result<()> {
        let Some(attempt) = self.attempt.take() else {
            return Err(Error::new(ErrorKind::Internal, "no attempt is open"));
        };
        let (client, moment) = (self.state.client, self.moment());
        let known = self.state.known_mut()?;
        known.advance(tip);
        known.committed(client, &attempt);
        known.saw(time);
        known.proved_head(time, &moment);
        if on(Mistake::AttemptUnjournalled) {
            self.apply(None, vec![Step::Journal(attempt.clone())]).await?;
        }
        self.apply(None, vec![Step::Commit]).await?;
        self.report.pushed += attempt.rows.len();
        self.client.note_commit(self.now());
        self.moved()
    }
}

pub(super) fn outpaced() -> Error {
    Error::new(ErrorKind::Unavailable, "the app writes faster than a sync can follow: try again")
}

/// Bytes that an entry holds in memory, about.
fn held(entry: &Entry) -> u64 {
    match &entry.content {
        Content::Changes(changes) => {
            changes.iter().map(|change| (change.action.len() + change.id.as_str().len()) as u64).sum()
        }
        _ => entry.size,
    }
}

/// Bytes that applying an entry takes, about: of the changes in segments, what they have stored.
fn weight(entry: &Entry) -> u64 {
    match &entry.content {
        Content::Segments(segments) => segments.iter().fold(0, |sum, segment| segment.length.saturating_add(sum)),
        _ => held(entry),
    }
}

/// A part of an entry, as it is read.
enum Part<'e> {
    List(&'e [Change]),
    Segment(&'e SegmentRef),
    Dropped,
}

fn parts(entry: &Entry) -> Vec<Part<'_>> {
    match &entry.content {
        Content::Changes(list) => vec![Part::List(list)],
        Content::Segments(segments) => segments.iter().map(Part::Segment).collect(),
        Content::Drop => vec![Part::Dropped],
        Content::Snapshot { .. } | Content::Collect => Vec::new(),
    }
}

/// Per document its changes, in the order of the log.
type Changes = BTreeMap<DocumentId, Vec<(Change, Sequence)>>;

/// What to do about pulled changes.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) steps: Vec<Step>,
    stored: u64,
    /// Body bytes of what is stored.
    bytes: u64,
    conflicts: u64,
    /// Whether a pending row is concerned.
    touched: bool,
}

impl Decided {
    pub(super) fn decide(&mut self, id: &DocumentId, versions: &[(Change, Sequence)], rows: &[PendingRow]) {
        let fate = Fate::of(versions, |(change, _)| Digest::of(&change.action), rows);
        self.touched |= fate.touches_rows();
        for ((change, sequence), row) in fate.settled {
            let base = Base { sequence: *sequence, revision: change.revision.clone() };
            self.steps.push(Step::Settle { id: id.clone(), row, base });
        }
        let Some((change, sequence)) = fate.last.cloned() else {
            return;
        };
        if fate.pending && on(Mistake::LocalWins) {
            return;
        }
        if on(Mistake::RemoteWins)
            && let Some(row) = rows.last().filter(|_| fate.pending)
        {
            let base = Base { sequence, revision: change.revision.clone() };
            self.steps.push(Step::Settle { id: id.clone(), row: row.row, base });
        }
        self.steps.push(if fate.pending && !on(Mistake::RemoteWins) {
            self.conflicts += 1;
            Step::Conflict { change, sequence }
        } else {
            self.stored += 1;
            self.bytes += change.action.len() as u64;
            Step::Store { change, sequence }
        });
    }
}

//! The log: entries are read side by side, staged, prepared and created once.

use std::pin::pin;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, FutureExt, select, try_join};
use futures::stream::{self, Fuse, FuturesUnordered, StreamExt, TryStreamExt};

use super::StoredServer;
use super::records::{self, Fate};
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::format::{
    Batcher, EntryHeader, Layout, MAX_RECORD, MAX_SEGMENT, SEGMENT_TARGET, SealedSegment, SegmentRef, decode_entry,
    decode_segment, encode_entry,
};
use crate::model::{Change, Document, DocumentId, Hash, Sequence};
use crate::runtime::{compute, new_nonce};
use crate::sabotage::{Mistake, on};
use crate::server::{Author, ChangeStream, Content, Entry, Prepared, Server, Snapshot, Staged, Tip, TooLarge, Written};
use crate::storage::{ObjectKey, Reply};

/// Stored bytes from which on decoding is worth a thread of its own.
const HEAVY: usize = 64 << 10;
/// Bytes of changes that are compressed in one piece of work.
const CHUNK: usize = 1 << 20;
/// How many segments are on their way up at once, if the storage bears as many requests: each is up to 8 MiB.
const UPLOADS: usize = 3;
/// Stored bytes that are on their way up at once: a larger segment goes alone. Segments are mostly a little above their target, so
/// that this is room for all three.
const UNDER_WAY: u64 = 4 * SEGMENT_TARGET as u64;
/// Segments of one entry, about: what comes after them is left for the next one. That is at least a GiB wherever a segment has
/// 256 KiB, and mostly 32 GiB.
const MOST_SEGMENTS: u64 = 4096;
/// Bytes of an object for each segment, mark or client that it lists, generously: one has about 70 once it is compressed.
pub(super) const REFERENCE: u64 = 256;

pub(super) async fn read(
    wire: &Wire,
    layout: &Layout,
    from: Sequence,
    count: usize,
) -> Result<Vec<Reply<Option<Entry>>>> {
    let mut numbers = Vec::with_capacity(count);
    let mut number = from;
    for _ in 0..count {
        numbers.push(number);
        number = number.next()?;
    }
    let parallel = wire.capabilities().parallelism.max(1);
    stream::iter(numbers).map(|number| read_one(wire, layout, number)).buffered(parallel).try_collect().await
}

async fn read_one(wire: &Wire, layout: &Layout, number: Sequence) -> Result<Reply<Option<Entry>>> {
    let key = layout.entry(number)?;
    let Reply { value, time } = wire.get(&key, MAX_RECORD).await?;
    let Some(stored) = value else {
        return Ok(Reply { value: None, time });
    };
    let heavy = stored.len() >= HEAVY;
    let decode = move || {
        let (header, changes) = decode_entry(&key, &stored)?;
        entry(number, &stored, header, changes).map_err(|error| error.with_key(&key))
    };
    let entry = if heavy { compute(wire.runtime(), decode).await?? } else { decode()? };
    Ok(Reply { value: Some(entry), time })
}

fn entry(sequence: Sequence, stored: &Bytes, header: EntryHeader, changes: Vec<Change>) -> Result<Entry> {
    if header.segments.iter().chain(&header.index).any(|segment| segment.length > MAX_SEGMENT) {
        return Err(Error::new(ErrorKind::Corrupt, "an entry names a segment larger than any can be"));
    }
    let content = match header.kind.as_str() {
        "changes" if header.segments.is_empty() => Content::Changes(changes),
        "changes" if changes.is_empty() => Content::Segments(header.segments),
        "changes" => return Err(Error::new(ErrorKind::Corrupt, "an entry has changes both inside and in segments")),
        "snapshot" => Content::Snapshot { segments: header.segments, index: header.index },
        "collect" => Content::Collect,
        "drop" => Content::Drop,
        _ => {
            let error = Error::new(ErrorKind::Unsupported, "the entry is of a kind that a newer version wrote");
            return Err(error.with_expected("changes, snapshot, collect or drop", header.kind));
        }
    };
    Ok(Entry {
        sequence,
        hash: Hash::of(stored),
        previous: header.previous,
        client: header.client,
        attempt: header.attempt,
        lease: header.lease,
        time: header.time,
        size: stored.len() as u64,
        content,
    })
}

pub(super) async fn segment(wire: &Wire, layout: &Layout, segment: &SegmentRef) -> Result<Vec<Change>> {
    named(wire, layout, segment, decode_segment).await
}

/// Reads an object under `segments/` that an entry or a snapshot names.
pub(super) async fn named<T: Send + 'static>(
    wire: &Wire,
    layout: &Layout,
    segment: &SegmentRef,
    decode: fn(&ObjectKey, &[u8]) -> Result<T>,
) -> Result<T> {
    let key = layout.checked_segment(&segment.name)?;
    let corrupt = |what| Error::new(ErrorKind::Corrupt, what).with_operation("segment").with_key(&key);
    let found = wire.get(&key, segment.length.min(MAX_SEGMENT)).await?.value;
    let stored = found.ok_or_else(|| corrupt("an entry or a snapshot names this segment, and it is not there"))?;
    let expected = segment.hash;
    let (name, bytes) = (key.clone(), stored);
    let decoded = compute(wire.runtime(), move || {
        if Hash::of(&bytes) == expected || on(Mistake::SegmentHashUnchecked) {
            Some(decode(&name, &bytes))
        } else {
            None
        }
    });
    decoded.await?.ok_or_else(|| corrupt("the segment is not the one that was committed"))?
}

/// Cuts changes into segments and uploads a few at a time; few changes stay in memory for the entry itself.
///
/// Once there are as many segments as an entry should name, no more changes are fetched: those that were are staged.
pub(super) async fn stage(wire: &Wire, layout: &Layout, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
    let most = most_segments(wire.capabilities().max_object);
    let Cut { uploads, mut rest, too_large } = cut(wire, layout, checkpoint, changes, most).await?;
    if uploads.begun == 0
        && let Some(inline) = rest.take_inline()?
    {
        return Ok(Staged { checkpoint, content: Content::Changes(inline), too_large });
    }
    let segments = uploads.end_with(wire, layout, checkpoint, rest).await?;
    Ok(Staged { checkpoint, content: Content::Segments(segments), too_large })
}

/// Cuts changes into segments and uploads a few at a time, however few or many there are.
pub(super) async fn stage_segments(
    wire: &Wire,
    layout: &Layout,
    checkpoint: u64,
    changes: ChangeStream<'_>,
) -> Result<Vec<SegmentRef>> {
    let Cut { uploads, rest, too_large } = cut(wire, layout, checkpoint, changes, u64::MAX).await?;
    let segments = uploads.end_with(wire, layout, checkpoint, rest).await?;
    too_large.into_iter().next().map_or(Ok(segments), |large| Err(Error::from(large).with_operation("snapshot_put")))
}

/// Changes that were cut into segments, and what is left for the last one.
struct Cut<'w> {
    uploads: Uploads<'w>,
    rest: Batcher,
    too_large: Vec<TooLarge>,
}

/// Cuts changes into full segments and begins to upload them; at most about `most`.
///
/// Compression runs off the async threads while the next changes are fetched.
async fn cut<'w>(
    wire: &'w Wire,
    layout: &Layout,
    checkpoint: u64,
    changes: ChangeStream<'_>,
    most: u64,
) -> Result<Cut<'w>> {
    let mut changes = changes.fuse();
    let claims = wire.capabilities();
    let (at_once, limit) = (UPLOADS.min(claims.parallelism.max(1)), claims.max_object);
    let mut uploads =
        Uploads { wire, at_once, under_way: FuturesUnordered::new(), bytes: 0, begun: 0, done: Vec::new() };
    let mut too_large = Vec::new();
    let mut batcher = Batcher::new(limit);
    // Where segments are tiny, so is what is fetched beyond the last.
    let size = usize::try_from(limit).unwrap_or(CHUNK).clamp(1, CHUNK);
    let mut chunk = next_chunk(&mut changes, size).await?;
    while !chunk.is_empty() {
        let enough = uploads.begun as u64 >= most;
        let packing = async { compute(wire.runtime(), move || pack(batcher, chunk, limit)).await? };
        let fetching = async { if enough { Ok(Vec::new()) } else { next_chunk(&mut changes, size).await } };
        let (packed, next) = uploads.beside(try_join(packing, fetching)).await?;
        (batcher, chunk) = (packed.open, next);
        for full in packed.full {
            let sealed = uploads.beside(seal(wire, layout, checkpoint, full)).await?;
            match fitting(sealed, limit) {
                Ok(segment) => uploads.begin(segment).await?,
                Err(large) => too_large.push(large?),
            }
        }
    }
    Ok(Cut { uploads, rest: batcher, too_large })
}

/// Segments on their way up. They stand still unless somebody waits for one of them.
struct Uploads<'w> {
    wire: &'w Wire,
    at_once: usize,
    under_way: FuturesUnordered<BoxFuture<'w, Result<(usize, SegmentRef)>>>,
    /// Stored bytes of those, which are held in memory.
    bytes: u64,
    begun: usize,
    /// With their places among all.
    done: Vec<(usize, SegmentRef)>,
}

impl Uploads<'_> {
    /// Does this work while the uploads go on.
    async fn beside<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        while !self.under_way.is_empty() {
            match select(work.as_mut(), self.under_way.try_next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((uploaded, _)) => self.note(uploaded?),
            }
        }
        work.await
    }

    fn note(&mut self, uploaded: Option<(usize, SegmentRef)>) {
        self.bytes -= uploaded.as_ref().map_or(0, |(_, segment)| segment.length);
        self.done.extend(uploaded);
    }

    /// Begins one as soon as few enough are under way, of few enough bytes.
    async fn begin(&mut self, segment: SealedSegment) -> Result<()> {
        let size = segment.reference.length;
        while self.under_way.len() >= self.at_once || self.bytes > 0 && self.bytes + size > UNDER_WAY {
            let uploaded = self.under_way.try_next().await?;
            self.note(uploaded);
        }
        self.bytes += size;
        let (wire, place) = (self.wire, self.begun);
        self.begun += 1;
        let upload = async move {
            let sent = wire.put(&segment.key, &segment.parts).await;
            if !on(Mistake::FailedUploadNamed) {
                sent?;
            }
            Ok((place, segment.reference))
        };
        self.under_way.push(upload.boxed());
        Ok(())
    }

    /// Uploads a last one, if it holds anything, and waits for all.
    async fn end_with(
        mut self,
        wire: &Wire,
        layout: &Layout,
        checkpoint: u64,
        rest: Batcher,
    ) -> Result<Vec<SegmentRef>> {
        if !rest.is_empty() {
            let sealed = self.beside(seal(wire, layout, checkpoint, rest)).await?;
            self.begin(sealed).await?;
        }
        self.end().await
    }

    /// Waits for all; they are in the order in which they began.
    async fn end(mut self) -> Result<Vec<SegmentRef>> {
        while !on(Mistake::UploadNotAwaited)
            && let Some(uploaded) = self.under_way.try_next().await?
        {
            self.done.push(uploaded);
        }
        self.done.sort_unstable_by_key(|(place, _)| *place);
        Ok(self.done.into_iter().map(|(_, segment)| segment).collect())
    }
}

/// The segment, if the storage takes it. One that is too large holds one document only.
fn fitting(segment: SealedSegment, limit: u64) -> Result<SealedSegment, Result<TooLarge>> {
    let size = segment.reference.length;
    if size <= limit || on(Mistake::OversizeSent) {
        return Ok(segment);
    }
    let several = || Error::new(ErrorKind::Internal, "a segment was not cut to what the store takes");
    Err(segment.only.map(|id| TooLarge { id, size, limit }).ok_or_else(several))
}

/// How many segments an entry should name at the most: their references must fit into what a record holds and the storage takes.
fn most_segments(limit: u64) -> u64 {
    (limit.min(MAX_RECORD) / REFERENCE).clamp(1, MOST_SEGMENTS)
}

/// Some changes: as many as make a piece of work of this size, none at the end.
async fn next_chunk(changes: &mut Fuse<ChangeStream<'_>>, size: usize) -> Result<Vec<Change>> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while bytes < size {
        let change = match changes.try_next().await {
            Err(_) if on(Mistake::HalfIsWhole) => break,
            change => change?,
        };
        let Some(change) = change else {
            break;
        };
        bytes += change.id.as_str().len() + change.action.len();
        chunk.push(change);
    }
    Ok(chunk)
}

struct Packed {
    full: Vec<Batcher>,
    open: Batcher,
}

fn pack(mut open: Batcher, chunk: Vec<Change>, limit: u64) -> Result<Packed> {
    let mut full = Vec::new();
    for change in chunk {
        if !open.has_room_for(&change) {
            full.push(std::mem::replace(&mut open, Batcher::new(limit)));
        }
        open.push(change)?;
        if open.is_full() {
            full.push(std::mem::replace(&mut open, Batcher::new(limit)));
        }
    }
    Ok(Packed { full, open })
}

async fn seal(wire: &Wire, layout: &Layout, checkpoint: u64, batcher: Batcher) -> Result<SealedSegment> {
    let key = layout.segment(checkpoint, new_nonce(wire.runtime())?)?;
    compute(wire.runtime(), move || batcher.seal(key)).await?
}

pub(super) fn prepare(wire: &Wire, layout: &Layout, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
    let sequence = after.next()?;
    let none = Vec::new;
    let (kind, changes, segments, index) = match &staged.content {
        Content::Changes(changes) => ("changes", changes.as_slice(), none(), none()),
        Content::Segments(segments) => ("changes", &[][..], segments.clone(), none()),
        Content::Snapshot { segments, index } => ("snapshot", &[][..], segments.clone(), index.clone()),
        Content::Collect => ("collect", &[][..], none(), none()),
        Content::Drop => return Err(Error::new(ErrorKind::Invalid, "a domain is not ended this way")),
    };
    let key = layout.entry(sequence)?;
    let header = EntryHeader {
        key: key.to_string(),
        client: author.client,
        attempt: author.attempt,
        lease: author.lease,
        time: author.time.max(after.time),
        previous: after.hash,
        kind: kind.to_owned(),
        changes: Vec::new(),
        segments,
        index,
    };
    let bytes = encode_entry(header, changes)?;
    // Once journalled it would be sent for ever.
    check_entry(wire, bytes.len() as u64).map_err(|error| error.with_operation("prepare").with_key(key))?;
    Ok(Prepared { sequence, hash: Hash::of(&bytes), bytes })
}

/// Whether the storage takes an entry of this size, and readers do.
pub(super) fn check_entry(wire: &Wire, size: u64) -> Result<()> {
    wire.check_size(size)?;
    if size <= MAX_RECORD {
        return Ok(());
    }
    let what = format!(
        "the record has {size} bytes and may have at most 1 MiB; commit fewer changes at once: nothing was sent"
    );
    Err(Error::new(ErrorKind::Invalid, what))
}

pub(super) async fn write(wire: &Wire, layout: &Layout, entry: &Prepared) -> Result<Reply<Written>> {
    let key = layout.entry(entry.sequence)?;
    let Reply { value, time } = records::create(wire, &key, &entry.bytes).await?;
    let value = match value {
        Fate::Mine | Fate::Found => Written::Committed,
        Fate::Another => Written::Taken,
        // What is hidden may be ours, whatever the look for the floor comes to.
        Fate::Hidden => {
            hidden(wire, layout, entry.sequence).await.map_err(|error| error.with_outcome(Outcome::Unknown))?
        }
    };
    Ok(Reply { value, time })
}

/// A name that is said to be taken and shows nothing: trimmed, or broken.
async fn hidden(wire: &Wire, layout: &Layout, number: Sequence) -> Result<Written> {
    let floor = records::newest::<Sequence>(wire, &layout.snapshots()?).await?;
    if floor.is_some_and(|newest| newest >= number) {
        return Ok(Written::BelowFloor);
    }
    Err(Error::new(ErrorKind::Corrupt, "an entry is said to exist and cannot be read")
        .with_operation("changes_write")
        .with_key(layout.entry(number)?))
}

/// The newest committed version of a document, from a walk over the log behind the newest snapshot, and over that.
pub(super) async fn find(server: &StoredServer, id: &DocumentId) -> Result<Option<Document>> {
    let mut tried: Option<(Sequence, Error)> = None;
    loop {
        let snapshot = server.snapshot().await?;
        let covers = snapshot.as_ref().map(|snapshot| snapshot.entry.sequence);
        // What cannot be read of one snapshot is in a newer one, if there is one.
        if let Some((_, error)) = tried.take_if(|(before, _)| covers.is_none_or(|covers| covers <= *before)) {
            return Err(error);
        }
        match find_behind(server, id, snapshot.as_ref()).await {
            Ok(Found::Here(document)) => return Ok(document),
            Ok(Found::Trimmed) => {}
            Err(error) if error.kind() == ErrorKind::Corrupt && covers.is_some() => {
                tried = covers.map(|covers| (covers, error));
            }
            Err(error) => return Err(error),
        }
    }
}

enum Found {
    Here(Option<Document>),
    /// The log was trimmed while it was walked.
    Trimmed,
}

async fn find_behind(server: &StoredServer, id: &DocumentId, snapshot: Option<&Snapshot>) -> Result<Found> {
    const STRIDE: usize = 16;
    let mut last: Option<Change> = None;
    let mut from = snapshot.map_or(Ok(Sequence::FIRST), |snapshot| snapshot.entry.sequence.next())?;
    loop {
        for reply in server.changes_read(from, STRIDE).await? {
            let Some(entry) = reply.value else {
                if server.floor().await?.is_some_and(|newest| newest >= from) {
                    return Ok(Found::Trimmed);
                }
                let segments = snapshot.map_or(&[][..], |snapshot| &snapshot.segments);
                let last = match last {
                    Some(change) => Some(change),
                    None => newest_in(server, Content::Segments(segments.to_vec()), id).await?,
                };
                return Ok(Found::Here(last.and_then(|change| change.document())));
            };
            from = entry.sequence.next()?;
            last = newest_in(server, entry.content, id).await?.or(last);
        }
    }
}

async fn newest_in(server: &StoredServer, content: Content, id: &DocumentId) -> Result<Option<Change>> {
    let pick = |changes: Vec<Change>| changes.into_iter().rfind(|change| change.id == *id);
    match content {
        Content::Changes(changes) => Ok(pick(changes)),
        Content::Segments(segments) => {
            for segment in segments.iter().rev() {
                if let Some(found) = pick(server.segment(segment).await?) {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

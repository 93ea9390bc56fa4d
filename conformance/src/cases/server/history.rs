//! One client's hand on the log, and the whole log, checked.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use longshore_core::{
    AttemptNumber, Author, Change, ClientId, Content, Document, Entry, FencingToken, Hash, Prepared, Sequence, Server,
    Tip, Written,
};

use crate::verdict::{Failure, ensure};

/// How many numbers are read at once.
const STRIDE: usize = 32;
/// Lost races after which an append is given up: somebody must win each.
const RACES: usize = 10_000;

/// Reads on, prepares and writes, as an engine does.
pub(in crate::cases) struct Writer {
    pub(in crate::cases) server: Arc<dyn Server>,
    pub(in crate::cases) tip: Tip,
    pub(in crate::cases) author: Author,
}

impl Writer {
    /// A client of this number, at the beginning of the log.
    pub(in crate::cases) async fn new(server: Arc<dyn Server>, client: u8) -> Result<Self, Failure> {
        let tip = beginning(&*server).await?;
        let client = ClientId::from_bytes([client; 16]);
        let author = Author { client, attempt: AttemptNumber::FIRST, lease: None, time: None };
        Ok(Self { server, tip, author })
    }

    /// Works under this lease from now on.
    pub(in crate::cases) fn under(&mut self, lease: FencingToken) {
        self.author.lease = Some(lease);
    }

    /// Reads on to the head.
    pub(in crate::cases) async fn read_on(&mut self) -> Result<(), Failure> {
        let read = read_on(&*self.server, self.tip).await?;
        self.tip = read.last().map_or(self.tip, Entry::tip);
        Ok(())
    }

    /// The entry that would commit these changes at the next number.
    pub(in crate::cases) async fn prepare(&self, changes: Vec<Change>) -> Result<Prepared, Failure> {
        let changes = stream::iter(changes.into_iter().map(Ok)).boxed();
        let staged = self.server.put(self.tip.number(), changes).await?;
        Ok(self.server.prepare(&self.tip, &self.author, &staged)?)
    }

    /// Writes a prepared entry, and moves on behind it if it is in.
    pub(in crate::cases) async fn write(&mut self, entry: &Prepared) -> Result<Written, Failure> {
        let reply = self.server.changes_write(entry).await?;
        if reply.value == Written::Committed {
            let time = self.author.time.max(self.tip.time);
            self.tip = Tip { sequence: Some(entry.sequence), hash: entry.hash, time };
            self.author.attempt = self.author.attempt.next()?;
        }
        self.author.time = self.author.time.max(reply.time);
        Ok(reply.value)
    }

    /// Commits these changes, whoever else commits, and says at which number.
    pub(in crate::cases) async fn append(&mut self, changes: Vec<Change>) -> Result<Sequence, Failure> {
        for _ in 0..RACES {
            let entry = self.prepare(changes.clone()).await?;
            match self.write(&entry).await? {
                Written::Committed => return Ok(entry.sequence),
                Written::Taken => self.read_on_past(entry.sequence).await?,
                Written::BelowFloor => {
                    return Err(Failure::new(
                        "nothing was ever compacted, and an entry is said to lie below the floor",
                    ));
                }
            }
        }
        Err(Failure::new(format!("of {RACES} tries to append, each was told that its number is taken")))
    }

    async fn read_on_past(&mut self, taken: Sequence) -> Result<(), Failure> {
        self.read_on().await?;
        ensure!(
            self.tip.number() >= taken.get(),
            "entry {} is said to be taken, and reading on ends at {}",
            taken.get(),
            self.tip.number()
        );
        Ok(())
    }
}

/// The place before the first entry.
pub(in crate::cases) async fn beginning(server: &dyn Server) -> Result<Tip, Failure> {
    let info = server.store().await?.value;
    Ok(Tip::beginning(
        &info.ok_or_else(|| Failure::new("the store was initialised, and `store` says that nothing is there"))?,
    ))
}

/// Every entry there is: dense, in order, each naming the hash of the one before, with a time that never goes back.
pub(in crate::cases) async fn whole_log(server: &dyn Server) -> Result<Vec<Entry>, Failure> {
    read_on(server, beginning(server).await?).await
}

/// Every entry behind this place.
pub(in crate::cases) async fn read_on(server: &dyn Server, mut tip: Tip) -> Result<Vec<Entry>, Failure> {
    let mut all = Vec::new();
    loop {
        let next = tip.next()?;
        let replies = server.changes_read(next, STRIDE).await?;
        ensure!(replies.len() == STRIDE, "{STRIDE} numbers were asked for, and {} replies came", replies.len());
        for reply in replies {
            let Some(entry) = reply.value else {
                return Ok(all);
            };
            follows(&tip, &entry)?;
            tip = entry.tip();
            all.push(entry);
        }
    }
}

fn follows(tip: &Tip, entry: &Entry) -> Result<(), Failure> {
    let (number, expected) = (entry.sequence.get(), tip.number() + 1);
    ensure!(number == expected, "entry {number} came in the place of entry {expected}");
    ensure!(
        entry.previous == tip.hash,
        "entry {number} names {} as the one before, which is {}",
        short(&entry.previous),
        short(&tip.hash)
    );
    ensure!(entry.time >= tip.time, "the time of entry {number} is before that of the entry before");
    Ok(())
}

fn short(hash: &Hash) -> String {
    hash.to_string()[..12].to_owned()
}

/// The changes of an entry, wherever they are kept.
pub(in crate::cases) async fn changes_of(server: &dyn Server, entry: &Entry) -> Result<Vec<Change>, Failure> {
    match &entry.content {
        Content::Changes(changes) => Ok(changes.clone()),
        Content::Segments(segments) => {
            let mut changes = Vec::new();
            for segment in segments {
                changes.extend(server.segment(segment).await?);
            }
            Ok(changes)
        }
        other => Err(Failure::new(format!("entry {} holds {other:?}, which nobody wrote", entry.sequence.get()))),
    }
}

/// A change that stores this.
pub(in crate::cases) fn put(id: impl Into<String>, body: impl Into<bytes::Bytes>) -> Result<Change, Failure> {
    Ok(Change::put(Document::new(id, body)?))
}

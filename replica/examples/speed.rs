//! How much the replica costs over the bare insert of its rows: `cargo run --release --example speed -- 20000 500`.
//!
//! The bare insert is one transaction with the same ids, hashes and bodies into two plain tables, documents and outbox, as
//! durable as the replica's writes: once with SQLite's own sizes of pages and write-ahead log, which the ratios are to, and
//! once with the replica's. Every figure is the least of several rounds, each in a fresh folder.

#![allow(clippy::disallowed_types, clippy::cast_precision_loss, reason = "a stopwatch")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use longshore_core::{
    Attempt, AttemptNumber, Batch, Change, Document, Hash, Replica, RowNumber, RowSet, Sequence, Step,
};
use longshore_replica::SqliteReplica;
use rusqlite::{Connection, params};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let count = arguments.next().transpose()?.unwrap_or(20_000);
    let length = arguments.next().transpose()?.unwrap_or(500);
    let mut best = [Duration::MAX; 7];
    for _ in 0..ROUNDS {
        for (least, time) in best.iter_mut().zip(round(count, length).await?) {
            *least = time.min(*least);
        }
    }
    report(count, length, best);
    Ok(())
}

async fn round(count: usize, length: usize) -> Outcome<[Duration; 7]> {
    let folder = tempfile::tempdir()?;
    let changes = changes(count, length)?;
    let plain = bare(&folder.path().join("bare.db"), "", &changes)?;
    let settings = "PRAGMA page_size = 8192; PRAGMA wal_autocheckpoint = 2048;";
    let sized = bare(&folder.path().join("sized.db"), settings, &changes)?;
    let [write, pending, commit] = push(&folder.path().join("push.db"), changes.clone()).await?;
    let [store, again] = pull(&folder.path().join("pull.db"), changes).await?;
    Ok([plain, sized, write, pending, commit, store, again])
}

fn changes(count: usize, length: usize) -> Outcome<Vec<Change>> {
    let document = |n: usize| {
        let body: Bytes = (0..length).map(|at| n.wrapping_mul(31).wrapping_add(at * at).to_le_bytes()[0]).collect();
        Document::new(format!("notes/{n:08}.md"), body).map(Change::put)
    };
    Ok((0..count).map(document).collect::<Result<_, _>>()?)
}

fn bare(path: &Path, settings: &str, changes: &[Change]) -> Outcome<Duration> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(settings)?;
    connection.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA cache_size = -8192;
         CREATE TABLE document (id TEXT NOT NULL PRIMARY KEY, digest BLOB, body BLOB);
         CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, digest BLOB);",
    )?;
    let start = Instant::now();
    let transaction = connection.transaction()?;
    {
        let mut document = transaction.prepare("INSERT INTO document VALUES (?1, ?2, ?3)")?;
        let mut outbox = transaction.prepare("INSERT INTO outbox (id, digest) VALUES (?1, ?2)")?;
        for change in changes {
            let body = change.action.body().map(Bytes::as_ref).unwrap_or_default();
            let digest = Hash::of(body);
            document.execute(params![change.id.as_str(), digest.as_bytes(), body])?;
            outbox.execute(params![change.id.as_str(), digest.as_bytes()])?;
        }
    }
    transaction.commit()?;
    Ok(start.elapsed())
}

async fn push(path: &Path, changes: Vec<Change>) -> Outcome<[Duration; 3]> {
    let replica = SqliteReplica::open(path).await?;
    let last = RowNumber::new(changes.len() as u64)?;
    let mut watch = Watch(Instant::now());
    replica.write(changes).await?;
    let write = watch.lap();
    let rows = read_pending(&replica, last).await?;
    let pending = watch.lap();
    commit(&replica, rows).await?;
    Ok([write, pending, watch.lap()])
}

struct Watch(Instant);

impl Watch {
    /// The time since the last lap.
    fn lap(&mut self) -> Duration {
        let last = std::mem::replace(&mut self.0, Instant::now());
        self.0.duration_since(last)
    }
}

async fn read_pending(replica: &SqliteReplica, last: RowNumber) -> Outcome<RowSet> {
    let mut rows = Vec::new();
    loop {
        let page = replica.pending(rows.last().copied(), last, 1 << 20).await?;
        if page.is_empty() {
            return Ok(rows.into_iter().collect());
        }
        rows.extend(page.iter().map(|one| one.row));
    }
}

async fn commit(replica: &SqliteReplica, rows: RowSet) -> Outcome<()> {
    let bytes = Bytes::from_static(b"an entry");
    let attempt =
        Attempt { number: AttemptNumber::FIRST, sequence: Sequence::FIRST, hash: Hash::of(&bytes), bytes, rows };
    replica.apply(Batch { seen: None, steps: vec![Step::Journal(attempt)] }).await?;
    replica.apply(Batch { seen: None, steps: vec![Step::State(Bytes::from_static(b"state")), Step::Commit] }).await?;
    Ok(())
}

/// Stores all of them as new documents, and then once more as changes.
async fn pull(path: &Path, changes: Vec<Change>) -> Outcome<[Duration; 2]> {
    let replica = SqliteReplica::open(path).await?;
    let mut times = [Duration::ZERO; 2];
    for (time, sequence) in times.iter_mut().zip([1, 2]) {
        let sequence = Sequence::new(sequence)?;
        let steps = changes.iter().cloned().map(|change| Step::Store { change, sequence }).collect();
        let start = Instant::now();
        replica.apply(Batch { seen: None, steps }).await?;
        *time = start.elapsed();
    }
    Ok(times)
}

fn report(count: usize, length: usize, [bare, sized, write, pending, commit, store, again]: [Duration; 7]) {
    println!("{count} documents of {length} bytes, least of {ROUNDS} rounds");
    let line = |name: &str, time: Duration| {
        println!("{name:<28} {:>8.1} ms  {:.2}x", time.as_secs_f64() * 1e3, time.as_secs_f64() / bare.as_secs_f64());
    };
    line("bare insert", bare);
    line("bare insert, our sizes", sized);
    line("write", write);
    line("pending", pending);
    line("journal and commit", commit);
    line("write, pending and commit", write + pending + commit);
    line("apply, new documents", store);
    line("apply, changed documents", again);
}

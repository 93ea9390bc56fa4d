//! The replica in SQLite against the one in memory: the same random calls, and after each of them the same answers. No body
//! is ever left behind that nothing names.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

mod support;

use std::path::Path;

use bytes::Bytes;
use longshore_core::{Answer, Change, MemoryReplica, Replica, Result, RowNumber, Step};
use longshore_replica::SqliteReplica;
use rusqlite::Connection;
use support::*;

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The generator `SplitMix64`: the same seed, the same run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % limit
    }

    fn name(&mut self) -> &'static str {
        IDS[usize::try_from(self.below(5)).unwrap()]
    }

    fn change(&mut self) -> Change {
        let name = self.name();
        let text = self.below(1000).to_string();
        match self.below(4) {
            0 => delete(name),
            1 => put(name, &text),
            _ => put_revised(name, &text, &format!("r{text}")),
        }
    }

    fn answer(&mut self) -> Answer {
        match self.below(4) {
            0 => Answer::KeepLocal,
            1 => Answer::TakeRemote,
            2 => Answer::Merge { revision: None, body: Bytes::from(self.below(1000).to_string()) },
            _ => Answer::KeepBoth { copy: id(self.name()) },
        }
    }
}

struct Pair {
    memory: MemoryReplica,
    sqlite: SqliteReplica,
    sequence: u64,
}

impl Pair {
    async fn turn(&mut self, random: &mut Random) {
        match random.below(10) {
            0..=3 => self.write(random).await,
            4 => self.queue(random.change()).await,
            _ => self.batch(random).await,
        }
    }

    async fn write(&self, random: &mut Random) {
        let changes: Vec<Change> = (0..=random.below(3)).map(|_| random.change()).collect();
        self.memory.write(changes.clone()).await.unwrap();
        self.sqlite.write(changes).await.unwrap();
    }

    async fn queue(&self, change: Change) {
        let row = self.memory.queue(change.clone()).await.unwrap();
        assert_eq!(self.sqlite.queue(change).await.unwrap(), row);
    }

    /// A batch that may make sense; where it does not, both replicas refuse it alike.
    async fn batch(&mut self, random: &mut Random) {
        let mut steps = Vec::new();
        for _ in 0..=random.below(2) {
            steps.push(self.step(random).await);
        }
        let last = self.last_row().await.map_or(0, RowNumber::get);
        let seen = last.saturating_sub(random.below(8) / 7);
        let (memory, sqlite) = (apply(&self.memory, seen, steps.clone()).await, apply(&self.sqlite, seen, steps).await);
        assert_eq!(kind(memory), kind(sqlite));
    }

    async fn step(&mut self, random: &mut Random) -> Step {
        self.sequence += 1;
        let name = random.name();
        let rows = self.memory.outbox(&[id(name)]).await.unwrap().rows.remove(&id(name)).unwrap_or_default();
        let newest = rows.last().map_or(row(1), |pending| pending.row);
        match random.below(9) {
            7 => Step::Shelve { name: name.to_owned(), bytes: Bytes::from(random.below(1000).to_string()) },
            8 => Step::Unshelve,
            0 => store(random.change(), self.sequence),
            1 => conflict(random.change(), self.sequence),
            2 if !rows.is_empty() => {
                let at = usize::try_from(random.below(rows.len() as u64)).unwrap();
                settle(name, rows[at].row.get(), base(self.sequence, None))
            }
            3 => Step::Answer { id: id(name), row: newest, answer: random.answer() },
            4 => Step::Commit,
            5 => Step::Abandon,
            _ => self.journal(random).await,
        }
    }

    async fn journal(&self, random: &mut Random) -> Step {
        let all = self.memory.pending(None, row(1_000_000), usize::MAX).await.unwrap();
        let named = all.iter().map(|one| one.row.get()).filter(|_| random.below(3) > 0);
        journal(self.sequence, named.collect::<Vec<_>>().into_iter().map(row).collect())
    }

    async fn last_row(&self) -> Option<RowNumber> {
        self.memory.outbox(&[]).await.unwrap().last_row
    }

    async fn compare(&self) {
        let (memory, sqlite) = (view(&self.memory).await, view(&self.sqlite).await);
        assert_eq!(memory, sqlite);
        for (name, expected) in self.memory.documents() {
            assert_eq!(self.sqlite.get(&name).await.unwrap(), Some(expected));
        }
        assert_eq!(self.sqlite.len().await.unwrap(), self.memory.len().await.unwrap());
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.map_or_else(|error| error.kind().to_string(), |done| format!("{done:?}"))
}

/// All that a replica says of itself to the engine.
async fn view(replica: &dyn Replica) -> String {
    let loaded = replica.load().await.unwrap();
    let last = replica.outbox(&[]).await.unwrap().last_row.unwrap_or(row(1));
    let pending = replica.pending(None, last, usize::MAX).await.unwrap();
    let bodies: Vec<_> = pending.iter().map(|one| one.change.action.body().cloned()).collect();
    let outbox = replica.outbox(&IDS.map(id)).await.unwrap();
    let count = replica.pending_count().await.unwrap();
    let mut conflicts = Vec::new();
    for id in replica.conflicts().await.unwrap() {
        conflicts.push(replica.conflict(&id).await.unwrap().unwrap());
    }
    let versions: Vec<String> = conflicts.iter().map(sides).collect();
    let mut synced = replica.synced(None, 2).await.unwrap();
    synced.extend(replica.synced(synced.last().map(|last| last.id.clone()).as_ref(), usize::MAX).await.unwrap());
    let mut shelf = Vec::new();
    for name in IDS {
        shelf.push(replica.shelved(name).await.unwrap());
    }
    format!("{loaded:?} {pending:?} {bodies:?} {outbox:?} {count} {conflicts:?} {versions:?} {synced:?} {shelf:?}")
}

/// The bodies of a conflict, which its `Debug` leaves out.
fn sides(conflict: &longshore_core::Conflict) -> String {
    use longshore_core::{BaseVersion, Version};
    let version = |version: &Version| match version {
        Version::Present(document) => format!("{:?}", document.body),
        Version::Deleted => String::new(),
    };
    let base = match &conflict.base {
        BaseVersion::Known(document) => format!("{:?}", document.body),
        _ => String::new(),
    };
    format!("{base} {} {}", version(&conflict.local), version(&conflict.remote))
}

/// Each body is named once.
fn check_bodies(path: &Path) {
    const NAMED: &str = "SELECT body FROM document WHERE body IS NOT NULL
        UNION ALL SELECT base_body FROM document WHERE base_body > 0
        UNION ALL SELECT body FROM outbox WHERE body IS NOT NULL
        UNION ALL SELECT body FROM shelf
        UNION ALL SELECT body FROM conflict WHERE body IS NOT NULL ORDER BY 1";
    let connection = Connection::open(path).unwrap();
    let numbers = |sql: &str| -> Vec<i64> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(numbers("SELECT number FROM body ORDER BY 1"), numbers(NAMED));
}

async fn run(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let builder = SqliteReplica::builder(&path).synchronous(longshore_replica::Synchronous::Normal);
    let mut pair = Pair { memory: MemoryReplica::new(), sqlite: builder.open().await.unwrap(), sequence: 0 };
    let mut random = Random(seed);
    for _ in 0..120 {
        pair.turn(&mut random).await;
        pair.compare().await;
        check_bodies(&path);
    }
}

/// One seed again: `LONGSHORE_SEED=17 cargo test -p longshore-replica --test differential`.
#[tokio::test]
async fn both_replicas_agree() {
    let one = std::env::var("LONGSHORE_SEED").ok().and_then(|text| text.parse().ok());
    for seed in one.map_or(0..20, |seed: u64| seed..seed + 1) {
        println!("seed {seed}: LONGSHORE_SEED={seed} cargo test -p longshore-replica --test differential");
        run(seed).await;
    }
}

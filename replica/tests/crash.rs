//! A process dies in the middle of a write, without a chance to tidy up. Whatever it was told is done is done; whatever it
//! was doing is done whole or not at all: a document has its outbox row, and an outbox row its document (I1).
//!
//! The test starts itself again as the process that dies.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]
#![allow(clippy::disallowed_types, reason = "the kill is aimed by a stopwatch; no outcome depends on it")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use longshore_core::{Replica, RowNumber, Step};
use longshore_replica::SqliteReplica;
use support::*;

const FOLDER: &str = "LONGSHORE_TEST_CRASH_FOLDER";
const WIDTH: u64 = 40;

/// Does nothing, unless it is the process that is to die: then it writes until it does.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let replica = SqliteReplica::open(Path::new(&folder).join("app.db")).await.unwrap();
    for round in 0.. {
        replica.write((0..WIDTH).map(|n| put(&format!("mine {n}"), &body(round))).collect()).await.unwrap();
        println!("wrote {round}");
        let last = replica.outbox(&[]).await.unwrap().last_row.unwrap();
        let named = rows(last.get() + 1 - WIDTH..=last.get());
        let mut steps: Vec<Step> =
            (0..WIDTH).map(|n| store(put(&format!("theirs {n}"), &body(round)), round + 1)).collect();
        steps.push(Step::State(round.to_string().into()));
        if round % 2 == 1 {
            steps.extend([journal(round + 1, named), Step::Commit]);
        }
        done(&replica, last.get(), steps).await;
        println!("applied {round}");
    }
}

fn body(round: u64) -> String {
    format!("round {round} ").repeat(100)
}

fn spawn(folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture"]).env(FOLDER, folder);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The last round that the dying process acknowledged as written and as applied.
#[derive(Debug, Default)]
struct Acknowledged {
    written: Option<u64>,
    applied: Option<u64>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let number = |prefix| line.strip_prefix(prefix).and_then(|text: &str| text.parse().ok());
        self.written = number("wrote ").or(self.written);
        self.applied = number("applied ").or(self.applied);
    }
}

/// When the process acknowledged something: its own pace, by which the kill is aimed.
struct Pace(Vec<Instant>);

impl Pace {
    /// Waits, busily, until that share of what the process does next is probably done: writes and batches alternate.
    fn spin(&self, share: f64) {
        let [.., before, last, now] = self.0[..] else { return };
        let time = last.duration_since(before).mul_f64(share);
        while now.elapsed() < time {
            std::hint::spin_loop();
        }
    }
}

/// Lets the process acknowledge some lines, kills it in the midst of what comes next, and reads what it still said.
fn run_and_kill(folder: &Path, lines: usize, share: f64) -> Acknowledged {
    let (mut child, output) = spawn(folder);
    let mut acknowledged = Acknowledged::default();
    let mut pace = Pace(Vec::new());
    for line in output.lines().map_while(Result::ok).filter(|line| line.starts_with("wrote") || line.starts_with("app"))
    {
        acknowledged.note(&line);
        pace.0.push(Instant::now());
        if pace.0.len() == lines {
            pace.spin(share);
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(pace.0.len() >= lines, "the process ended by itself");
    acknowledged
}

/// The round whose bodies all documents of this kind have; all of them the same one.
async fn round_of(replica: &SqliteReplica, kind: &str) -> Option<u64> {
    let mut bodies = Vec::new();
    for n in 0..WIDTH {
        bodies.extend(replica.get(&id(&format!("{kind} {n}"))).await.unwrap().map(|document| document.body));
    }
    let first = bodies.first()?;
    assert!(bodies.len() as u64 == WIDTH && bodies.iter().all(|body| body == first), "{kind}: half a write");
    std::str::from_utf8(first).unwrap().split(' ').nth(1).unwrap().parse().ok()
}

async fn check(folder: &Path, acknowledged: &Acknowledged) {
    let replica = SqliteReplica::open(folder.join("app.db")).await.unwrap();
    let mine = round_of(&replica, "mine").await;
    let theirs = round_of(&replica, "theirs").await;
    assert!(mine >= acknowledged.written, "an acknowledged write is gone: {mine:?}");
    assert!(theirs >= acknowledged.applied, "an acknowledged batch is gone: {theirs:?}");
    let state = replica.load().await.unwrap().state.map(|state| String::from_utf8(state.into()).unwrap());
    assert_eq!(state, theirs.map(|round| round.to_string()), "the state moved without its documents");

    let pushed = theirs.is_some_and(|round| round % 2 == 1) && mine == theirs;
    let pending: Vec<u64> = pending(&replica).await.into_iter().map(|(row, _, _)| row).collect();
    let last = mine.map_or(0, |round| (round + 1) * WIDTH);
    let expected: Vec<u64> = if pushed { Vec::new() } else { (last + 1 - WIDTH.min(last)..=last).collect() };
    assert_eq!(pending, expected, "documents and outbox disagree");
    assert_eq!(replica.outbox(&[]).await.unwrap().last_row.map_or(0, RowNumber::get), last);
}

#[tokio::test]
async fn a_killed_process_leaves_whole_writes() {
    for turn in 0..24 {
        let folder = tempfile::tempdir().unwrap();
        let acknowledged = run_and_kill(folder.path(), 3 + turn % 4, f64::from(u32::try_from(turn).unwrap()) / 20.0);
        check(folder.path(), &acknowledged).await;
    }
}

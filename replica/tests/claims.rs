//! Two processes want to sync one replica: one does, the other is told, and both go on reading and writing documents.
//!
//! The test starts itself again as the other process.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use longshore_core::{ErrorKind, Replica};
use longshore_replica::SqliteReplica;
use support::*;

const FOLDER: &str = "LONGSHORE_TEST_CLAIM_FOLDER";

/// Does nothing, unless it is the other process: then it holds the claim until its input ends.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let replica = SqliteReplica::open(Path::new(&folder).join("app.db")).await.unwrap();
    let claim = replica.claim().await.unwrap();
    println!("\nclaimed");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(claim);
}

fn claimed_by_another(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture"]).env(FOLDER, folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    assert!(output.lines().map_while(Result::ok).any(|line| line == "claimed"));
    child
}

#[tokio::test]
async fn one_process_syncs_and_all_read() {
    let folder = tempfile::tempdir().unwrap();
    let replica = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
    let mut other = claimed_by_another(folder.path());
    let refused = replica.claim().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    assert!(refused.to_string().contains("another process syncs this replica"), "{refused}");

    replica.put(document("a", "one")).await.unwrap();
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "one")));
    drop(other.stdin.take());
    other.wait().unwrap();
    assert!(replica.claim().await.is_ok());
}

#[tokio::test]
async fn a_killed_process_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let replica = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
    let mut other = claimed_by_another(folder.path());
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(replica.claim().await.is_ok());
}

#[tokio::test]
async fn two_handles_of_one_process_are_two() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
    let second = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
    let claim = first.claim().await.unwrap();
    assert_eq!(second.claim().await.unwrap_err().kind(), ErrorKind::Locked);
    drop(claim);
    let claim = second.claim().await.unwrap();
    assert_eq!(first.clone().claim().await.unwrap_err().kind(), ErrorKind::Locked);
    drop(claim);
}

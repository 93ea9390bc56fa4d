//! A first sync puts every body through the database, and nobody wants to pay for them twice for ever: what is no longer used
//! goes back to the disk when the app says so, and what is used stays as it is.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

mod support;

use std::fs;

use longshore_core::{Document, Replica};
use longshore_replica::SqliteReplica;
use support::*;
use tempfile::TempDir;

/// 8 MiB that were written, and 7 of them given up.
async fn mostly_unused() -> (TempDir, SqliteReplica) {
    let folder = tempfile::tempdir().unwrap();
    let replica = SqliteReplica::open(folder.path().join("app.db")).await.unwrap();
    for number in 0_u8..8 {
        replica.put(Document::new(format!("{number}"), vec![number; 1 << 20]).unwrap()).await.unwrap();
    }
    for number in 1..8 {
        replica.put(document(&format!("{number}"), "small")).await.unwrap();
    }
    (folder, replica)
}

fn on_disk(folder: &TempDir) -> u64 {
    ["app.db", "app.db-wal"].iter().map(|name| fs::metadata(folder.path().join(name)).unwrap().len()).sum()
}

#[tokio::test]
async fn unused_room_goes_back_to_the_disk() {
    let (folder, replica) = mostly_unused().await;
    assert!(on_disk(&folder) > 8 << 20);
    assert!(replica.reclaim(4 << 20).await.unwrap() >= 7 << 20);
    assert!(on_disk(&folder) < 2 << 20, "{} bytes are left", on_disk(&folder));
    assert_eq!(replica.get(&id("0")).await.unwrap().unwrap().body, vec![0; 1 << 20]);
    assert_eq!(replica.get(&id("7")).await.unwrap().unwrap(), document("7", "small"));
    assert_eq!(replica.pending_count().await.unwrap(), 8);
    replica.put(document("7", "written after")).await.unwrap();
    assert_eq!(replica.reclaim(0).await.unwrap(), 0, "most of it is in use");
}

#[tokio::test]
async fn less_than_the_caller_names_is_kept() {
    let (folder, replica) = mostly_unused().await;
    let before = on_disk(&folder);
    assert_eq!(replica.reclaim(16 << 20).await.unwrap(), 0);
    assert_eq!(on_disk(&folder), before);
}

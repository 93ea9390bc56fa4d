//! What a replica finds when it opens a file: its own data of an earlier run or version, a newer version's, or no replica.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

mod support;

use std::path::Path;

use longshore_core::{BaseVersion, ErrorKind, Replica, Step};
use longshore_replica::SqliteReplica;
use rusqlite::Connection;
use support::*;

async fn refused(path: &Path) -> longshore_core::Error {
    let error = SqliteReplica::open(path).await.expect_err("it must not open");
    let line = error.to_string();
    assert!(line.starts_with(&format!("open {}: ", path.display())), "{line}");
    error
}

#[tokio::test]
async fn everything_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let replica = SqliteReplica::open(&path).await.unwrap();
    replica.write(vec![put_revised("a", "one", "r1"), put("b", "two"), put("c", "three")]).await.unwrap();
    let open = attempt(4, rows([1]));
    let steps = vec![Step::State("s".into()), Step::Journal(open.clone()), conflict(put("b", "theirs"), 3)];
    done(&replica, 3, steps).await;
    replica.put(document("a", "later")).await.unwrap();
    drop(replica);

    let replica = SqliteReplica::open(&path).await.unwrap();
    let loaded = replica.load().await.unwrap();
    assert_eq!((loaded.state, loaded.attempt), (Some("s".into()), Some(open)));
    assert_eq!(replica.conflicts().await.unwrap(), [id("b")]);
    done(&replica, 4, vec![Step::Commit, conflict(put("a", "theirs"), 5)]).await;
    let base = replica.conflict(&id("a")).await.unwrap().unwrap().base;
    assert_eq!(base, BaseVersion::Known(document("a", "one").with_revision(revision("r1"))));
}

#[tokio::test]
async fn row_numbers_are_never_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let replica = SqliteReplica::open(&path).await.unwrap();
    replica.write(vec![put("a", "one"), put("b", "two")]).await.unwrap();
    done(&replica, 2, vec![settle("a", 1, base(1, None)), settle("b", 2, base(1, None))]).await;
    drop(replica);

    let replica = SqliteReplica::open(&path).await.unwrap();
    assert_eq!(replica.outbox(&[]).await.unwrap().last_row, Some(row(2)));
    assert_eq!(replica.queue(put("c", "three")).await.unwrap(), row(3));
}

/// `tests/data/version_1.sql` is what version 1 left: a synced document, an edited one, a deleted one, an open attempt whose
/// row was overwritten, and a conflict.
#[tokio::test]
async fn version_1_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("data/version_1.sql")).unwrap();

    let replica = SqliteReplica::open(&path).await.unwrap();
    assert_eq!(
        replica.get(&id("synced")).await.unwrap(),
        Some(document("synced", "body").with_revision(revision("r1")))
    );
    assert_eq!(replica.list(None, 9).await.unwrap(), ["conflicting", "edited", "sent", "synced"].map(id));
    assert_eq!(
        pending(&replica).await,
        [
            (1, "edited".into(), Some(base(1, None))),
            (2, "deleted".into(), Some(base(1, None))),
            (4, "sent".into(), None)
        ]
    );
    assert_eq!(replica.conflicts().await.unwrap(), [id("conflicting")]);
    assert_eq!(replica.load().await.unwrap().attempt, Some(attempt(2, rows([3]))));
    done(&replica, 5, vec![Step::Commit, conflict(put("sent", "theirs"), 3)]).await;
    let found = replica.conflict(&id("sent")).await.unwrap().unwrap();
    assert_eq!(found.base, BaseVersion::Known(document("sent", "first")));
    assert!(replica.committed(&longshore_core::Hash::of(b"entry 1")).await.unwrap());
    assert_eq!(replica.queue(put("new", "x")).await.unwrap(), row(6));
    assert_eq!(replica.info(&id("synced")).await.unwrap().unwrap().note, Some("a note".into()));
}

#[tokio::test]
async fn a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    drop(SqliteReplica::open(&path).await.unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().ends_with(
        "a newer longshore wrote the database (unsupported), expected version 2 or older, found version 99"
    ));
}

#[tokio::test]
async fn another_applications_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    std::fs::write(&path, "not a database, whatever its name says".repeat(100)).unwrap();
    let error = refused(&path).await;
    assert_eq!((error.kind(), error.message()), (ErrorKind::Corrupt, "the file is not a database"));
}

#[tokio::test]
async fn a_missing_folder_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refused(&folder.path().join("no/app.db")).await.kind(), ErrorKind::Missing);
    assert_eq!(refused(folder.path()).await.kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn damaged_pages_are_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let replica = SqliteReplica::open(&path).await.unwrap();
    replica.write((0..500).map(|n| put(&format!("d{n}"), &"x".repeat(500))).collect()).await.unwrap();
    drop(replica);
    assert!(!folder.path().join("app.db-wal").exists(), "the last to close left the log behind");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8192..].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let replica = SqliteReplica::open(&path).await.unwrap();
    assert_eq!(replica.get(&id("d7")).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn two_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let opening = (0..8).map(|_| tokio::spawn(SqliteReplica::builder(&path).open())).collect::<Vec<_>>();
    for replica in opening {
        replica.await.unwrap().unwrap().put(document("a", "one")).await.unwrap();
    }
}

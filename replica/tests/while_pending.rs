//! An app whose documents are files of its own: bodies lie in the database only while they are pending, and beside each
//! document a note of what the app saw of its file.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

mod support;

use bytes::Bytes;
use longshore_core::{Answer, BaseVersion, ErrorKind, Hash, Replica, Step, Version};
use longshore_replica::{Bodies, SqliteReplica};
use rusqlite::Connection;
use support::*;
use tempfile::TempDir;

async fn open() -> (TempDir, SqliteReplica) {
    let folder = tempfile::tempdir().unwrap();
    let builder = SqliteReplica::builder(folder.path().join("app.db")).bodies(Bodies::WhilePending);
    let replica = builder.open().await.unwrap();
    (folder, replica)
}

fn bodies_in(folder: &TempDir) -> i64 {
    let connection = Connection::open(folder.path().join("app.db")).unwrap();
    connection.query_row("SELECT count(*) FROM body", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_body_stays_until_its_commit() {
    let (folder, replica) = open().await;
    replica.write(vec![put("a", "one"), put("b", "two")]).await.unwrap();
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "one")));
    done(&replica, 2, vec![journal(1, rows([1])), Step::Commit, settle("b", 2, base(2, None))]).await;

    assert_eq!(bodies_in(&folder), 0);
    assert_eq!(replica.get(&id("a")).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(replica.get(&id("absent")).await.unwrap(), None);
    let info = replica.info(&id("a")).await.unwrap().unwrap();
    assert_eq!((info.digest, info.len, info.pending), (Hash::of(b"one"), 3, false));
    assert_eq!(info.base, Some(base(1, None)));
}

#[tokio::test]
async fn a_stored_body_is_not_kept() {
    let (folder, replica) = open().await;
    done(&replica, 0, vec![store(put_revised("a", "one", "r1"), 1), store(put("b", "two"), 1)]).await;
    done(&replica, 0, vec![store(put("b", "three"), 2)]).await;
    assert_eq!(bodies_in(&folder), 0);
    let infos = replica.infos(None, 9).await.unwrap();
    assert_eq!(infos.iter().map(|info| info.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((infos[1].digest, infos[1].len), (Hash::of(b"three"), 5));
    assert_eq!(replica.infos(Some(&id("a")), 9).await.unwrap(), infos[1..]);
}

#[tokio::test]
async fn a_conflict_has_what_is_pending() {
    let (folder, replica) = open().await;
    done(&replica, 0, vec![store(put("a", "base"), 1)]).await;
    replica.put(document("a", "mine")).await.unwrap();
    done(&replica, 1, vec![conflict(put("a", "theirs"), 2)]).await;
    let found = replica.conflict(&id("a")).await.unwrap().unwrap();
    assert_eq!(found.base, BaseVersion::NotKept);
    assert_eq!(found.local, Version::Present(document("a", "mine")));
    assert_eq!(found.remote, Version::Present(document("a", "theirs")));

    done(&replica, 1, vec![Step::Answer { id: id("a"), row: row(1), answer: Answer::TakeRemote }]).await;
    assert_eq!(replica.info(&id("a")).await.unwrap().unwrap().digest, Hash::of(b"theirs"));
    assert_eq!(bodies_in(&folder), 0);
}

#[tokio::test]
async fn notes_stay_with_their_documents() {
    let (_folder, replica) = open().await;
    let note = |text: &'static str| Bytes::from_static(text.as_bytes());
    let changes = vec![(put("a", "one"), Some(note("1"))), (put("b", "two"), None)];
    replica.write_with_notes(changes).await.unwrap();
    done(&replica, 2, vec![journal(1, rows([1, 2])), Step::Commit, store(put("c", "three"), 2)]).await;
    replica.set_notes(vec![(id("b"), note("2")), (id("c"), note("3")), (id("absent"), note("4"))]).await.unwrap();
    // A plain write and a remote change leave the note as it is.
    replica.write(vec![put("a", "edit")]).await.unwrap();
    done(&replica, 3, vec![store(put("c", "remote edit"), 3)]).await;
    let notes = replica.infos(None, 9).await.unwrap().into_iter().map(|info| info.note).collect::<Vec<_>>();
    assert_eq!(notes, [Some(note("1")), Some(note("2")), Some(note("3"))]);

    replica.write(vec![delete("a"), put("a", "again")]).await.unwrap();
    assert_eq!(replica.info(&id("a")).await.unwrap().unwrap().note, Some(note("1")));
    replica.delete(id("a")).await.unwrap();
    let last = replica.outbox(&[]).await.unwrap().last_row.unwrap().get();
    done(&replica, last, vec![journal(4, rows([last])), Step::Commit]).await;
    replica.put(document("a", "new")).await.unwrap();
    assert_eq!(replica.info(&id("a")).await.unwrap().unwrap().note, None);
}

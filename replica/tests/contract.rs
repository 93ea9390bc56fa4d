//! The contract of a replica, run on the one in memory and on the one in SQLite. The engine cannot tell them apart.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail as a test does")]

mod support;

use std::collections::BTreeSet;
use std::future::Future;

use longshore_core::{
    Action, Answer, Applied, BaseVersion, Change, Digest, Document, DocumentId, ErrorKind, Hash, MemoryReplica,
    Replica, Result, RowNumber, Step, Version,
};
use longshore_replica::SqliteReplica;
use support::*;

/// The app's calls that both replicas have.
trait Local: Replica {
    fn write(&self, changes: Vec<Change>) -> impl Future<Output = Result<()>>;
    fn get(&self, id: &DocumentId) -> impl Future<Output = Result<Option<Document>>>;
    fn list(&self, after: Option<&DocumentId>, limit: usize) -> impl Future<Output = Result<Vec<DocumentId>>>;
    fn len(&self) -> impl Future<Output = Result<u64>>;
}

macro_rules! local {
    ($replica:ty) => {
        impl Local for $replica {
            async fn write(&self, changes: Vec<Change>) -> Result<()> {
                Self::write(self, changes).await
            }
            async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
                Self::get(self, id).await
            }
            async fn list(&self, after: Option<&DocumentId>, limit: usize) -> Result<Vec<DocumentId>> {
                Self::list(self, after, limit).await
            }
            async fn len(&self) -> Result<u64> {
                Self::len(self).await
            }
        }
    };
}

local!(MemoryReplica);
local!(SqliteReplica);

macro_rules! cases {
    ($($case:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::MemoryReplica::new()).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                super::$case(super::SqliteReplica::open(folder.path().join("app.db")).await.unwrap()).await;
            })*
        }
    };
}

cases! {
    documents_are_read_as_written
    ids_are_any_text
    a_write_is_a_row
    queue_writes_a_row_for_an_absent_document
    only_the_newest_row_is_pending
    pages_are_bounded_by_bytes
    rows_name_what_they_leave
    store_creates_changes_and_deletes
    a_write_makes_the_batch_stale
    a_stale_or_faulty_batch_changes_nothing
    store_over_a_seen_row_is_a_defect
    commit_makes_the_entry_the_base
    commit_drops_earlier_rows_too
    commit_skips_rows_that_are_gone
    an_overwritten_attempt_becomes_the_base_version
    an_overwritten_row_outside_attempts_is_not_kept
    a_committed_deletion_vanishes
    a_put_after_a_deletion_keeps_the_base
    abandoned_rows_stay
    a_new_attempt_replaces_the_open_one
    settle_takes_the_base_of_the_entry
    settle_leaves_a_later_row
    settle_of_a_deletion_removes_the_document
    settle_needs_its_row
    conflicts_show_all_sides
    conflicts_hold_their_document_back
    a_later_conflict_replaces_the_first
    both_created_it
    a_conflict_without_a_row_is_a_defect
    keep_local
    keep_local_over_a_remote_deletion
    take_remote
    take_a_remote_deletion
    merge
    merge_of_a_deleted_document
    keep_both
    keep_both_of_a_deleted_document
    keep_both_needs_a_free_id
    a_late_answer_is_stale
    state_and_attempt_are_remembered
    committed_attempts_are_remembered
    what_was_taken_is_told_whatever_the_app_did
    what_is_shelved_stays_until_all_is_forgotten
    one_claim_at_a_time
}

async fn documents_are_read_as_written(replica: impl Local) {
    let noted = document("b", "two").with_revision(revision("r1"));
    replica.write(vec![put("a", "one"), Change::put(noted.clone()), put("c", "")]).await.unwrap();
    assert_eq!(replica.get(&id("b")).await.unwrap(), Some(noted));
    assert_eq!(replica.get(&id("c")).await.unwrap(), Some(document("c", "")));
    assert_eq!(replica.list(None, 2).await.unwrap(), [id("a"), id("b")]);
    assert_eq!(replica.list(Some(&id("b")), 2).await.unwrap(), [id("c")]);

    replica.write(vec![delete("b"), delete("absent")]).await.unwrap();
    assert_eq!(replica.get(&id("b")).await.unwrap(), None);
    assert!(!replica.contains(&id("b")).await.unwrap());
    assert!(replica.contains(&id("a")).await.unwrap());
    assert_eq!(replica.len().await.unwrap(), 2);
    assert_eq!(replica.list(None, 9).await.unwrap(), [id("a"), id("c")]);
}

async fn ids_are_any_text(replica: impl Local) {
    let long = "x".repeat(1024);
    let names =
        ["\0", "a\0b", "a", "../../etc/passwd", "🦀/é", "e\u{301}", "'; DROP TABLE document; --", "%_\n", &long];
    replica.write(names.map(|name| put(name, name)).into()).await.unwrap();
    let sorted: Vec<DocumentId> = names.iter().map(|name| id(name)).collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(replica.list(None, 99).await.unwrap(), sorted);
    for name in names {
        assert_eq!(replica.get(&id(name)).await.unwrap(), Some(document(name, name)));
    }
    let last = row(names.len() as u64);
    let pushed = replica.pending(None, last, usize::MAX).await.unwrap();
    assert_eq!(pushed.iter().map(|one| one.change.id.as_str()).collect::<Vec<_>>(), names);
}

async fn a_write_is_a_row(replica: impl Local) {
    assert_eq!(replica.outbox(&[]).await.unwrap().last_row, None);
    replica.write(vec![put("a", "one"), delete("absent"), put("b", "two")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(1, "a".into(), None), (2, "b".into(), None)]);
    assert_eq!(replica.outbox(&[]).await.unwrap().last_row, Some(row(2)));
    assert_eq!(replica.queue(put("c", "three")).await.unwrap(), row(3));
    assert_eq!(replica.pending_count().await.unwrap(), 3);
    assert!(replica.uncommitted().await.unwrap().is_empty());
}

async fn queue_writes_a_row_for_an_absent_document(replica: impl Local) {
    assert_eq!(replica.queue(delete("a")).await.unwrap(), row(1));
    assert_eq!(replica.queue(delete("a")).await.unwrap(), row(2));
    assert_eq!(outbox_rows(&replica, "a").await, [1, 2]);
    assert_eq!(replica.len().await.unwrap(), 0);
    done(&replica, 2, vec![journal(1, rows([2])), Step::Commit]).await;
    assert!(outbox_rows(&replica, "a").await.is_empty());
}

async fn only_the_newest_row_is_pending(replica: impl Local) {
    replica.write(vec![put("a", "1"), put("b", "2"), put("a", "3")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(2, "b".into(), None), (3, "a".into(), None)]);
    // What `a` was in row 1 is gone, so a page that ends before row 3 leaves `a` out.
    let page = replica.pending(None, row(2), usize::MAX).await.unwrap();
    assert_eq!(page.iter().map(|one| one.row.get()).collect::<Vec<_>>(), [2]);
    let page = replica.pending(Some(row(2)), row(3), usize::MAX).await.unwrap();
    assert_eq!(page[0].change.action, Action::Put("3".into()));
    assert!(replica.pending(Some(row(3)), row(3), usize::MAX).await.unwrap().is_empty());
    assert!(replica.pending(Some(row(3)), row(2), usize::MAX).await.unwrap().is_empty());
    assert_eq!(replica.pending_count().await.unwrap(), 2);
}

async fn pages_are_bounded_by_bytes(replica: impl Local) {
    replica.write((0..10).map(|n| put(&format!("d{n}"), &"x".repeat(98))).collect()).await.unwrap();
    let mut after = None;
    let mut sizes = Vec::new();
    while let page @ [_, ..] = &replica.pending(after, row(10), 300).await.unwrap()[..] {
        sizes.push(page.len());
        after = page.last().map(|one| one.row);
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
    assert_eq!(replica.pending(None, row(10), 0).await.unwrap().len(), 1);
}

async fn rows_name_what_they_leave(replica: impl Local) {
    replica.write(vec![put("a", "one"), put("b", "x"), delete("a"), put("a", "two")]).await.unwrap();
    let outbox = replica.outbox(&[id("a"), id("none")]).await.unwrap();
    assert_eq!(outbox.last_row, Some(row(4)));
    assert_eq!(outbox.rows.len(), 1);
    let digests: Vec<(u64, Digest)> = outbox.rows[&id("a")].iter().map(|one| (one.row.get(), one.digest)).collect();
    let put = |body: &[u8]| Digest::Put(Hash::of(body));
    assert_eq!(digests, [(1, put(b"one")), (3, Digest::Delete), (4, put(b"two"))]);
}

async fn store_creates_changes_and_deletes(replica: impl Local) {
    done(&replica, 0, vec![store(put_revised("a", "one", "r1"), 1), store(put("b", "x"), 1)]).await;
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "one").with_revision(revision("r1"))));
    assert_eq!(replica.pending_count().await.unwrap(), 0);

    let steps = vec![store(put("a", "two"), 2), store(delete("b"), 2), store(delete("absent"), 2)];
    done(&replica, 0, steps).await;
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "two")));
    assert_eq!(replica.len().await.unwrap(), 1);

    replica.write(vec![put("a", "three"), put("b", "new")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(1, "a".into(), Some(base(2, None))), (2, "b".into(), None)]);
}

async fn a_write_makes_the_batch_stale(replica: impl Local) {
    replica.write(vec![put("a", "mine"), put("b", "mine")]).await.unwrap();
    assert_eq!(apply(&replica, 0, vec![store(put("a", "x"), 1)]).await.unwrap(), Applied::Stale);
    assert_eq!(apply(&replica, 1, vec![conflict(put("b", "x"), 1)]).await.unwrap(), Applied::Stale);
    assert_eq!(apply(&replica, 1, vec![settle("b", 2, base(1, None))]).await.unwrap(), Applied::Stale);
    // A row of another document is no hindrance.
    done(&replica, 0, vec![store(put("c", "x"), 1)]).await;
    done(&replica, 1, vec![conflict(put("a", "x"), 1)]).await;
}

async fn a_stale_or_faulty_batch_changes_nothing(replica: impl Local) {
    replica.write(vec![put("a", "mine")]).await.unwrap();
    let steps = || vec![Step::State("new".into()), store(put("b", "x"), 1), store(put("a", "x"), 1)];
    assert_eq!(apply(&replica, 0, steps()).await.unwrap(), Applied::Stale);
    assert_eq!(apply(&replica, 1, steps()).await.unwrap_err().kind(), ErrorKind::Internal);
    let late = Step::Answer { id: id("a"), row: row(1), answer: Answer::TakeRemote };
    let steps = vec![Step::State("new".into()), store(put("b", "x"), 1), late];
    assert_eq!(apply(&replica, 1, steps).await.unwrap(), Applied::Stale);
    assert_eq!(replica.load().await.unwrap().state, None);
    assert_eq!(replica.list(None, 9).await.unwrap(), [id("a")]);
    assert_eq!(outbox_rows(&replica, "a").await, [1]);
}

async fn store_over_a_seen_row_is_a_defect(replica: impl Local) {
    replica.write(vec![put("a", "mine")]).await.unwrap();
    for change in [put("a", "x"), delete("a")] {
        assert_eq!(apply(&replica, 1, vec![store(change, 1)]).await.unwrap_err().kind(), ErrorKind::Internal);
    }
    assert_eq!(apply(&replica, 1, vec![Step::Commit]).await.unwrap_err().kind(), ErrorKind::Internal);
}

async fn commit_makes_the_entry_the_base(replica: impl Local) {
    replica.write(vec![put_revised("a", "one", "r1"), put("b", "two"), put("c", "three")]).await.unwrap();
    done(&replica, 3, vec![journal(7, rows([1, 3])), Step::State("s".into()), Step::Commit]).await;
    assert_eq!(pending(&replica).await, [(2, "b".into(), None)]);
    assert!(replica.load().await.unwrap().attempt.is_none());

    replica.write(vec![put("a", "later"), put("c", "later")]).await.unwrap();
    let bases: Vec<_> = pending(&replica).await.into_iter().skip(1).map(|(_, _, base)| base).collect();
    assert_eq!(bases, [Some(base(7, Some("r1"))), Some(base(7, None))]);
    assert_eq!(outbox_rows(&replica, "a").await, [4]);
}

async fn commit_drops_earlier_rows_too(replica: impl Local) {
    replica.write(vec![put("a", "1"), put("b", "2"), put("a", "3"), put("b", "4"), put("a", "5")]).await.unwrap();
    done(&replica, 5, vec![journal(1, rows([4, 5])), Step::Commit]).await;
    assert!(pending(&replica).await.is_empty());
    assert!(outbox_rows(&replica, "a").await.is_empty());
    assert_eq!(replica.pending_count().await.unwrap(), 0);
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "5")));
}

async fn commit_skips_rows_that_are_gone(replica: impl Local) {
    replica.write(vec![put("a", "mine"), put("b", "mine")]).await.unwrap();
    done(&replica, 2, vec![journal(3, rows([1, 2])), settle("a", 1, base(2, None)), Step::Commit]).await;
    replica.write(vec![put("a", "later"), put("b", "later")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(3, "a".into(), Some(base(2, None))), (4, "b".into(), Some(base(3, None)))]);
}

/// What the conflict over `a` says of its base.
async fn base_version(replica: &impl Local, seen: u64) -> BaseVersion {
    done(replica, seen, vec![conflict(put("a", "theirs"), 90)]).await;
    replica.conflict(&id("a")).await.unwrap().unwrap().base
}

async fn an_overwritten_attempt_becomes_the_base_version(replica: impl Local) {
    replica.write(vec![put("a", "zero"), put_revised("a", "one", "r1")]).await.unwrap();
    done(&replica, 2, vec![journal(7, rows([2]))]).await;
    replica.write(vec![put("a", "two")]).await.unwrap();
    replica.write(vec![put("a", "three")]).await.unwrap();
    done(&replica, 4, vec![Step::Commit]).await;
    assert_eq!(outbox_rows(&replica, "a").await, [3, 4]);
    assert_eq!(pending(&replica).await, [(4, "a".into(), Some(base(7, Some("r1"))))]);
    let expected = document("a", "one").with_revision(revision("r1"));
    assert_eq!(base_version(&replica, 4).await, BaseVersion::Known(expected));
}

async fn an_overwritten_row_outside_attempts_is_not_kept(replica: impl Local) {
    replica.write(vec![put("a", "one"), put("a", "two")]).await.unwrap();
    done(&replica, 2, vec![settle("a", 1, base(7, None))]).await;
    assert_eq!(pending(&replica).await, [(2, "a".into(), Some(base(7, None)))]);
    assert_eq!(base_version(&replica, 2).await, BaseVersion::NotKept);
}

async fn a_committed_deletion_vanishes(replica: impl Local) {
    done(&replica, 0, vec![store(put("a", "one"), 1), store(put("b", "one"), 1)]).await;
    replica.write(vec![delete("a"), delete("b")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(1, "a".into(), Some(base(1, None))), (2, "b".into(), Some(base(1, None)))]);
    done(&replica, 2, vec![journal(2, rows([1, 2]))]).await;
    replica.write(vec![put("b", "again")]).await.unwrap();
    done(&replica, 3, vec![Step::Commit]).await;
    assert_eq!(pending(&replica).await, [(3, "b".into(), Some(base(2, None)))]);
    // The deletion left no trace of `a`: it starts anew.
    replica.write(vec![put("a", "new")]).await.unwrap();
    assert_eq!(pending(&replica).await[1], (4, "a".into(), None));
    // What `b` is based on is a deletion, so a remote change to it means that both created it.
    done(&replica, 4, vec![conflict(put("b", "theirs"), 3)]).await;
    assert_eq!(replica.conflict(&id("b")).await.unwrap().unwrap().base, BaseVersion::New);
}

async fn a_put_after_a_deletion_keeps_the_base(replica: impl Local) {
    done(&replica, 0, vec![store(put("a", "one"), 4)]).await;
    replica.write(vec![delete("a"), put("a", "two")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(2, "a".into(), Some(base(4, None)))]);
    assert_eq!(base_version(&replica, 2).await, BaseVersion::Known(document("a", "one")));
}

async fn abandoned_rows_stay(replica: impl Local) {
    replica.write(vec![put("a", "one")]).await.unwrap();
    done(&replica, 1, vec![journal(7, rows([1]))]).await;
    done(&replica, 1, vec![Step::Abandon]).await;
    assert!(replica.load().await.unwrap().attempt.is_none());
    assert_eq!(pending(&replica).await, [(1, "a".into(), None)]);
    assert!(!replica.committed(&attempt(7, rows([1])).hash).await.unwrap());
}

async fn a_new_attempt_replaces_the_open_one(replica: impl Local) {
    replica.write(vec![put("a", "one"), put("b", "two")]).await.unwrap();
    done(&replica, 2, vec![journal(7, rows([1, 2]))]).await;
    done(&replica, 2, vec![journal(8, rows([2]))]).await;
    assert_eq!(replica.load().await.unwrap().attempt, Some(attempt(8, rows([2]))));
    done(&replica, 2, vec![Step::Commit]).await;
    assert_eq!(pending(&replica).await, [(1, "a".into(), None)]);
}

async fn settle_takes_the_base_of_the_entry(replica: impl Local) {
    replica.write(vec![put_revised("a", "same", "mine")]).await.unwrap();
    done(&replica, 1, vec![settle("a", 1, base(5, Some("theirs")))]).await;
    let expected = document("a", "same").with_revision(revision("theirs"));
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(expected.clone()));
    assert_eq!(replica.pending_count().await.unwrap(), 0);
    replica.write(vec![put("a", "edit")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(2, "a".into(), Some(base(5, Some("theirs"))))]);
    assert_eq!(base_version(&replica, 2).await, BaseVersion::Known(expected));
}

async fn settle_leaves_a_later_row(replica: impl Local) {
    replica.write(vec![put("a", "one"), put("a", "two"), put("a", "three")]).await.unwrap();
    done(&replica, 3, vec![conflict(put("a", "x"), 4)]).await;
    done(&replica, 3, vec![settle("a", 2, base(5, None))]).await;
    assert!(replica.conflicts().await.unwrap().is_empty());
    assert_eq!(outbox_rows(&replica, "a").await, [3]);
    done(&replica, 3, vec![settle("a", 3, base(6, None))]).await;
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "three")));
}

async fn settle_of_a_deletion_removes_the_document(replica: impl Local) {
    done(&replica, 0, vec![store(put("a", "one"), 1)]).await;
    replica.write(vec![delete("a")]).await.unwrap();
    done(&replica, 1, vec![settle("a", 1, base(2, None))]).await;
    assert!(outbox_rows(&replica, "a").await.is_empty());
    replica.write(vec![put("a", "new")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(2, "a".into(), None)]);
}

async fn settle_needs_its_row(replica: impl Local) {
    replica.write(vec![put("a", "one"), put("b", "two")]).await.unwrap();
    for step in [settle("a", 2, base(1, None)), settle("absent", 1, base(1, None))] {
        assert_eq!(apply(&replica, 2, vec![step]).await.unwrap_err().kind(), ErrorKind::Internal);
    }
}

async fn conflicts_show_all_sides(replica: impl Local) {
    done(&replica, 0, vec![store(put_revised("a", "base", "r0"), 1)]).await;
    replica.write(vec![put_revised("a", "first", "r1"), put_revised("a", "mine", "r2")]).await.unwrap();
    done(&replica, 2, vec![conflict(put_revised("a", "theirs", "r3"), 2)]).await;
    let found = replica.conflict(&id("a")).await.unwrap().unwrap();
    let version = |body, text| document("a", body).with_revision(revision(text));
    assert_eq!(found.base, BaseVersion::Known(version("base", "r0")));
    assert_eq!(found.local, Version::Present(version("mine", "r2")));
    assert_eq!(found.remote, Version::Present(version("theirs", "r3")));
    assert_eq!((found.sequence, found.row), (sequence(2), row(2)));
    assert_eq!(replica.conflict(&id("b")).await.unwrap(), None);

    replica.write(vec![delete("a")]).await.unwrap();
    let found = replica.conflict(&id("a")).await.unwrap().unwrap();
    assert_eq!((found.local, found.row), (Version::Deleted, row(3)));
}

async fn conflicts_hold_their_document_back(replica: impl Local) {
    replica.write(vec![put("b", "1"), put("a", "2"), put("c", "3")]).await.unwrap();
    done(&replica, 3, vec![conflict(delete("b"), 1), conflict(put("a", "x"), 1)]).await;
    assert_eq!(replica.conflicts().await.unwrap(), [id("a"), id("b")]);
    assert_eq!(pending(&replica).await, [(3, "c".into(), None)]);
    replica.write(vec![put("a", "still in conflict")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(3, "c".into(), None)]);
    assert_eq!(replica.pending_count().await.unwrap(), 3);
}

async fn a_later_conflict_replaces_the_first(replica: impl Local) {
    replica.write(vec![put("a", "mine")]).await.unwrap();
    done(&replica, 1, vec![conflict(put("a", "theirs"), 1)]).await;
    done(&replica, 1, vec![conflict(delete("a"), 2)]).await;
    let found = replica.conflict(&id("a")).await.unwrap().unwrap();
    assert_eq!((found.remote, found.sequence), (Version::Deleted, sequence(2)));
}

async fn both_created_it(replica: impl Local) {
    replica.write(vec![put("a", "mine")]).await.unwrap();
    assert_eq!(base_version(&replica, 1).await, BaseVersion::New);
}

async fn a_conflict_without_a_row_is_a_defect(replica: impl Local) {
    done(&replica, 0, vec![store(put("a", "one"), 1)]).await;
    let refused = apply(&replica, 0, vec![conflict(put("a", "x"), 2)]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Internal);
}

/// A document `a` with a base, two local rows and a conflict with `theirs`.
async fn in_conflict(replica: &impl Local, theirs: Change) -> RowNumber {
    done(replica, 0, vec![store(put_revised("a", "base", "r0"), 1)]).await;
    replica.write(vec![put("a", "first"), put_revised("a", "mine", "r1")]).await.unwrap();
    done(replica, 2, vec![conflict(theirs, 2)]).await;
    row(2)
}

async fn answer(replica: &impl Local, number: RowNumber, answer: Answer) -> Result<Applied> {
    apply(replica, 2, vec![Step::Answer { id: id("a"), row: number, answer }]).await
}

async fn keep_local(replica: impl Local) {
    let row = in_conflict(&replica, put_revised("a", "theirs", "r2")).await;
    assert_eq!(answer(&replica, row, Answer::KeepLocal).await.unwrap(), Applied::Done);
    assert!(replica.conflicts().await.unwrap().is_empty());
    assert_eq!(pending(&replica).await, [(2, "a".into(), Some(base(2, Some("r2"))))]);
    assert_eq!(outbox_rows(&replica, "a").await, [1, 2]);
    let theirs = document("a", "theirs").with_revision(revision("r2"));
    assert_eq!(base_version(&replica, 2).await, BaseVersion::Known(theirs));
}

async fn keep_local_over_a_remote_deletion(replica: impl Local) {
    let row = in_conflict(&replica, delete("a")).await;
    answer(&replica, row, Answer::KeepLocal).await.unwrap();
    assert_eq!(pending(&replica).await, [(2, "a".into(), Some(base(2, None)))]);
    assert_eq!(base_version(&replica, 2).await, BaseVersion::New);
}

async fn take_remote(replica: impl Local) {
    let row = in_conflict(&replica, put_revised("a", "theirs", "r2")).await;
    answer(&replica, row, Answer::TakeRemote).await.unwrap();
    let theirs = document("a", "theirs").with_revision(revision("r2"));
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(theirs));
    assert!(replica.conflicts().await.unwrap().is_empty());
    assert!(outbox_rows(&replica, "a").await.is_empty());
    assert_eq!(replica.pending_count().await.unwrap(), 0);
    replica.write(vec![put("a", "edit")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(3, "a".into(), Some(base(2, Some("r2"))))]);
}

async fn take_a_remote_deletion(replica: impl Local) {
    let row = in_conflict(&replica, delete("a")).await;
    answer(&replica, row, Answer::TakeRemote).await.unwrap();
    assert_eq!(replica.len().await.unwrap(), 0);
    assert!(outbox_rows(&replica, "a").await.is_empty());
    replica.write(vec![put("a", "new")]).await.unwrap();
    assert_eq!(pending(&replica).await, [(3, "a".into(), None)]);
}

async fn merge(replica: impl Local) {
    let row = in_conflict(&replica, put_revised("a", "theirs", "r2")).await;
    let merged = Answer::Merge { revision: Some(revision("r3")), body: "both".into() };
    answer(&replica, row, merged).await.unwrap();
    assert_eq!(outbox_rows(&replica, "a").await, [3]);
    assert_eq!(pending(&replica).await, [(3, "a".into(), Some(base(2, Some("r2"))))]);
    let both = document("a", "both").with_revision(revision("r3"));
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(both));
    let theirs = document("a", "theirs").with_revision(revision("r2"));
    assert_eq!(base_version(&replica, 3).await, BaseVersion::Known(theirs));
}

async fn merge_of_a_deleted_document(replica: impl Local) {
    done(&replica, 0, vec![store(put("a", "base"), 1)]).await;
    replica.write(vec![delete("a"), put("b", "x")]).await.unwrap();
    done(&replica, 2, vec![conflict(put("a", "theirs"), 2)]).await;
    answer(&replica, row(1), Answer::Merge { revision: None, body: "both".into() }).await.unwrap();
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "both")));
    assert_eq!(pending(&replica).await, [(2, "b".into(), None), (3, "a".into(), Some(base(2, None)))]);
}

async fn keep_both(replica: impl Local) {
    let row = in_conflict(&replica, put("a", "theirs")).await;
    answer(&replica, row, Answer::KeepBoth { copy: id("a copy") }).await.unwrap();
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "theirs")));
    let mine = document("a copy", "mine").with_revision(revision("r1"));
    assert_eq!(replica.get(&id("a copy")).await.unwrap(), Some(mine));
    assert_eq!(pending(&replica).await, [(3, "a copy".into(), None)]);
    assert!(replica.conflicts().await.unwrap().is_empty());
}

async fn keep_both_of_a_deleted_document(replica: impl Local) {
    done(&replica, 0, vec![store(put("a", "base"), 1)]).await;
    replica.write(vec![delete("a")]).await.unwrap();
    done(&replica, 1, vec![conflict(put("a", "theirs"), 2)]).await;
    answer(&replica, row(1), Answer::KeepBoth { copy: id("a copy") }).await.unwrap();
    assert_eq!(replica.list(None, 9).await.unwrap(), [id("a")]);
    assert!(pending(&replica).await.is_empty());
}

async fn keep_both_needs_a_free_id(replica: impl Local) {
    let row = in_conflict(&replica, put("a", "theirs")).await;
    replica.write(vec![put("b", "taken")]).await.unwrap();
    for copy in ["a", "b"] {
        let refused = answer(&replica, row, Answer::KeepBoth { copy: id(copy) }).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    assert_eq!(replica.conflicts().await.unwrap(), [id("a")]);
    assert_eq!(outbox_rows(&replica, "a").await, [1, 2]);
}

async fn a_late_answer_is_stale(replica: impl Local) {
    let row = in_conflict(&replica, put("a", "theirs")).await;
    replica.write(vec![put("a", "later")]).await.unwrap();
    assert_eq!(answer(&replica, row, Answer::TakeRemote).await.unwrap(), Applied::Stale);
    assert_eq!(replica.get(&id("a")).await.unwrap(), Some(document("a", "later")));
    let newest = support::row(3);
    assert_eq!(answer(&replica, newest, Answer::KeepLocal).await.unwrap(), Applied::Done);
    // It was answered: nothing is recorded any more.
    assert_eq!(answer(&replica, newest, Answer::KeepLocal).await.unwrap(), Applied::Stale);
}

async fn state_and_attempt_are_remembered(replica: impl Local) {
    assert!(replica.load().await.unwrap().state.is_none());
    let one = attempt(3, rows([1, 2, 9]));
    done(&replica, 0, vec![Step::State("s1".into()), Step::Journal(one.clone())]).await;
    done(&replica, 0, vec![Step::State("s2".into())]).await;
    let loaded = replica.load().await.unwrap();
    assert_eq!((loaded.state, loaded.attempt), (Some("s2".into()), Some(one)));
}

async fn committed_attempts_are_remembered(replica: impl Local) {
    for number in 1..4 {
        replica.write(vec![put("a", &number.to_string())]).await.unwrap();
        done(&replica, number, vec![journal(number, rows([number])), Step::Commit]).await;
    }
    for number in 1..4 {
        assert!(replica.committed(&attempt(number, rows([])).hash).await.unwrap());
    }
    assert!(!replica.committed(&Hash::of(b"another's")).await.unwrap());
}

async fn what_was_taken_is_told_whatever_the_app_did(replica: impl Local) {
    done(&replica, 0, ["edited", "deleted", "rest", "gone"].map(|name| store(put(name, "1"), 1)).into()).await;
    done(&replica, 0, vec![store(put("both", "1"), 2), store(put("removed", "1"), 2), store(delete("gone"), 3)]).await;
    replica.write(vec![put("edited", "2"), delete("deleted"), put("new", "1"), put("both", "2")]).await.unwrap();
    replica.write(vec![put("removed", "2"), put("created", "1")]).await.unwrap();
    let steps = vec![conflict(put("both", "x"), 4), conflict(delete("removed"), 5), conflict(put("created", "x"), 6)];
    done(&replica, 6, steps).await;

    let all = replica.synced(None, 100).await.unwrap();
    let told: Vec<_> = all.iter().map(|one| (one.id.as_str(), one.sequence.get())).collect();
    assert_eq!(told, [("both", 4), ("created", 6), ("deleted", 1), ("edited", 1), ("rest", 1)]);
    assert_eq!(replica.synced(None, 2).await.unwrap(), all[..2]);
    assert_eq!(replica.synced(Some(&all[1].id), 2).await.unwrap(), all[2..4]);
    assert!(replica.synced(Some(&id("rest")), 2).await.unwrap().is_empty());

    let asked = ["edited", "deleted", "new", "both", "removed", "rest"].map(id);
    let taken = replica.outbox(&asked).await.unwrap().taken;
    let taken: Vec<_> = taken.iter().map(|(id, sequence)| (id.as_str(), sequence.get())).collect();
    assert_eq!(taken, [("both", 4), ("deleted", 1), ("edited", 1), ("removed", 5)]);

    // A deletion that was taken is no document, also under a row that makes the document anew.
    let answer = Step::Answer { id: id("removed"), row: row(5), answer: Answer::KeepLocal };
    done(&replica, 6, vec![answer]).await;
    assert!(!replica.synced(None, 100).await.unwrap().iter().any(|one| one.id == id("removed")));
    assert_eq!(replica.outbox(&[id("removed")]).await.unwrap().taken[&id("removed")], sequence(5));
}

async fn what_is_shelved_stays_until_all_is_forgotten(replica: impl Local) {
    let shelve = |name: &str, bytes: &'static str| Step::Shelve { name: name.to_owned(), bytes: bytes.into() };
    done(&replica, 0, vec![shelve("a", "one"), shelve("b", ""), shelve("a", "two")]).await;
    assert_eq!(replica.shelved("a").await.unwrap().unwrap(), "two");
    assert_eq!(replica.shelved("b").await.unwrap().unwrap(), "");
    assert_eq!(replica.shelved("c").await.unwrap(), None);
    assert_eq!(replica.len().await.unwrap(), 0, "it is no document");
    done(&replica, 0, vec![Step::Unshelve, shelve("c", "three")]).await;
    assert_eq!(replica.shelved("a").await.unwrap(), None);
    assert_eq!(replica.shelved("c").await.unwrap().unwrap(), "three");
}

async fn one_claim_at_a_time(replica: impl Local) {
    let claim = replica.claim().await.unwrap();
    let refused = replica.claim().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    replica.write(vec![put("a", "writing needs no claim")]).await.unwrap();
    drop(claim);
    assert!(replica.claim().await.is_ok());
}

//! The folder is served over WebDAV, and others use the store through that server at the same time. What they and the server leave
//! there is neither taken for an object nor for another program's, and goes in the end.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::Duration;

use longshore_core::{Created, Folder, Storage};
use support::{key, read, store};

/// A temporary collection of who comes over WebDAV.
const TEMPORARY: &str = "tmp.0123456789abcdef0123456789abcdef";

fn temporary_in(folder: &Path) {
    fs::create_dir_all(folder.join(TEMPORARY)).unwrap();
    fs::write(folder.join(TEMPORARY).join("data"), "another's").unwrap();
}

/// A server that checks first and renames then can be late: it moves a loser's collection into the winner's.
#[tokio::test]
async fn a_late_move_into_an_object_s_folder() {
    let (folder, storage) = store();
    let one = key("log/1/data");
    storage.create(&one, "one".into()).await.unwrap();
    temporary_in(&folder.path().join("log/1"));
    fs::write(folder.path().join("log/1/.davfs.tmp00a1b2"), "half").unwrap();
    assert_eq!(read(&storage, &one).await.unwrap(), Some(b"one".to_vec()));
    assert_eq!(storage.create(&one, "late".into()).await.unwrap().value, Created::Exists);
    storage.delete(&one).await.unwrap();
    assert_eq!(read(&storage, &one).await.unwrap(), None);
    assert_eq!(fs::read_dir(folder.path().join("log")).unwrap().count(), 0, "nothing stays of it");
    assert_eq!(storage.create(&one, "again".into()).await.unwrap().value, Created::Created);
}

#[tokio::test]
async fn temporaries_of_others_are_no_objects_and_go_when_they_are_old() {
    let (folder, storage) = store();
    let log = folder.path().join("log");
    temporary_in(&log);
    storage.create(&key("log/1/data"), "one".into()).await.unwrap();
    assert_eq!(storage.list(&Folder::new("log").unwrap(), None).await.unwrap().value.names, ["1"]);
    assert!(log.join(TEMPORARY).exists(), "it may be in use");
    let opened = File::open(log.join(TEMPORARY)).unwrap();
    let days = opened.metadata().unwrap().modified().unwrap() - Duration::from_secs(3 * 24 * 60 * 60);
    opened.set_times(FileTimes::new().set_modified(days)).unwrap();
    longshore_fs::Fs::open(folder.path()).unwrap().create(&key("log/2/data"), "two".into()).await.unwrap();
    assert!(!log.join(TEMPORARY).exists());
}

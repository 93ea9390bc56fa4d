//! Killed writers leave temporaries. They are never seen as objects, and go once they are a day old by the file system's own
//! clock; a younger one may be somebody's work in progress.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use longshore_core::{Folder, Storage};
use longshore_fs::Fs;
use support::{key, read, store};

/// Sets a file's time relative to the file system's own clock.
fn age(file: &Path, by: Duration) {
    let file = File::options().append(true).open(file).unwrap();
    let now: SystemTime = file.metadata().unwrap().modified().unwrap();
    file.set_times(FileTimes::new().set_modified(now - by)).unwrap();
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn an_old_one_goes_and_a_young_one_stays() {
    let (folder, storage) = store();
    let log = folder.path().join("log");
    fs::create_dir_all(&log).unwrap();
    for (name, by) in [(".tmp-old", DAY + Duration::from_secs(60)), (".tmp-young", Duration::ZERO)] {
        fs::write(log.join(name), "half").unwrap();
        age(&log.join(name), by);
    }
    storage.create(&key("log/1/data"), "one".into()).await.unwrap();
    assert!(!log.join(".tmp-old").exists());
    assert!(log.join(".tmp-young").exists());
    assert_eq!(storage.list(&Folder::new("log").unwrap(), None).await.unwrap().value.names, ["1"]);
}

#[tokio::test]
async fn each_folder_is_swept_once_by_an_instance() {
    let (folder, storage) = store();
    storage.put(&key("segments/a"), "a".into()).await.unwrap();
    let old = folder.path().join("segments/.tmp-old");
    fs::write(&old, "half").unwrap();
    age(&old, 2 * DAY);
    storage.put(&key("segments/b"), "b".into()).await.unwrap();
    assert!(old.exists());
    Fs::open(folder.path()).unwrap().delete(&key("log/1/data")).await.unwrap();
    assert!(old.exists(), "only the folder that is written to is swept");
    Fs::open(folder.path()).unwrap().put(&key("segments/c"), "c".into()).await.unwrap();
    assert!(!old.exists());
}

/// A payload that breaks off, or is not as long as it said, leaves nothing behind.
#[tokio::test]
async fn a_broken_payload_leaves_nothing() {
    use futures::stream::{self, StreamExt};
    use longshore_core::{Error, ErrorKind, Outcome, Payload};
    let (folder, storage) = store();
    let breaks = || stream::iter([Ok("half".into()), Err(Error::new(ErrorKind::Unavailable, "gone"))]).boxed();
    let short = || stream::iter([Ok("half".into())]).boxed();
    for (payload, kind) in [(breaks(), ErrorKind::Unavailable), (short(), ErrorKind::Invalid)] {
        let error = storage.put(&key("segments/a"), Payload::new(8, payload)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotApplied));
    }
    assert_eq!(fs::read_dir(folder.path().join("segments")).unwrap().count(), 0);
    assert_eq!(read(&storage, &key("segments/a")).await.unwrap(), None);
}

/// A `put` whose future is dropped in the middle of its bytes takes its temporary along.
#[tokio::test]
async fn a_dropped_put_leaves_nothing() {
    use futures::stream::{self, StreamExt};
    use longshore_core::Payload;
    let (folder, storage) = store();
    let segments = folder.path().join("segments");
    let names = || fs::read_dir(&segments).map(Iterator::count).unwrap_or_default();
    let bytes = stream::iter([Ok("half".into())]).chain(stream::pending()).boxed();
    let putting = tokio::spawn(async move { storage.put(&key("segments/a"), Payload::new(8, bytes)).await.map(drop) });
    while names() == 0 {
        tokio::task::yield_now().await;
    }
    putting.abort();
    assert!(putting.await.unwrap_err().is_cancelled());
    // A piece that is being written is written to its end, in another thread.
    while names() > 0 {
        tokio::task::yield_now().await;
    }
}

//! The root is removed, replaced, unmounted, full or read-only while an app uses it. Each is an error that says so, and is
//! never taken for an empty store: that would be "everything was deleted" (I10).

mod support;

use longshore_core::{ByteRange, Created, ErrorKind, Folder, Outcome, Payload, Storage};
use longshore_fs::Fs;
use support::{Mount, entry, key, read, store};

/// What each operation says.
async fn kinds(storage: &Fs) -> [Option<ErrorKind>; 5] {
    let segment = key("domains/main/segments/0/a");
    [
        storage.create(&entry(2), "two".into()).await.err(),
        storage.put(&segment, "body".into()).await.err(),
        storage.get(&entry(1), ByteRange::ALL).await.err(),
        storage.list(&Folder::ROOT, None).await.err(),
        storage.delete(&entry(1)).await.err(),
    ]
    .map(|error| error.map(|error| error.kind()))
}

#[tokio::test]
async fn a_root_that_was_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let error = Fs::open(folder.path().join("no")).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Missing, Some("open")));
    assert!(error.to_string().contains("the root folder is not there"), "{error}");
    let error = Fs::create_root(folder.path().join("no/store")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(!folder.path().join("no").exists());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for opened in [Fs::open(&file), Fs::create_root(&file)] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Missing);
        assert!(error.to_string().contains("not a folder"), "{error}");
    }
}

#[tokio::test]
async fn a_root_that_is_removed() {
    let (folder, storage) = store();
    storage.create(&entry(1), "one".into()).await.unwrap();
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(kinds(&storage).await, [Some(ErrorKind::Missing); 5]);
    assert!(!folder.path().exists(), "no operation makes a root");
}

#[tokio::test]
async fn a_root_that_is_replaced_by_a_file() {
    let (folder, storage) = store();
    std::fs::remove_dir(folder.path()).unwrap();
    std::fs::write(folder.path(), "").unwrap();
    assert_eq!(kinds(&storage).await, [Some(ErrorKind::Missing); 5]);
    std::fs::remove_file(folder.path()).unwrap();
}

#[tokio::test]
async fn a_root_that_is_unmounted_and_mounted_again() {
    let Some(mount) = Mount::new("size=1m") else { return };
    let storage = Fs::open(mount.path()).unwrap();
    storage.create(&entry(1), "one".into()).await.unwrap();
    mount.unmount();
    assert_eq!(kinds(&storage).await, [Some(ErrorKind::Missing); 5]);
    assert_eq!(mount.path().read_dir().unwrap().count(), 0, "nothing is written beneath a mount point");
    mount.mount_again();
    std::fs::create_dir(mount.path().join("format")).unwrap();
    assert_eq!(
        read(&storage, &entry(1)).await.unwrap(),
        None,
        "a file system with something in it is for the core to judge"
    );
}

#[tokio::test]
async fn a_root_that_turns_read_only() {
    let Some(mount) = Mount::new("size=1m") else { return };
    let storage = Fs::open(mount.path()).unwrap();
    storage.create(&entry(1), "one".into()).await.unwrap();
    mount.remount("ro");
    let denied = Some(ErrorKind::Denied);
    assert_eq!(kinds(&storage).await, [denied, denied, None, None, denied]);
    let error = storage.create(&entry(2), "two".into()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert!(error.to_string().contains("read-only"), "{error}");
    assert_eq!(storage.create(&entry(1), "other".into()).await.unwrap().value, Created::Exists);
}

#[tokio::test]
async fn a_root_that_is_full() {
    let Some(mount) = Mount::new("size=1m") else { return };
    let storage = Fs::open(mount.path()).unwrap();
    storage.create(&entry(1), vec![1; 100_000].into()).await.unwrap();
    let large = key("domains/main/segments/0/a");
    let pieces = || Payload::from_parts(vec![vec![7; 100_000].into(); 20]);
    let error = storage.put(&large, pieces()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Full, Outcome::NotApplied));
    assert_eq!(read(&storage, &large).await.unwrap(), None);
    let error = storage.create(&entry(2), vec![2; 1 << 20].into()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Full, Outcome::NotApplied));
    assert_eq!(read(&storage, &entry(2)).await.unwrap(), None);
    let created = storage.create(&entry(2), vec![2; 500_000].into()).await.unwrap().value;
    assert_eq!(created, Created::Created, "what the failed writes took is free again");
}

/// A shard folder removed by hand is made again, though this instance remembers it.
#[tokio::test]
async fn a_folder_inside_that_is_removed() {
    let (folder, storage) = store();
    storage.create(&entry(1), "one".into()).await.unwrap();
    std::fs::remove_dir_all(folder.path().join("domains")).unwrap();
    assert_eq!(read(&storage, &entry(1)).await.unwrap(), None);
    assert_eq!(storage.create(&entry(2), "two".into()).await.unwrap().value, Created::Created);
    storage.put(&key("domains/main/segments/0/a"), "body".into()).await.unwrap();
}

//! The root is removed or replaced while an app uses it. Each is an error that says so, and is never taken for an empty store: that
//! would be "everything was deleted" (I10). What takes a file system of its own to play is in `mounted.rs`.

mod support;

use longshore_core::{Created, ErrorKind, Storage};
use longshore_fs::Fs;
use support::{entry, key, kinds, read, store};

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

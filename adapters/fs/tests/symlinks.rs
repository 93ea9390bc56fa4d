//! Somebody puts symbolic links into the store. None is followed: neither out of the store, nor onto another entry.

mod support;

use longshore_core::{Created, ErrorKind, Folder, Storage};
use longshore_fs::Fs;
use support::{key, platform::link, read, store};

#[tokio::test]
async fn a_linked_object_is_not_read() {
    let (folder, storage) = store();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::create_dir_all(folder.path().join("format")).unwrap();
    link(outside.path(), &folder.path().join("format/data")).unwrap();
    link(outside.path(), &folder.path().join("segment")).unwrap();
    for name in ["format/data", "segment"] {
        let error = read(&storage, &key(name)).await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(name)));
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
}

#[tokio::test]
async fn a_linked_folder_is_not_entered() {
    let (folder, storage) = store();
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(outside.path().join("1")).unwrap();
    std::fs::write(outside.path().join("1/data"), "theirs").unwrap();
    link(outside.path(), &folder.path().join("log")).unwrap();
    let record = key("log/1/data");
    let kinds = [
        read(&storage, &record).await.unwrap_err().kind(),
        storage.create(&record, "mine".into()).await.unwrap_err().kind(),
        storage.create(&key("log/2/data"), "mine".into()).await.unwrap_err().kind(),
        storage.put(&key("log/3"), "mine".into()).await.unwrap_err().kind(),
        storage.delete(&record).await.unwrap_err().kind(),
        storage.list(&Folder::new("log").unwrap(), None).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Corrupt; 6]);
    assert_eq!(outside.path().read_dir().unwrap().count(), 1);
    assert_eq!(std::fs::read(outside.path().join("1/data")).unwrap(), b"theirs");
}

/// A link in an entry's place is neither free nor an entry.
#[tokio::test]
async fn a_link_in_an_entry_s_place_is_refused() {
    let (folder, storage) = store();
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("log")).unwrap();
    link(outside.path(), &folder.path().join("log/1")).unwrap();
    assert_eq!(storage.create(&key("log/1/data"), "mine".into()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(outside.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_link_to_the_root_is_the_user_s_choice() {
    let (folder, _) = store();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("store");
    link(folder.path(), &path).unwrap();
    let storage = Fs::open(path).unwrap();
    assert_eq!(storage.create(&key("format/data"), "x".into()).await.unwrap().value, Created::Created);
    assert!(folder.path().join("format/data").is_file());
}

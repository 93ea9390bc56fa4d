//! A user points two devices at "the same" Dropbox folder. Each has a copy of its own, so both win the same `create`, and
//! one of the two entries ends up under another name. The adapter refuses such a folder as soon as it can tell.

mod support;

use longshore_core::{ErrorKind, Folder, Storage};
use longshore_fs::Fs;
use support::{key, read, store};

#[test]
fn a_tool_s_marker_in_the_root_or_above_is_refused() {
    let markers = [".stfolder", ".stversions", ".stignore", ".dropbox.cache", ".849C9593-D756-4E56-8D6E-42412F2A707B"];
    for marker in markers {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("apps/store");
        std::fs::create_dir_all(&root).unwrap();
        assert!(Fs::open(&root).is_ok());
        std::fs::create_dir(folder.path().join(marker)).unwrap();
        for opened in [folder.path(), &root] {
            let error = Fs::open(opened).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("is not one store"), "{error}");
        }
    }
}

/// Everybody who uses Dropbox has a folder `.dropbox` in his home; a store beside it is no replica.
#[test]
fn what_such_a_tool_keeps_in_a_home_is_no_marker() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".dropbox")).unwrap();
    std::fs::create_dir(home.path().join("store")).unwrap();
    assert!(Fs::open(home.path().join("store")).is_ok());
}

#[test]
fn a_placeholder_in_the_root_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".format.icloud"), "").unwrap();
    assert_eq!(Fs::open(folder.path()).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn anything_beside_an_entry_s_data_is_refused() {
    for copy in ["data (Ann's conflicted copy)", "data.sync-conflict-20240101-120000-ABCDEFG", ".data.icloud", "data 2"]
    {
        let (folder, storage) = store();
        let record = key("log/1/data");
        storage.create(&record, "one".into()).await.unwrap();
        std::fs::write(folder.path().join("log/1").join(copy), "another one").unwrap();
        let errors = [
            read(&storage, &record).await.unwrap_err(),
            storage.create(&record, "one".into()).await.unwrap_err(),
            storage.delete(&record).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(copy) && error.to_string().contains("is not one store"), "{error}");
        }
    }
}

/// iCloud evicts a file and leaves a placeholder: the entry is not free.
#[tokio::test]
async fn an_evicted_entry_is_not_missing() {
    let (folder, storage) = store();
    std::fs::create_dir_all(folder.path().join("log/1")).unwrap();
    std::fs::write(folder.path().join("log/1/.data.icloud"), "").unwrap();
    assert_eq!(read(&storage, &key("log/1/data")).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_second_copy_of_an_entry_is_refused_when_listed() {
    let (folder, storage) = store();
    storage.create(&key("log/1/data"), "one".into()).await.unwrap();
    std::fs::create_dir(folder.path().join("log/1 (Ann's conflicted copy)")).unwrap();
    let error = storage.list(&Folder::new("log").unwrap(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

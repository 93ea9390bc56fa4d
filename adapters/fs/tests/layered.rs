//! The root is an overlay, as in a container: an entry of a lower layer cannot be renamed away (`EXDEV`), yet its folder must
//! never be empty, or the next `create` would be published over it without a word.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::path::Path;

use longshore_core::{Created, Storage};
use longshore_fs::Fs;
use support::{Mount, entry, read, store};
use tempfile::TempDir;

/// A writable layer over that folder.
fn overlay(lower: &Path) -> Option<(TempDir, Mount)> {
    let layers = tempfile::tempdir().unwrap();
    let path = |name: &str| layers.path().join(name).display().to_string();
    std::fs::create_dir(path("upper")).unwrap();
    std::fs::create_dir(path("work")).unwrap();
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), path("upper"), path("work"));
    Some((layers, Mount::of("overlay", &options)?))
}

#[tokio::test]
async fn an_entry_of_a_lower_layer_is_deleted_and_never_created_again() {
    let (lower, below) = store();
    for number in 1..=3 {
        below.create(&entry(number), "lower".into()).await.unwrap();
    }
    let Some((_layers, mount)) = overlay(lower.path()) else { return };
    let storage = Fs::open(mount.path()).unwrap();
    assert_eq!(storage.create(&entry(1), "upper".into()).await.unwrap().value, Created::Exists);
    for _ in 0..2 {
        storage.delete(&entry(1)).await.unwrap();
        assert_eq!(read(&storage, &entry(1)).await.unwrap(), None);
        assert_eq!(storage.create(&entry(1), "upper".into()).await.unwrap().value, Created::Exists);
    }
    assert_eq!(read(&storage, &entry(2)).await.unwrap(), Some(b"lower".to_vec()));
    assert_eq!(storage.create(&entry(4), "upper".into()).await.unwrap().value, Created::Created);
    assert_eq!(read(&below, &entry(1)).await.unwrap(), Some(b"lower".to_vec()), "the lower layer is not touched");
}

/// The fast look that precedes a `create` is not what decides: the kernel refuses on an overlay too.
#[test]
fn the_kernel_refuses_over_a_lower_layer() {
    let (lower, _) = store();
    std::fs::create_dir_all(lower.path().join("taken")).unwrap();
    std::fs::write(lower.path().join("taken/data"), "lower").unwrap();
    let Some((_layers, mount)) = overlay(lower.path()) else { return };
    std::fs::create_dir(mount.path().join("mine")).unwrap();
    let error = std::fs::rename(mount.path().join("mine"), mount.path().join("taken")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty);
}

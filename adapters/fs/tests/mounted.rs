//! The root is a file system of its own that is unmounted, full or read-only while an app uses it: each is an error that says so,
//! and is never taken for an empty store (I10). Or it is an overlay, as in a container: an entry of a lower layer cannot be
//! renamed away (`EXDEV`), yet its folder must never be empty, or the next `create` would be published over it without a word.
//!
//! Where this user may not mount anything, these show as ignored, with the reason.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};
use longshore_core::{Created, ErrorKind, Outcome, Payload, Storage};
use longshore_fs::Fs;
use support::{Mount, entry, key, kinds, read, store};
use tempfile::TempDir;

/// Why a test could not be run here.
type Skipped = Result<(), String>;

fn main() -> ExitCode {
    let trials = vec![
        trial("a_root_that_is_unmounted_and_mounted_again", a_root_that_is_unmounted_and_mounted_again),
        trial("a_root_that_turns_read_only", a_root_that_turns_read_only),
        trial("a_root_that_is_full", a_root_that_is_full),
        trial(
            "an_entry_of_a_lower_layer_is_deleted_and_never_created_again",
            an_entry_of_a_lower_layer_is_deleted_and_never_created_again,
        ),
        trial("the_kernel_refuses_over_a_lower_layer", || async { the_kernel_refuses_over_a_lower_layer() }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial<F: Future<Output = Skipped>>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        let tokio = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        Ok(tokio.block_on(test()).map_or_else(Completion::ignored_with, |()| Completion::Completed))
    })
}

async fn a_root_that_is_unmounted_and_mounted_again() -> Skipped {
    let mount = Mount::new("size=1m")?;
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
    Ok(())
}

async fn a_root_that_turns_read_only() -> Skipped {
    let mount = Mount::new("size=1m")?;
    let storage = Fs::open(mount.path()).unwrap();
    storage.create(&entry(1), "one".into()).await.unwrap();
    mount.remount("ro");
    let denied = Some(ErrorKind::Denied);
    assert_eq!(kinds(&storage).await, [denied, denied, None, None, denied]);
    let error = storage.create(&entry(2), "two".into()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert!(error.to_string().contains("read-only"), "{error}");
    assert_eq!(storage.create(&entry(1), "other".into()).await.unwrap().value, Created::Exists);
    Ok(())
}

async fn a_root_that_is_full() -> Skipped {
    let mount = Mount::new("size=1m")?;
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
    Ok(())
}

/// A writable layer over that folder.
fn overlay(lower: &Path) -> Result<(TempDir, Mount), String> {
    let layers = tempfile::tempdir().unwrap();
    let path = |name: &str| layers.path().join(name).display().to_string();
    std::fs::create_dir(path("upper")).unwrap();
    std::fs::create_dir(path("work")).unwrap();
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), path("upper"), path("work"));
    Ok((layers, Mount::of("overlay", &options)?))
}

async fn an_entry_of_a_lower_layer_is_deleted_and_never_created_again() -> Skipped {
    let (lower, below) = store();
    for number in 1..=3 {
        below.create(&entry(number), "lower".into()).await.unwrap();
    }
    let (_layers, mount) = overlay(lower.path())?;
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
    Ok(())
}

/// The fast look that precedes a `create` is not what decides: the kernel refuses on an overlay too.
fn the_kernel_refuses_over_a_lower_layer() -> Skipped {
    let (lower, _) = store();
    std::fs::create_dir_all(lower.path().join("taken")).unwrap();
    std::fs::write(lower.path().join("taken/data"), "lower").unwrap();
    let (_layers, mount) = overlay(lower.path())?;
    std::fs::create_dir(mount.path().join("mine")).unwrap();
    let error = std::fs::rename(mount.path().join("mine"), mount.path().join("taken")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty);
    Ok(())
}

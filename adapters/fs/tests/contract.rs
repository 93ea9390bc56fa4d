//! The plain promises of `Storage`, on a real folder: an adapter that passes only the hard cases is of no use.

mod support;

use futures::stream::TryStreamExt;
use longshore_core::{ByteRange, Created, ErrorKind, Folder, Payload, Storage};
use support::{entry, key, read, store};

#[tokio::test]
async fn created_once_and_never_changed() {
    let (_folder, storage) = store();
    let first = storage.create(&entry(1), "mine".into()).await.unwrap();
    assert_eq!(first.value, Created::Created);
    assert!(first.time.is_some(), "a write learns the file system's time");
    assert_eq!(storage.create(&entry(1), "yours".into()).await.unwrap().value, Created::Exists);
    assert_eq!(read(&storage, &entry(1)).await.unwrap(), Some(b"mine".to_vec()));
    assert_eq!(storage.create(&entry(2), "".into()).await.unwrap().value, Created::Created);
    assert_eq!(read(&storage, &entry(2)).await.unwrap(), Some(Vec::new()));
}

#[tokio::test]
async fn the_layout_is_the_names() {
    let (folder, storage) = store();
    storage.create(&entry(300), "x".into()).await.unwrap();
    let path = "domains/main/log/0000000000000001/0000000000000300/data";
    assert_eq!(std::fs::read(folder.path().join(path)).unwrap(), b"x");
}

#[tokio::test]
async fn a_large_object_is_streamed_in_pieces() {
    let (_folder, storage) = store();
    let whole: Vec<u8> = (0..5_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let pieces = whole.chunks(700_001).map(|piece| piece.to_vec().into()).collect();
    storage.put(&key("segments/a"), Payload::from_parts(pieces)).await.unwrap();
    let object = storage.get(&key("segments/a"), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!((object.size(), object.len()), (5_000_000, 5_000_000));
    let pieces: Vec<_> = object.into_stream().try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= 1 << 20));
    assert_eq!(pieces.concat(), whole);
}

#[tokio::test]
async fn a_range_is_cut_to_the_object() {
    let (_folder, storage) = store();
    let whole: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 241).unwrap()).collect();
    storage.put(&key("segments/a"), whole.clone().into()).await.unwrap();
    for (start, len) in [(0, 10), (1_000_000, 1_500_000), (2_999_990, 100), (3_000_000, 5), (9_000_000, 5), (7, 0)] {
        let range = ByteRange::new(start, len);
        let object = storage.get(&key("segments/a"), range).await.unwrap().value.unwrap();
        assert_eq!(object.size(), 3_000_000);
        let within = range.within(3_000_000);
        let expected = &whole[usize::try_from(within.start).unwrap()..usize::try_from(within.end).unwrap()];
        assert_eq!(object.read(u64::MAX).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_put_may_be_repeated() {
    let (_folder, storage) = store();
    for _ in 0..2 {
        assert!(storage.put(&key("segments/a"), "body".into()).await.unwrap().time.is_some());
    }
    assert_eq!(read(&storage, &key("segments/a")).await.unwrap(), Some(b"body".to_vec()));
}

#[tokio::test]
async fn names_are_listed_in_order_and_after_one() {
    let (folder, storage) = store();
    let segments = Folder::new("segments").unwrap();
    assert!(storage.list(&segments, None).await.unwrap().value.names.is_empty());
    for name in ["b", "a-1", "a_1", "a", "10", "9"] {
        storage.put(&segments.object(name).unwrap(), "x".into()).await.unwrap();
    }
    for stranger in [".DS_Store", "Thumbs.db", ".tmp-half"] {
        std::fs::write(folder.path().join("segments").join(stranger), "").unwrap();
    }
    let listing = storage.list(&segments, None).await.unwrap().value;
    assert_eq!(listing.names, ["10", "9", "a", "a-1", "a_1", "b"]);
    assert!(!listing.more);
    assert_eq!(storage.list(&segments, Some("a")).await.unwrap().value.names, ["a-1", "a_1", "b"]);
    assert_eq!(storage.list(&Folder::ROOT, None).await.unwrap().value.names, ["segments"]);
}

#[tokio::test]
async fn deleting_is_repeatable() {
    let (folder, storage) = store();
    storage.create(&entry(1), "one".into()).await.unwrap();
    storage.put(&key("segments/a"), "body".into()).await.unwrap();
    for _ in 0..2 {
        storage.delete(&entry(1)).await.unwrap();
        storage.delete(&key("segments/a")).await.unwrap();
    }
    assert_eq!(read(&storage, &entry(1)).await.unwrap(), None);
    assert_eq!(read(&storage, &key("segments/a")).await.unwrap(), None);
    let shard = folder.path().join("domains/main/log/0000000000000000");
    assert_eq!(shard.read_dir().unwrap().count(), 0, "the folder is gone, not only its file");
}

#[tokio::test]
async fn the_two_kinds_of_names_are_kept_apart() {
    let (_folder, storage) = store();
    assert_eq!(storage.create(&key("segments/a"), "x".into()).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(storage.put(&entry(1), "x".into()).await.unwrap_err().kind(), ErrorKind::Invalid);
}

/// Deleting while others read: each sees the object whole, or sees that it is gone, and never a damaged store.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_a_deletion_half_done() {
    let (_folder, storage) = store();
    for number in 1..=200 {
        storage.create(&entry(number), "whole".into()).await.unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let storage = storage.clone();
                tokio::spawn(async move { while read(&storage, &entry(number)).await.unwrap().is_some() {} })
            })
            .collect();
        storage.delete(&entry(number)).await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

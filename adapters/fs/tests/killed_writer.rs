//! A writer is killed at a moment of no one's choosing (SIGKILL), again and again, on one store. Whatever it acknowledged is
//! there whole; whatever else is visible is whole too; and the next writer goes on (I1, I6).

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::io::{BufRead, BufReader};
use std::ops::RangeInclusive;
use std::path::Path;

use longshore_core::{Created, Folder, Payload, Storage};
use longshore_fs::Fs;
use support::{child_root, entry, key, read, spawn, store};

const KILLS: u64 = 40;

/// A small entry now and then; mostly larger objects, so that the kill often meets one half written.
fn body(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(3) { 300 } else { 200_000 + 8_000 * usize::try_from(number % 100).unwrap() };
    format!("{number:020}").into_bytes().repeat(len / 20)
}

fn segment(number: u64) -> longshore_core::ObjectKey {
    key(format!("domains/main/segments/{:016}/{number:016}", number / 256))
}

/// The writer: goes on from the first free number, and says what was acknowledged. It runs until it is killed.
#[tokio::test]
async fn writer() {
    let Some(root) = child_root() else { return };
    let storage = Fs::open(root).unwrap();
    for number in 1_u64.. {
        let pieces = body(number).chunks(50_000).map(|piece| piece.to_vec().into()).collect();
        storage.put(&segment(number), Payload::from_parts(pieces)).await.unwrap();
        let created = storage.create(&entry(number), body(number).into()).await.unwrap().value;
        if created == Created::Created {
            println!("acknowledged {number}");
        }
    }
}

/// Lets a writer acknowledge a few entries, kills it, and returns the last number that it acknowledged.
fn kill_one(root: &Path, after: u64) -> u64 {
    let mut child = spawn("writer", root);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged =
        lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
    let mut last = acknowledged.by_ref().take(usize::try_from(after).unwrap()).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    if let Some(later) = acknowledged.last() {
        last = later;
    }
    last
}

#[tokio::test]
async fn every_acknowledged_write_is_whole_and_nothing_is_torn() {
    let (folder, storage) = store();
    let mut newest = 0;
    for round in 0..KILLS {
        let before = newest;
        newest = newest.max(kill_one(folder.path(), 1 + round % 4));
        assert_whole(&storage, before + 1..=newest).await;
        assert_the_rest_is_whole(&storage, newest).await;
    }
    assert_whole(&storage, 1..=newest).await;
}

async fn assert_whole(storage: &Fs, numbers: RangeInclusive<u64>) {
    for number in numbers {
        for key in [entry(number), segment(number)] {
            assert!(read(storage, &key).await.unwrap() == Some(body(number)), "{key} is not whole");
        }
    }
}

/// One entry and one segment may be there that nobody heard of.
async fn assert_the_rest_is_whole(storage: &Fs, newest: u64) {
    for number in newest + 1..newest + 3 {
        for key in [entry(number), segment(number)] {
            let found = read(storage, &key).await.unwrap();
            assert!(found.is_none_or(|bytes| bytes == body(number)), "{key} is torn");
        }
    }
    let folder = Folder::new(format!("domains/main/log/{:016}", newest / 256)).unwrap();
    let listed = storage.list(&folder, None).await.unwrap().value.names;
    assert!(listed.iter().all(|name| name.parse::<u64>().unwrap() <= newest + 1), "{listed:?}");
}

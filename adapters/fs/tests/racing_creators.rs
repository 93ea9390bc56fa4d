//! Threads and processes create the same names at once. Each name has exactly one winner, and the winner's bytes stay.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use futures::future::join_all;
use longshore_core::{Created, Storage};
use longshore_fs::Fs;
use support::{child_root, entry, read, spawn, store};

const TASKS: usize = 32;
const ROUNDS: u64 = 60;
const PROCESSES: usize = 4;

/// All tasks of this process create each number; the names of those who won, by number.
async fn race(root: &Path, process: u32) -> BTreeMap<u64, Vec<String>> {
    let mut winners = BTreeMap::new();
    for number in 1..=ROUNDS {
        let tasks = (0..TASKS).map(|task| {
            // Each task is an instance of its own, as another app on the same machine would be.
            let storage = Fs::open(root).unwrap();
            let name = format!("{process}-{task}");
            tokio::spawn(async move {
                let reply = storage.create(&entry(number), name.clone().into()).await.unwrap();
                (reply.value == Created::Created).then_some(name)
            })
        });
        let won: Vec<String> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
        winners.insert(number, won);
    }
    winners
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racer() {
    let Some(root) = child_root() else { return };
    for (number, names) in race(&root, std::process::id()).await {
        for name in names {
            println!("won {number} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_have_one_winner() {
    let (folder, storage) = store();
    let winners = race(folder.path(), 0).await;
    for (number, won) in winners {
        assert_eq!(won.len(), 1, "entry {number} has the winners {won:?}");
        assert_eq!(read(&storage, &entry(number)).await.unwrap(), Some(won[0].clone().into_bytes()));
    }
}

#[tokio::test]
async fn processes_have_one_winner() {
    let (folder, storage) = store();
    let children: Vec<_> = (0..PROCESSES).map(|_| spawn("racer", folder.path())).collect();
    let mut winners: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for mut child in children {
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        for line in said.lines().filter_map(|line| line.strip_prefix("won ")) {
            let (number, name) = line.split_once(' ').unwrap();
            winners.entry(number.parse().unwrap()).or_default().push(name.to_owned());
        }
    }
    assert_eq!(winners.len() as u64, ROUNDS);
    for (number, won) in winners {
        assert_eq!(won.len(), 1, "entry {number} has the winners {won:?}");
        assert_eq!(read(&storage, &entry(number)).await.unwrap(), Some(won[0].clone().into_bytes()));
    }
}

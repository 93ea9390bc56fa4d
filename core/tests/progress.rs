//! An app shows a bar while it syncs. The bar must not jump back, not pass its end, and be full when the work is done.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use longshore_core::{Client, Document, Phase, Progress, SyncReport};
use support::{Device, Rng, World};

/// Syncs as a fresh process, and says what was told on the way.
fn observed(world: &World, device: &Device) -> (SyncReport, Vec<Progress>) {
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let observer = {
        let told = told.clone();
        move |progress| told.lock().unwrap().push(progress)
    };
    let client = Client::builder_on(world.sim.runtime(), Arc::new(device.server()), Arc::new(device.replica.clone()))
        .observer(observer)
        .build();
    let report = world.sim.run(client.sync(), || false).unwrap().unwrap();
    let told = told.lock().unwrap().clone();
    (report, told)
}

fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Open => 0,
        Phase::Pull => 1,
        Phase::Resolve => 2,
        Phase::Push => 3,
        other => panic!("{other:?} is new"),
    }
}

/// What every sync without contention tells: phases in order, and inside each neither steps back nor too many.
fn orderly(told: &[Progress]) {
    assert_eq!(told.first().map(|first| first.phase), Some(Phase::Open));
    for pair in told.windows(2) {
        assert!(rank(pair[0].phase) <= rank(pair[1].phase), "{pair:?}");
        if pair[0].phase == pair[1].phase {
            assert!(pair[0].done <= pair[1].done && pair[0].bytes <= pair[1].bytes, "{pair:?}");
            assert_eq!(pair[0].total, pair[1].total, "the end does not move");
        }
    }
    for one in told {
        assert!(one.total.is_none_or(|total| one.done <= total), "{one:?}");
    }
}

fn of(told: &[Progress], phase: Phase) -> Vec<Progress> {
    told.iter().filter(|one| one.phase == phase).copied().collect()
}

/// Some documents of half a megabyte that does not compress, and many small ones; their number and their bytes.
fn fill(device: &Device) -> (u64, u64) {
    let mut dice = Rng::new(3);
    let large = (0..40).map(|n| {
        let body: Vec<u8> = (0..1 << 16).flat_map(|_| dice.next().to_le_bytes()).collect();
        Document::new(format!("large/{n}"), Bytes::from(body)).unwrap()
    });
    let small = (0..500).map(|n| Document::new(format!("small/{n}"), format!("body {n}")).unwrap());
    let documents: Vec<Document> = large.chain(small).collect();
    let bytes = documents.iter().map(|document| document.body.len() as u64).sum();
    let count = documents.len() as u64;
    device.put_many(documents);
    (count, bytes)
}

#[test]
fn a_push_with_segments_and_a_first_sync() {
    let world = World::new(41, true);
    let (a, b) = (world.device("a"), world.device("b"));
    let (count, bytes) = fill(&a);

    let (report, told) = observed(&world, &a);
    orderly(&told);
    assert_eq!(report.pushed, count);
    assert!(of(&told, Phase::Pull).is_empty(), "nothing was there");
    let push = of(&told, Phase::Push);
    assert!(push.iter().map(|one| one.done).eq(1..=count), "every document is told once");
    assert!(push.iter().all(|one| one.total == Some(count)));
    assert_eq!(push.last().map(|last| (last.done, last.bytes)), Some((count, bytes)), "the last event is complete");
    let segments = world.storage.objects().keys().filter(|key| key.as_str().contains("/segments/")).count();
    assert!(segments >= 3, "{segments}");

    let (report, told) = observed(&world, &b);
    orderly(&told);
    assert_eq!(report.pulled, count);
    assert!(of(&told, Phase::Push).is_empty(), "nothing was pending");
    let pull = of(&told, Phase::Pull);
    assert_eq!(pull.last().map(|last| (last.done, last.bytes)), Some((count, bytes)), "the last event is complete");
    assert!(bytes >= 20 << 20);
}

/// Several commits are applied step by step, and the bar moves with each.
#[test]
fn a_pull_of_many_commits_moves_on() {
    let world = World::new(42, true);
    let (mut a, b) = (world.device("a"), world.device("b"));
    let (mut count, mut bytes) = (0, 0);
    for round in 0..3 {
        let mut dice = Rng::new(round);
        let body: Vec<u8> = (0..(9 << 20) / 8).flat_map(|_| dice.next().to_le_bytes()).collect();
        (count, bytes) = (count + 1, bytes + body.len() as u64);
        a.put_many(vec![Document::new(format!("large/{round}"), Bytes::from(body)).unwrap()]);
        a.sync();
    }
    let (report, told) = observed(&world, &b);
    orderly(&told);
    let pull = of(&told, Phase::Pull);
    assert!(pull.len() >= 3, "{pull:?}");
    assert_eq!(report.pulled, count);
    assert_eq!(pull.last().map(|last| (last.done, last.bytes)), Some((count, bytes)));
}

/// A document in conflict is not pushed: the bar is full without it.
#[test]
fn a_push_beside_an_open_conflict_is_full() {
    let world = World::new(43, true);
    let (mut a, b) = (world.device("a"), world.device("b"));
    a.put("both", "by a");
    a.sync();
    b.put("both", "by b");
    b.put("mine", "only here");
    let (report, told) = observed(&world, &b);
    orderly(&told);
    assert_eq!((report.conflicts, report.pushed), (1, 1));
    let push = of(&told, Phase::Push);
    assert_eq!(push.last().map(|last| (last.done, last.total, last.bytes)), Some((1, Some(1), 9)));
}

/// Conflicts are told as they are answered.
#[test]
fn answers_are_told() {
    let world = World::new(44, true);
    let (mut a, b) = (world.device("a"), world.device("b"));
    for n in 0..4 {
        a.put(&format!("doc/{n}"), "by a");
        b.put(&format!("doc/{n}"), "by b");
    }
    a.sync();
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let observer = {
        let told = told.clone();
        move |progress| told.lock().unwrap().push(progress)
    };
    let client = Client::builder_on(world.sim.runtime(), Arc::new(b.server()), Arc::new(b.replica.clone()))
        .observer(observer)
        .resolver(|_: &longshore_core::Conflict| longshore_core::Answer::KeepLocal)
        .build();
    world.sim.run(client.sync(), || false).unwrap().unwrap();
    let told = told.lock().unwrap().clone();
    orderly(&told);
    let answers: Vec<_> = of(&told, Phase::Resolve).iter().map(|one| (one.done, one.total)).collect();
    assert_eq!(answers, [1, 2, 3, 4].map(|done| (done, Some(4))));
    let push = of(&told, Phase::Push);
    assert_eq!(push.last().map(|last| (last.done, last.total)), Some((4, Some(4))));
}

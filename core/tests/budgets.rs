//! What a sync costs, counted where the storage is called: regressions here are what users of slow servers feel first. Requests are
//! counted; round trips in sequence are virtual time, as each call takes one unit of it.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use longshore_core::{Document, Server as _};
use support::{Device, Rng, World};

/// As many requests side by side as a pull ever makes.
const WIDE: usize = 64;
/// After a client's commit its pushes begin with a poll for so long.
const REST: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    requests: u64,
    trips: u64,
}

impl Cost {
    const fn new(requests: u64, trips: u64) -> Self {
        Self { requests, trips }
    }

    fn within(self, requests: u64, trips: u64) -> bool {
        self.requests <= requests && self.trips <= trips
    }
}

/// What one sync costs.
fn cost(device: &mut Device) -> Cost {
    device.slow.get_or_insert(WIDE);
    let (calls, time) = (device.storage.calls(), device.millis());
    let report = device.sync();
    let requests = device.storage.calls() - calls;
    assert_eq!(report.requests, requests, "the report tells the truth");
    Cost { requests, trips: device.millis() - time }
}

fn pair(timed: bool) -> (World, Device, Device) {
    let world = World::new(9, timed);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    (a.slow, b.slow) = (Some(WIDE), Some(WIDE));
    a.put("doc", "0");
    a.sync();
    b.sync();
    world.sim.advance(REST);
    (world, a, b)
}

/// Documents of random bytes, so many times a mebibyte.
fn bulk(device: &Device, mebibytes: usize) {
    let mut dice = Rng::new(2);
    let documents = (0..mebibytes).map(|n| {
        let body: Vec<u8> = (0..1 << 17).flat_map(|_| dice.next().to_le_bytes()).collect();
        Document::new(format!("bulk/{n}"), Bytes::from(body)).unwrap()
    });
    device.put_many(documents.collect());
}

/// Segments in the store.
fn segments(world: &World) -> u64 {
    world.storage.objects().keys().filter(|key| key.as_str().contains("/segments/")).count() as u64
}

fn commit(device: &mut Device, count: u64) {
    for n in 0..count {
        device.put("doc", &format!("edit {n}"));
        device.sync();
    }
}

#[test]
fn nothing_new_is_one_request() {
    let (_world, mut a, _) = pair(true);
    assert_eq!(cost(&mut a), Cost::new(1, 1));
}

#[test]
fn nothing_new_is_two_where_replies_carry_no_time() {
    let (_world, mut a, _) = pair(false);
    assert_eq!(cost(&mut a), Cost::new(2, 2), "the second is the floor read");
}

#[test]
fn a_process_that_opens_and_finds_nothing_makes_three() {
    let (_world, mut a, _) = pair(true);
    a.restart();
    assert_eq!(cost(&mut a), Cost::new(3, 1), "the store is looked at beside the first poll");
}

#[test]
fn a_small_push_is_one_create() {
    let (_world, mut a, _) = pair(true);
    (0..100).for_each(|n| a.put(&format!("new/{n}"), &format!("body {n}")));
    assert_eq!(cost(&mut a), Cost::new(1, 1), "the create, which shows that nothing is to be pulled");
}

#[test]
fn a_small_push_where_replies_carry_no_time_asks_for_the_floor_once() {
    let (_world, mut a, _) = pair(false);
    a.put("new", "1");
    assert_eq!(cost(&mut a), Cost::new(2, 2), "the create, and the floor read");
}

/// A client that commits again and again leaves others a moment between, as they look first.
#[test]
fn a_push_right_after_another_polls_first() {
    let (world, mut a, _) = pair(true);
    for (rest, expected) in [(0, 1), (0, 2), (999, 2), (1000, 1)] {
        world.sim.advance(Duration::from_millis(rest));
        a.put("new", &format!("{rest} {expected}"));
        assert_eq!(cost(&mut a), Cost::new(expected, expected), "{rest} ms after the last commit");
    }
}

/// Without a poll nobody knows that others have committed: then the try is lost, and counts as no race.
#[test]
fn a_push_that_was_overtaken_pulls_first_and_polls_from_then_on() {
    let (world, mut a, mut b) = pair(true);
    // The create and what it met; the poll, and two numbers more; the create.
    let lost = [(1, Cost::new(6, 5)), (2, Cost::new(6, 5))];
    for (commits, expected) in lost {
        commit(&mut b, commits);
        a.put("mine", &format!("lost after {commits}"));
        let requests = cost(&mut a);
        assert_eq!(requests, expected, "{commits} commits");
        assert_eq!((a.get("doc"), b.sync().pulled), (b.get("doc"), 1));
        // Others are about: their next commit costs no try.
        commit(&mut b, 1);
        world.sim.advance(REST);
        a.put("mine", "polls");
        assert_eq!(cost(&mut a), Cost::new(4, 3), "the poll and two numbers more, and the create");
        world.sim.advance(REST);
        a.put("mine", "polls again");
        assert_eq!(cost(&mut a), Cost::new(2, 2), "the poll finds the log at rest");
        world.sim.advance(REST);
        a.put("mine", "goes ahead");
        assert_eq!(cost(&mut a), Cost::new(1, 1));
        b.sync();
        world.sim.advance(REST);
    }
}

/// What was overtaken and is settled by what was pulled: that poll went to the head, and no second one follows.
#[test]
fn an_overtaken_push_with_nothing_left_is_a_whole_sync() {
    for (theirs, conflicts) in [("same", 0), ("theirs", 1)] {
        let (world, a, mut b) = pair(true);
        let undecided = a.new_client(false);
        let sync = || world.sim.run(undecided.sync(), || false).unwrap().unwrap();
        sync();
        b.put("doc", theirs);
        b.sync();
        a.put("doc", "same");
        let report = sync();
        assert_eq!((report.pushed, report.conflicts, report.races_lost), (0, conflicts, 0), "{theirs}");
        assert_eq!(report.requests, 5, "the create and what it met, the poll and two numbers more: {theirs}");
    }
}

/// What would be sent in vain if somebody was faster is not risked, nor is anything while a conflict waits.
#[test]
fn a_push_polls_first_where_a_lost_try_costs_more() {
    for (kib, expected) in [(440, Cost::new(1, 1)), (450, Cost::new(2, 2)), (2048, Cost::new(3, 3))] {
        let (_world, mut a, _) = pair(true);
        let body: Vec<u8> =
            (0..kib << 7).scan(Rng::new(3), |dice, _| Some(dice.next().to_le_bytes())).flatten().collect();
        a.put_many(vec![Document::new("large", Bytes::from(body)).unwrap()]);
        assert_eq!(cost(&mut a), expected, "{kib} KiB that do not compress");
    }
    let (world, a, mut b) = pair(true);
    b.put("doc", "theirs");
    b.sync();
    a.put("doc", "mine");
    let undecided = a.new_client(false);
    let sync = || world.sim.run(undecided.sync(), || false).unwrap().unwrap();
    assert_eq!(sync().unresolved, 1);
    a.put("other", "1");
    assert_eq!(sync().requests, 2, "the poll, and the create");
}

/// A client that was idle for minutes looks at the store before it pushes, and polls beside that.
#[test]
fn a_small_push_of_a_client_that_was_idle_looks_at_the_store() {
    for idle in [60, 180, 3600] {
        let (world, mut a, _) = pair(true);
        world.sim.advance(Duration::from_secs(idle));
        a.put("doc", "1");
        let expected = if idle < 120 { Cost::new(1, 1) } else { Cost::new(4, 2) };
        assert_eq!(cost(&mut a), expected, "idle for {idle} s");
    }
}

/// Three segments are on their way at once, as more would not fit into memory: a push of more takes longer than the poll, one
/// round of segments and the create.
#[test]
fn a_large_push_is_one_create_and_its_segments() {
    for mebibytes in [1, 4, 20, 36] {
        let (world, mut a, _) = pair(true);
        bulk(&a, mebibytes);
        let before = a.sync_bytes();
        let cost = cost(&mut a);
        let compressed = (a.sync_bytes() - before).div_ceil(8 << 20) as u64;
        let rounds = segments(&world).div_ceil(3);
        assert!(cost.within(2 + compressed, 2 + rounds), "{cost:?} for {mebibytes} MiB, {compressed} times 8 MiB");
    }
}

/// Documents that compress to nearly nothing: readers hold a segment whole, so it is closed at 64 MiB before compression, and that
/// is what requests follow from (docs/adr/0010).
#[test]
fn what_compresses_well_is_cut_by_what_it_was_before() {
    for (mebibytes, expected) in [(8, 0), (9, 1), (64, 1), (65, 2), (200, 4)] {
        let (world, mut a, _) = pair(true);
        let body = Bytes::from(vec![b'x'; 1 << 20]);
        let documents = (0..mebibytes).map(|n| Document::new(format!("flat/{n}"), body.clone()).unwrap());
        a.put_many(documents.collect());
        let before = a.sync_bytes();
        let push = cost(&mut a);
        assert_eq!(segments(&world), expected, "for {mebibytes} MiB");
        assert!(a.sync_bytes() - before < 1 << 20, "{mebibytes} MiB compress well");
        assert!(push.within(2 + expected, 2 + expected.div_ceil(3)), "{push:?} for {mebibytes} MiB");
        let first = cost(&mut world.device("c"));
        // The store has a small commit before this one.
        assert!(first.within(5 + 2 + expected, 4 + expected.div_ceil(4)), "{first:?} for {mebibytes} MiB");
    }
}

#[test]
fn pulling_k_small_commits_takes_2k_and_2_requests() {
    for k in [1, 2, 3, 7, 8, 10, 20, 63, 100, 300] {
        let (_world, mut a, mut b) = pair(true);
        commit(&mut a, k);
        let cost = cost(&mut b);
        assert!(cost.within(2 * k + 2, u64::from(k.ilog2()) + 2), "{cost:?} for {k} commits");
    }
}

/// Where the storage takes fewer requests side by side than a pull would make, the rest queue up.
#[test]
fn pulling_takes_longer_where_few_requests_go_side_by_side() {
    for k in [1, 10, 100] {
        let (_world, mut a, mut b) = pair(true);
        commit(&mut a, k);
        b.restart();
        b.slow = Some(8);
        let cost = cost(&mut b);
        // 2 for the look at the store that a new process takes.
        assert!(cost.within(2 + 2 * k + 2, u64::from(k.ilog2()) + 2 + k / 8), "{cost:?} for {k} commits");
    }
}

#[test]
fn a_first_sync_costs_five_and_its_segments() {
    for (mebibytes, tail) in [(0, 0), (0, 1), (4, 1), (20, 1), (36, 1), (20, 10)] {
        let world = World::new(9, true);
        let mut a = world.device("a");
        (0..300).for_each(|n| a.put(&format!("new/{n}"), &format!("body {n}")));
        bulk(&a, mebibytes);
        a.sync();
        commit(&mut a, tail);
        let mut newcomer = world.device("c");
        let cost = cost(&mut newcomer);
        let (requests, trips) = (5 + segments(&world) + 2 * tail, 5 + u64::from(tail.max(1).ilog2()));
        assert!(cost.within(requests, trips), "{cost:?} for {mebibytes} MiB and a tail of {tail}");
    }
}

/// Each with as much as a pull applies at once: the log is read to its end before, and its floor once.
#[test]
fn a_first_sync_of_many_large_pushes() {
    let (world, mut a, _) = pair(true);
    for _ in 0..6 {
        bulk(&a, 9);
        a.sync();
    }
    let (entries, segments) = (7_u64, segments(&world));
    let cost = cost(&mut world.device("c"));
    assert!(cost.within(5 + segments + entries, 5 + u64::from(entries.ilog2()) + segments), "{cost:?}");
}

#[test]
fn the_floor_is_one_request() {
    let (world, a, _) = pair(true);
    let server = a.server();
    let (calls, time) = (a.storage.calls(), world.sim.millis());
    world.sim.run(server.floor(), || false).unwrap().unwrap();
    assert_eq!((a.storage.calls() - calls, world.sim.millis() - time), (1, 1));
}

/// Who looks first and then does just that reads the log twice, and no more of it than there is.
#[test]
fn a_plan_and_its_sync_are_a_look_each() {
    let (world, a, mut b) = pair(true);
    commit(&mut b, 1);
    let before = a.storage.calls();
    let client = a.new_client(true);
    let plan = world.sim.run(client.plan(), || false).unwrap().unwrap();
    let planned = a.storage.calls() - before;
    assert_eq!((plan.pull.len(), planned), (1, 7), "opening and poll, the entry, the two numbers behind it, the floor");
    world.sim.run(client.sync_planned(&plan), || false).unwrap().unwrap();
    let synced = a.storage.calls() - before - planned;
    assert_eq!(synced, 7, "the poll, that look once more, and the pull");
}

//! What a sync costs, counted where the storage is called: regressions here are what users of slow servers feel first.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use support::{Device, World};

/// Storage calls of one sync.
fn cost(device: &mut Device) -> u64 {
    let before = device.storage.calls();
    let report = device.sync();
    let calls = device.storage.calls() - before;
    assert_eq!(report.requests, calls, "the report tells the truth");
    calls
}

fn pair(timed: bool) -> (World, Device, Device) {
    let world = World::new(9, timed);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.put("doc", "0");
    a.sync();
    b.sync();
    (world, a, b)
}

#[test]
fn nothing_new_is_one_request() {
    let (_world, mut a, _) = pair(true);
    assert_eq!(cost(&mut a), 1);
}

#[test]
fn nothing_new_is_two_where_replies_carry_no_time() {
    let (_world, mut a, _) = pair(false);
    assert_eq!(cost(&mut a), 2, "the second is the floor read");
}

#[test]
fn a_process_that_opens_and_finds_nothing_makes_three() {
    let (_world, mut a, _) = pair(true);
    a.restart();
    assert_eq!(cost(&mut a), 3);
}

#[test]
fn a_small_push_is_one_create() {
    let (_world, mut a, _) = pair(true);
    (0..100).for_each(|n| a.put(&format!("new/{n}"), &format!("body {n}")));
    assert_eq!(cost(&mut a), 2, "the poll, and the create");
}

#[test]
fn a_large_push_is_one_create_and_its_segments() {
    let (_world, mut a, _) = pair(true);
    let mut dice = support::Rng::new(2);
    for n in 0..2000 {
        let body = dice.text(500);
        a.put(&format!("bulk/{n}"), &body);
    }
    let before = a.sync_bytes();
    let calls = cost(&mut a);
    let compressed = (a.sync_bytes() - before).div_ceil(8 << 20) as u64;
    assert!(calls <= 2 + compressed, "{calls} calls for {compressed} times 8 MiB");
}

#[test]
fn pulling_k_small_commits_takes_2k_and_2_requests() {
    for k in [1, 2, 3, 7, 8, 20, 63] {
        let (_world, mut a, mut b) = pair(true);
        for n in 0..k {
            a.put("doc", &format!("edit {n}"));
            a.sync();
        }
        let calls = cost(&mut b);
        assert!(calls <= 2 * k + 2, "{calls} calls for {k} commits");
    }
}

#[test]
fn a_first_sync_costs_five_and_its_segments() {
    let (world, mut a, _) = pair(true);
    (0..300).for_each(|n| a.put(&format!("new/{n}"), &format!("body {n}")));
    a.sync();
    let mut newcomer = world.device("c");
    let calls = cost(&mut newcomer);
    assert!(calls <= 5 + 2, "{calls} calls: two entries make the tail");
}

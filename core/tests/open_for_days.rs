//! A program that stays open for days, and beneath it a mount that goes away, a bucket that someone empties, a backup put back. It
//! polls, finds nothing at the next number, and must not take that for "all in step" for ever, nor write there. (I10)

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{Error, ErrorKind};
use support::{Device, World};

fn open() -> (World, Device) {
    let world = World::new(41, true);
    let mut device = world.device("a");
    device.put("one", "first");
    device.sync();
    (world, device)
}

/// The first error of a client that syncs every minute, for an hour.
fn within_an_hour(world: &World, device: &mut Device, mut each: impl FnMut(&Device, usize)) -> Error {
    for minute in 0..60 {
        world.sim.advance(Duration::from_secs(60));
        each(device, minute);
        if let Err(error) = device.try_sync().expect("nobody dies here") {
            return error;
        }
    }
    panic!("an hour later it still takes an empty place for its store");
}

#[test]
fn polls_notice_that_the_store_is_gone() {
    let (world, mut device) = open();
    world.storage.set_objects(BTreeMap::new());
    let error = within_an_hour(&world, &mut device, |_, _| {});
    assert_eq!(error.kind(), ErrorKind::Replaced, "{error}");
    assert!(world.storage.objects().is_empty());
}

#[test]
fn a_push_after_many_polls_does_not_write_into_an_empty_place() {
    let (world, mut device) = open();
    world.storage.set_objects(BTreeMap::new());
    let error = within_an_hour(&world, &mut device, |device, minute| {
        if minute == 5 {
            device.put("two", "second");
        }
    });
    assert_eq!(error.kind(), ErrorKind::Replaced, "{error}");
    assert!(world.storage.objects().is_empty(), "nothing was written");
}

/// Its own commits say nothing about whose store it is: an empty place takes them, too.
#[test]
fn a_client_that_pushes_all_the_time_notices_too() {
    let (world, mut device) = open();
    world.storage.set_objects(BTreeMap::new());
    let error = within_an_hour(&world, &mut device, |device, minute| device.put("two", &format!("version {minute}")));
    assert_eq!(error.kind(), ErrorKind::Replaced, "{error}");
}

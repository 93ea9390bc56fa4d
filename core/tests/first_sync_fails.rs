//! A new phone joins a store, and its first sync fails halfway: a segment cannot be read, the disk is full. What was read and not
//! applied is read again by the next one; no document of it may be skipped. (I2, I5)

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use longshore_core::ErrorKind;
use support::{Rng, World, verdict};

/// A body that does not compress: too large for an entry.
fn large() -> String {
    let mut rng = Rng::new(5);
    (0..1 << 20).map(|_| char::from(b'!' + u8::try_from(rng.below(90)).unwrap())).collect()
}

#[test]
fn a_first_sync_that_fails_skips_nothing() {
    let world = World::new(40, true);
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.put("small", "in the first entry");
    a.sync();
    a.put("large", &large());
    a.sync();

    let whole = world.storage.objects();
    let segment = whole.keys().find(|key| key.as_str().contains("/segments/")).expect("it is a segment").clone();
    let mut without = whole.clone();
    without.remove(&segment);
    world.storage.set_objects(without);
    assert_eq!(b.sync_error().kind(), ErrorKind::Corrupt);
    world.storage.set_objects(whole);
    b.sync();
    assert_eq!(b.get("small").as_deref(), Some("in the first entry"));
    verdict::sound(&world, &[&a, &b]);
}

//! Replicas that sync through the engine.

mod bent_replica;
mod bodies;
mod commits;
mod conflicts;
mod copies;
mod damage;
mod device;
mod domains;
mod fleet;
mod ids;
mod interrupted;
mod locking;
mod meanwhile;
mod objects;
mod open_clients;
mod pairs;
mod replaced;
mod unseen;
mod uploads;
mod verdict;
mod yielding;

#[cfg(feature = "network")]
pub(super) use device::{Device, Fleet};
#[cfg(feature = "network")]
pub(super) use verdict::sound;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        pairs::CASES,
        conflicts::CASES,
        ids::CASES,
        bodies::CASES,
        uploads::CASES,
        fleet::CASES,
        commits::CASES,
        copies::CASES,
        replaced::CASES,
        damage::CASES,
        interrupted::CASES,
        domains::CASES,
        locking::CASES,
        meanwhile::CASES,
        open_clients::CASES,
        unseen::CASES,
    ]
    .concat()
}

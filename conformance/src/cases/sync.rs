//! Replicas that sync through the engine.

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
mod objects;
mod pairs;
mod replaced;
mod verdict;
mod yielding;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        pairs::CASES,
        conflicts::CASES,
        ids::CASES,
        bodies::CASES,
        fleet::CASES,
        commits::CASES,
        copies::CASES,
        replaced::CASES,
        damage::CASES,
        interrupted::CASES,
        domains::CASES,
        locking::CASES,
    ]
    .concat()
}

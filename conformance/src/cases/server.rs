//! The rules of the trait `Server`, over any storage or a server of its own.

mod damage;
mod documents;
pub(super) mod expect;
pub(super) mod history;
mod lease;
mod lease_race;
mod log;
mod metadata;
pub(super) mod race;
mod segments;
mod staleness;
mod store;
mod traffic;

pub(super) use damage::{damaged, replace, write};
pub(super) use documents::hostile_ids;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [
        store::CASES,
        log::CASES,
        segments::CASES,
        damage::CASES,
        documents::CASES,
        lease::CASES,
        lease_race::CASES,
        staleness::CASES,
        metadata::CASES,
        traffic::CASES,
    ]
    .concat()
}

//! Calls that fail in every way, at every place.

mod device;
mod dropped;
mod every_call;
mod lease;
mod long;
mod metadata;
mod pairs;
mod scenario;
mod torn;
mod world;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [every_call::CASES, pairs::CASES, long::CASES, dropped::CASES, lease::CASES, metadata::CASES, torn::CASES].concat()
}

//! Replicas that sync through the engine.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}

//! Calls that fail in every way, at every place.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}

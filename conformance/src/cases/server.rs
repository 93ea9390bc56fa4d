//! The rules of the trait `Server`, over any storage or a server of its own.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}

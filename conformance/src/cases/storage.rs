//! The rules of the trait `Storage`.

mod create;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [create::CASES].concat()
}

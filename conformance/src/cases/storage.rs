//! The rules of the trait `Storage`.

mod at_once;
mod bytes;
mod claims;
mod create;
mod delete;
mod dropped;
mod hunt;
mod list;
mod look;
mod names;
mod order;
mod put;
mod range;
mod read;
mod root;
mod time;
mod visible;

use crate::case::{Case, CaseFn, Group, Need, Rule};

pub(super) fn cases() -> Vec<Case> {
    [
        create::CASES,
        put::CASES,
        read::CASES,
        range::CASES,
        bytes::CASES,
        names::CASES,
        visible::CASES,
        at_once::CASES,
        hunt::CASES,
        dropped::CASES,
        list::CASES,
        order::CASES,
        delete::CASES,
        root::CASES,
        time::CASES,
        claims::CASES,
    ]
    .concat()
}

/// A case of this group, which guards that rule of `Storage`.
const fn case(name: &'static str, rule: u8, run: CaseFn) -> Case {
    Case::new(name, Group::Storage, Rule::Storage(rule), run).needs(&[Need::Storage])
}

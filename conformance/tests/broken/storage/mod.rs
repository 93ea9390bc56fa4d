//! Broken storages.

mod claim;
mod connection;
mod create;
mod creator;
mod delete;
mod folder;
mod hooked;
mod list;
mod name;
mod put;
mod read;
mod root;
mod stale;
mod uploader;

use super::runs::Broken;
use longshore_conformance::{Harness, Size};

/// All of them.
pub(crate) fn table() -> Vec<Broken> {
    [
        create::table(),
        put::table(),
        read::table(),
        stale::table(),
        connection::table(),
        list::table(),
        name::table(),
        delete::table(),
        root::table(),
        claim::table(),
    ]
    .concat()
}

/// A broken storage, for the cases of `Storage` alone.
fn broken(name: &'static str, harness: fn() -> Harness, caught_by: &'static [&'static str]) -> Broken {
    Broken { name, only: "storage::", size: Size::Quick, harness, caught_by }
}

//! Why the last sync failed, for `longshore status`: one line beside the state, until a sync succeeds.
//!
//! The engine remembers only what happens while it runs. A folder whose store is not mounted never gets that far.

use std::fs;
use std::path::{Path, PathBuf};

use longshore::{Runtime as _, TokioRuntime};
use serde::{Deserialize, Serialize};

use crate::config::write_whole;
use crate::exit::Result;

/// Its file in the state folder.
pub(crate) const FILE: &str = "last-failure.json";

/// What is remembered of a failed sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastFailure {
    /// When it was, on this machine's wall clock: milliseconds since 1970.
    pub(crate) at: u64,
    /// The line that the sync ended with. Like every such line it holds no secret.
    pub(crate) message: String,
}

impl LastFailure {
    /// The last sync's failure; none if it succeeded, or if the file cannot be read: it is a help, and no promise.
    pub(crate) fn load(state: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path(state)).ok()?).ok()
    }

    /// Remembers how a sync ended: its failure, or that there is none any more.
    ///
    /// The caller says what happened, and a disk that takes no note of it must not hide that. So this cannot fail.
    pub(crate) fn note<T>(state: &Path, result: &Result<T>) {
        let path = path(state);
        match result {
            Ok(_) => fs::remove_file(path).ok(),
            Err(failure) => {
                let failure = Self { at: TokioRuntime.wall(), message: failure.to_string() };
                serde_json::to_vec_pretty(&failure).ok().and_then(|text| write_whole(&path, &text).ok())
            }
        };
    }
}

fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

//! Runs of the suite over broken storages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_conformance::{Harness, Size, Suite};

use super::judge::Judged;
use super::matrix::{Matrix, Row};

/// The same run each time: what it catches is no matter of luck.
const SEED: u64 = 20;
/// Runs of the suite at once. Most of a run is waiting for its own threads.
const AT_ONCE: usize = 3;

/// A server, or a storage, that is wrong in one way.
#[derive(Clone, Copy)]
pub(crate) struct Broken {
    /// What is wrong with it.
    pub(crate) name: &'static str,
    /// The cases to run, as [`Suite::only`] takes them.
    pub(crate) only: &'static str,
    /// How much they do: some mistakes only show among thousands.
    pub(crate) size: Size,
    /// The adapter to test.
    pub(crate) harness: fn() -> Harness,
    /// Cases that must catch it.
    pub(crate) caught_by: &'static [&'static str],
}

/// Runs the suite over each.
pub(crate) fn run(table: &[Broken]) -> Matrix {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(broken) = table.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let row = row(broken);
                    rows.lock().unwrap().push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|row| table.iter().position(|broken| broken.name == row.name));
    Matrix { rows }
}

fn row(broken: &Broken) -> Row {
    let reports = Suite::new((broken.harness)()).size(broken.size).seed(SEED).only(broken.only).run().unwrap();
    let judged = reports.iter().map(Judged::new).collect();
    Row { name: broken.name.to_owned(), caught_by: broken.caught_by.to_vec(), judged }
}

//! The documents that both sides move.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use longshore::Document;
use tempfile::TempDir;

/// How many documents.
pub(crate) const COUNT: usize = 20_000;
/// Body bytes of each.
const SIZE: usize = 500;

/// Documents of half random, half repeated text, as notes and records are.
pub(crate) fn documents() -> Vec<Document> {
    (0..COUNT as u64).map(|number| Document::new(name(number), body(number)).expect("a good id")).collect()
}

fn name(number: u64) -> String {
    format!("folder-{}/note-{number}.json", number / 100)
}

fn body(number: u64) -> String {
    let mut state = number;
    let mut body = format!("{{\"id\":{number},\"title\":\"a note among many\",\"done\":false,\"text\":\"");
    while body.len() < SIZE - 2 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(body, "{:08x} lorem ipsum ", state >> 32).expect("a string takes everything");
    }
    body.truncate(SIZE - 2);
    body + "\"}"
}

/// Seconds that the work takes.
#[expect(clippy::disallowed_types, reason = "a benchmark is about time")]
pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let start = std::time::Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// The times of several rounds, in each of which every side runs once: what slows the machine down for a while slows all
/// sides of a round.
pub(crate) fn rounds<const N: usize>(count: usize, mut sides: [&mut dyn FnMut() -> f64; N]) -> Vec<[f64; N]> {
    (0..count).map(|_| sides.each_mut().map(|side| side())).collect()
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The folders of all runs.
static FOLDERS: Mutex<Vec<TempDir>> = Mutex::new(Vec::new());

/// A new folder, which stays until the end: where many files were just removed, ext4 is slow to make new ones for a minute.
pub(crate) fn folder() -> PathBuf {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    FOLDERS.lock().expect("nobody panics with it").push(folder);
    path
}

/// Removes the folders of all runs.
pub(crate) fn clean_up() {
    FOLDERS.lock().expect("nobody panics with it").clear();
}

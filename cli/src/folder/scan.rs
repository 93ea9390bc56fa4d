//! Scanning: which files the folder holds, by a look at each, without reading any.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::DocumentId;

use super::ignore_rules::{Chain, FILE};
use super::names::{self, TEMPORARY};
use super::place::kind;
use super::read::too_large;
use super::seen::Stamp;
use super::{Folder, Skipped};
use crate::config::OURS;

/// More threads do not make a disk faster.
const MOST_THREADS: usize = 4;
/// Fewer folders of one depth are looked at by one thread.
const WORTH_THREADS: usize = 8;

/// A file that may be synced.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: DocumentId,
    pub(crate) stamp: Stamp,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The files, by id.
    pub(crate) files: Vec<Found>,
    /// What was left out.
    pub(crate) skipped: Vec<Skipped>,
    /// Temporary files that an interrupted sync left.
    pub(crate) leftovers: Vec<PathBuf>,
}

impl Scan {
    fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.skipped.extend(other.skipped);
        self.leftovers.extend(other.leftovers);
    }
}

/// A folder on the way down.
struct Level {
    path: PathBuf,
    /// Its id and a slash; empty for the root.
    prefix: String,
    rules: Option<Arc<Chain>>,
}

impl Folder {
    /// Looks at every file when the wall clock reads `now`, in seconds. A root that cannot be read is an error; a folder in
    /// it that cannot be read is left out, and nothing in it counts as missing.
    pub(crate) fn scan(&self, now: i64) -> io::Result<Scan> {
        let mut scan = Scan::default();
        let mut levels = vec![Level { path: self.root().to_owned(), prefix: String::new(), rules: None }];
        while !levels.is_empty() {
            let mut below = Vec::new();
            for part in self.scan_levels(&levels, now) {
                let (found, deeper) = part?;
                scan.extend(found);
                below.extend(deeper);
            }
            levels = below;
        }
        scan.files.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        scan.skipped.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(scan)
    }

    /// Looks at all folders of one depth, on as many threads as it is worth: the time goes into the calls to the system.
    fn scan_levels(&self, levels: &[Level], now: i64) -> Vec<io::Result<(Scan, Vec<Level>)>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        if threads == 1 || levels.len() < WORTH_THREADS {
            return vec![self.scan_each(levels, now)];
        }
        let parts = levels.chunks(levels.len().div_ceil(threads));
        std::thread::scope(|scope| {
            let started: Vec<_> = parts.map(|part| scope.spawn(|| self.scan_each(part, now))).collect();
            let ended = |_| Err(io::Error::other("a thread of the scan ended early"));
            started.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect()
        })
    }

    fn scan_each(&self, levels: &[Level], now: i64) -> io::Result<(Scan, Vec<Level>)> {
        let (mut scan, mut below) = (Scan::default(), Vec::new());
        for level in levels {
            match self.scan_level(level, now, &mut scan) {
                Ok(deeper) => below.extend(deeper),
                Err(error) if level.prefix.is_empty() => return Err(error),
                Err(error) => {
                    let why = format!("cannot be read ({error})");
                    scan.skipped.push(Skipped::problem(level.prefix.as_str(), why));
                }
            }
        }
        Ok((scan, below))
    }

    fn scan_level(&self, level: &Level, now: i64, scan: &mut Scan) -> io::Result<Vec<Level>> {
        let entries = fs::read_dir(&level.path)?.collect::<io::Result<Vec<DirEntry>>>()?;
        let has_rules = entries.iter().any(|entry| entry.file_name() == OsStr::new(FILE));
        let rules = self.rules.enter(&level.path, level.rules.as_ref(), has_rules);
        let mut below = Vec::new();
        for entry in entries {
            below.extend(scan_entry(&entry, level, &rules, now, scan)?);
        }
        Ok(below)
    }
}

/// Takes in one entry; `Some` is a folder to go down into.
fn scan_entry(
    entry: &DirEntry,
    level: &Level,
    rules: &Arc<Chain>,
    now: i64,
    scan: &mut Scan,
) -> io::Result<Option<Level>> {
    let (name, file_type) = (entry.file_name(), entry.file_type()?);
    let Some(text) = name.to_str() else {
        let shown = format!("{}{}", level.prefix, name.to_string_lossy());
        scan.skipped.push(Skipped::problem(shown, "its name is not UTF-8: rename it to sync it"));
        return Ok(None);
    };
    if names::is_never(text) {
        if text == OURS && !level.prefix.is_empty() && entry.path().join("config.json").exists() {
            let why = "the folder it lies in is attached to a store by itself, so its files are synced twice: detach one of both";
            scan.skipped.push(Skipped::by_policy(format!("{}{text}", level.prefix), why));
        }
        return Ok(None);
    }
    if text.starts_with(TEMPORARY) {
        scan.leftovers.push(entry.path());
        return Ok(None);
    }
    if !rules.is_empty() && rules.ignores(&entry.path(), file_type.is_dir()) {
        return Ok(None);
    }
    let id = format!("{}{text}", level.prefix);
    if file_type.is_dir() {
        return Ok(Some(Level { path: entry.path(), prefix: id + "/", rules: Some(Arc::clone(rules)) }));
    }
    match entry.metadata() {
        Ok(meta) => scan_file(id, &meta, now, scan),
        // It went between the listing and the look.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => scan.skipped.push(Skipped::problem(id, format!("cannot be looked at ({error})"))),
    }
    Ok(None)
}

fn scan_file(id: String, meta: &fs::Metadata, now: i64, scan: &mut Scan) {
    if !meta.is_file() {
        let why = format!("{} is not synced, and not followed", kind(meta));
        scan.skipped.push(Skipped::by_policy(id, why));
        return;
    }
    if let Some(why) = too_large(meta.len()).or_else(|| names::refused(&id).map(ToOwned::to_owned)) {
        scan.skipped.push(Skipped::problem(id, why));
        return;
    }
    match DocumentId::new(id.clone()) {
        Ok(id) => scan.files.push(Found { id, stamp: Stamp::of(meta, now) }),
        Err(error) => scan.skipped.push(Skipped::problem(id, error.message().replace("document id", "path"))),
    }
}

/// Removes what an interrupted sync left. The caller holds the folder's lock, so nobody writes them now.
pub(crate) fn remove_leftovers(leftovers: &[PathBuf]) {
    for path in leftovers {
        remove_leftover(path);
    }
}

fn remove_leftover(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        // A temporary that stays does no harm: it is never synced.
        drop(fs::remove_file(path));
    }
}

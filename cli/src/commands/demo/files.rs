//! The demo's files: where they come from, what happens to them, and whether two folders are equal.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failed;
use crate::exit::{Exit, Failure, Result};
use crate::folder::Folder;

/// The most files that the demo takes.
const MOST: usize = 3000;
/// The most bytes that it takes.
const MOST_BYTES: u64 = 64 << 20;

/// Files to start with.
pub(super) struct Sample {
    /// Where they are.
    pub(super) from: PathBuf,
    /// Their paths there.
    files: Vec<String>,
    /// How many there were beyond the demo's limits.
    pub(super) left_out: usize,
}

/// The files of this folder, or those that git tracks around here.
pub(super) fn sample(from: Option<&Path>) -> Result<Sample> {
    let (from, found) = match from {
        Some(folder) => {
            let folder = crate::config::canonical(folder)?;
            (folder.clone(), all(&folder)?.into_keys().collect())
        }
        None => tracked()?,
    };
    let (files, left_out) = limited(&from, found);
    if files.len() < 3 {
        let what = "has fewer than three files to start with; give another with --from FOLDER";
        return Err(Failure::new(Exit::Failure, from.display(), what));
    }
    Ok(Sample { from, files, left_out })
}

/// Regular files only, and not too much of them.
fn limited(from: &Path, found: Vec<String>) -> (Vec<String>, usize) {
    let (mut files, mut bytes, all) = (Vec::new(), 0, found.len());
    for path in found {
        let Ok(meta) = fs::symlink_metadata(from.join(&path)) else { continue };
        if meta.is_file() && files.len() < MOST && bytes + meta.len() <= MOST_BYTES {
            bytes += meta.len();
            files.push(path);
        }
    }
    let left_out = all - files.len();
    (files, left_out)
}

fn tracked() -> Result<(PathBuf, Vec<String>)> {
    let here = std::env::current_dir().map_err(failed(".".as_ref()))?;
    let none = || {
        let what =
            "is in no git repository whose files the demo could use; give it files with `longshore demo --from FOLDER`";
        Failure::new(Exit::Failure, here.display(), what)
    };
    let listed = Command::new("git").args(["ls-files", "-z"]).output().map_err(|_| none())?;
    if !listed.status.success() {
        return Err(none());
    }
    let names = listed.stdout.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    let names = names.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
    Ok((here, names))
}

/// Copies them; says how many, and their bytes.
pub(super) fn copy(sample: &Sample, to: &Path) -> Result<(u64, u64)> {
    let mut bytes = 0;
    for path in &sample.files {
        let target = to.join(path);
        make_parent(&target)?;
        bytes += fs::copy(sample.from.join(path), &target).map_err(failed(&target))?;
    }
    Ok((sample.files.len() as u64, bytes))
}

pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    make_parent(&path)?;
    fs::write(&path, text).map_err(failed(&path))
}

fn make_parent(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), |parent| fs::create_dir_all(parent).map_err(failed(parent)))
}

/// Renames the first file, and deletes the last.
pub(super) fn rename_and_delete(folder: &Path) -> Result<()> {
    let files = all(folder)?;
    let (Some((first, _)), Some((last, _))) = (files.first_key_value(), files.last_key_value()) else { return Ok(()) };
    let renamed = format!("renamed on the phone/{first}");
    make_parent(&folder.join(&renamed))?;
    fs::rename(folder.join(first), folder.join(renamed)).map_err(failed(folder))?;
    fs::remove_file(folder.join(last)).map_err(failed(folder))
}

/// The names in a folder that begin like this.
pub(super) fn names(folder: &Path, start: &str) -> Result<Vec<String>> {
    Ok(all(folder)?.into_keys().filter(|name| name.starts_with(start)).collect())
}

/// How many files there are, and in which the folders differ: by their bytes, their names or the executable bit.
pub(super) fn differences(one: &Path, two: &Path) -> Result<(u64, Vec<String>)> {
    let (mine, mut theirs) = (all(one)?, all(two)?);
    let files = mine.len() as u64;
    let mut differ = Vec::new();
    for (name, executable) in mine {
        let equal = theirs.remove(&name) == Some(executable) && read(one, &name)? == read(two, &name)?;
        if !equal {
            differ.push(name);
        }
    }
    differ.extend(theirs.into_keys());
    Ok((files, differ))
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    fs::read(&path).map_err(failed(&path))
}

/// Every file that would be synced, and whether it is executable.
fn all(folder: &Path) -> Result<BTreeMap<String, bool>> {
    let scan = Folder::new(folder.to_owned()).scan(0).map_err(failed(folder))?;
    Ok(scan.files.into_iter().map(|found| (found.id.to_string(), found.stamp.executable)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform;

    /// Two folders with the same three files.
    fn twins() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        for folder in [&one, &two] {
            for name in ["a", "b", "sub/c"] {
                write(folder, name, "text").unwrap();
            }
        }
        (place, one, two)
    }

    #[test]
    fn equal_folders_do_not_differ() {
        let (_place, one, two) = twins();
        assert_eq!(differences(&one, &two).unwrap(), (3, Vec::new()));
    }

    #[test]
    fn other_bytes_of_the_same_length_differ() {
        let (_place, one, two) = twins();
        write(&two, "sub/c", "TEXT").unwrap();
        assert_eq!(differences(&one, &two).unwrap().1, ["sub/c"]);
    }

    #[test]
    fn a_file_missing_on_either_side_differs() {
        let (_place, one, two) = twins();
        fs::remove_file(one.join("a")).unwrap();
        fs::remove_file(two.join("b")).unwrap();
        assert_eq!(differences(&one, &two).unwrap().1, ["b", "a"]);
    }

    #[test]
    fn the_executable_bit_differs_where_there_is_one() {
        let (_place, one, two) = twins();
        let path = two.join("a");
        let permissions = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, platform::with_executable(&permissions, true)).unwrap();
        if platform::is_executable(&fs::metadata(&path).unwrap()) {
            assert_eq!(differences(&one, &two).unwrap().1, ["a"]);
        }
    }
}

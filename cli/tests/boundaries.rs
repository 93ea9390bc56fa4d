//! Code for one operating system stands in `platform.rs` alone, so that a port has one file to read, and one more for the tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

/// What code for one system is known by.
const WORDS: &[&str] = &[
    "std::os::",
    "rustix",
    "libc",
    "target_os",
    "cfg(unix",
    "cfg(not(unix",
    "cfg(windows",
    "cfg(not(windows",
    "cfg!(",
];

#[test]
fn only_one_module_names_a_system() {
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        look(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    assert!(found.is_empty(), "{found:?} must go through src/platform.rs or tests/support/platform.rs");
}

fn look(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, found);
        } else if !["platform.rs", "boundaries.rs"].contains(&path.file_name().unwrap().to_str().unwrap()) {
            let text = fs::read_to_string(&path).unwrap();
            if WORDS.iter().any(|word| text.contains(word)) {
                found.push(path.display().to_string());
            }
        }
    }
}

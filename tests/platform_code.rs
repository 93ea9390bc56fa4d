//! Windows and macOS are users too: code for one platform stands in the module `platform` of its crate, and nowhere else, so that
//! everything else is tested for all. `longshore-fs` and `longshore-cli` guard their own sources, tests included.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

const PLATFORM_CODE: [&str; 9] = [
    "std::os::",
    "rustix",
    "libc::",
    "cfg(unix",
    "cfg(windows",
    "cfg(not(unix",
    "cfg!(windows",
    "target_os",
    "target_family",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn platform_code_stands_in_modules_of_that_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "examples", "core/src", "core/tests", "replica/src", "replica/tests", "bench/src"] {
        sources(&root.join(folder), &mut found);
    }
    found.retain(|path| path.file_name().is_some_and(|name| name != "platform.rs"));
    assert!(found.len() > 60, "only {} files were found", found.len());
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let bad = PLATFORM_CODE.iter().find(|code| text.contains(*code));
        assert_eq!(bad, None, "{} holds code for one platform: move it into a module `platform`", path.display());
    }
}

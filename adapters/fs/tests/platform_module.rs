//! Windows and macOS are users too. Code for one platform stands in one module, so that everything else is tested for all.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

const PLATFORM_CODE: [&str; 8] =
    ["std::os::", "rustix", "libc", "cfg(unix", "cfg(windows", "cfg(not(unix", "target_os", "target_family"];

/// Where it may stand, and this file, which spells it out.
const ALLOWED: [&str; 5] = [
    "src/platform.rs",
    "src/platform/unix.rs",
    "src/platform/other.rs",
    "tests/support/platform.rs",
    "tests/platform_module.rs",
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
fn platform_code_stands_in_one_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    sources(&root.join("tests"), &mut found);
    let mut checked = 0;
    for path in found {
        let name = path.strip_prefix(root).unwrap().components().map(|part| part.as_os_str().to_str().unwrap());
        let name = name.collect::<Vec<_>>().join("/");
        if ALLOWED.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let bad = PLATFORM_CODE.iter().find(|code| text.contains(*code));
        assert_eq!(bad, None, "{name} holds code for one platform: move it into the module `platform`");
        checked += 1;
    }
    assert!(checked > 15, "only {checked} files were found");
}

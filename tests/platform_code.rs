//! Windows and macOS are users too: code for one platform stands in a module `platform`, and nowhere else in the workspace, so that
//! everything else is tested for all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What code for one platform is known by.
const SIGNS: &[&str] = &["std::os::", "rustix", "libc", "(unix", "(windows", "target_os", "target_family"];

/// Where it stands all the same: this list.
const EXCEPTIONS: [&str; 1] = ["tests/platform_code.rs"];

/// Whether a source may not hold this text.
fn is_misplaced(path: &str, text: &str) -> bool {
    let in_its_module = path.ends_with("/platform.rs") || path.contains("/platform/");
    !in_its_module && SIGNS.iter().any(|sign| text.contains(sign))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source of the workspace, by its path from the root; not what was built, nor what is hidden.
fn sources() -> BTreeSet<String> {
    let mut folders = vec![root().to_owned()];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(from_root(&path));
            }
        }
    }
    found
}

fn from_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("a path below the root");
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The folders of all crates, as the workspace lists them.
fn crates() -> Vec<PathBuf> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("the members");
    let members = members.split('"').skip(1).step_by(2);
    members.chain(["."]).map(|member| root().join(member)).collect()
}

#[test]
fn platform_code_stands_in_modules_of_that_name() {
    let misplaced = |path: &String| is_misplaced(path, &fs::read_to_string(root().join(path)).unwrap());
    let found: Vec<_> = sources().into_iter().filter(misplaced).collect();
    assert_eq!(found, EXCEPTIONS, "code for one platform belongs in a module `platform`");
}

#[test]
fn every_crate_is_looked_at_with_its_tests_and_examples() {
    let (sources, crates) = (sources(), crates());
    assert!(crates.len() > 5, "{crates:?}");
    for folder in crates.iter().flat_map(|member| ["src", "tests", "examples"].map(|folder| member.join(folder))) {
        if folder.is_dir() {
            let prefix = from_root(&folder) + "/";
            assert!(sources.iter().any(|path| path.starts_with(&prefix)), "nothing was found in {prefix}");
        }
    }
}

#[test]
fn platform_code_is_told_from_other_code() {
    for text in [
        "use std::os::unix::fs::symlink;",
        "#[cfg(unix)]",
        "#[cfg(not(windows))]",
        "#[cfg(all(unix, feature = \"fs\"))]",
        "if cfg!(windows) {",
        "#[cfg(any(target_os = \"linux\"))]",
        "rustix::fs::fsync(file)",
        "libc::fsync(0)",
    ] {
        assert!(is_misplaced("core/src/lib.rs", text), "{text}");
        assert!(is_misplaced("core/src/not_platform.rs", text), "{text}");
        assert!(!is_misplaced("core/src/platform.rs", text), "{text}");
        assert!(!is_misplaced("core/src/platform/unix.rs", text), "{text}");
    }
    for text in ["#[cfg(test)]", "#[cfg(feature = \"fs\")]", "// Windows and unix alike.", "platform::link(a, b)"] {
        assert!(!is_misplaced("core/src/lib.rs", text), "{text}");
    }
}

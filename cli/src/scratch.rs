//! What a scratch place leaves in a folder: empty folders. A storage removes objects only.

use std::fs;
use std::path::Path;

/// Removes the empty folders of scratch places, whose names begin so. A folder with anything in it stays, whoever made it.
pub(crate) fn remove_empty_folders(url: &str, prefix: &str) {
    let Some(root) = longshore::file_url_path(url) else { return };
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            remove_empty(&entry.path());
        }
    }
}

fn remove_empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    // The system refuses where something is in it, which then stays.
    drop(fs::remove_dir(folder));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_scratch_folders_go() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["doctor-1/a/b", "doctor-2/a", "domains/main"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("doctor-2/a/file"), "x").unwrap();
        remove_empty_folders(&longshore::file_url(root.path()), "doctor-");
        let there = |name: &str| root.path().join(name).exists();
        assert!(!there("doctor-1") && there("doctor-2/a/file") && there("domains/main"));
    }
}

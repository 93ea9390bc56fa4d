//! Folders that are not of this machine alone: network mounts, and those that a tool copies about.

use std::ffi::OsStr;
use std::path::Path;

use crate::platform;

/// Why other machines may see this folder late, or another one in its place; SQLite's files are not safe there.
pub(crate) fn shared_otherwise(folder: &Path) -> Option<String> {
    let network = platform::network_file_system(folder).map(|kind| format!("on a network file system ({kind})"));
    network.or_else(|| cloud(folder).map(|tool| format!("in a folder that {tool} copies about")))
}

/// The tool that copies a folder about, by what it leaves there (which the adapter for folders knows) and by its usual names.
fn cloud(folder: &Path) -> Option<&'static str> {
    const NAMES: &[&str] = &["Dropbox", "OneDrive", "Google Drive"];
    let named = |folder: &Path| NAMES.iter().copied().find(|name| folder.file_name() == Some(OsStr::new(name)));
    longshore::replicated_by(folder).or_else(|| folder.ancestors().find_map(named))
}

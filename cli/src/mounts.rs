//! Folders that are not of this machine alone: network mounts, and those that a tool copies about.

use std::path::Path;

use crate::platform;

/// Why other machines may see this folder late, or another one in its place; SQLite's files are not safe there.
pub(crate) fn shared_otherwise(folder: &Path) -> Option<String> {
    let network = platform::network_file_system(folder).map(|kind| format!("on a network file system ({kind})"));
    network.or_else(|| cloud(folder).map(|tool| format!("in a folder that {tool} copies about")))
}

/// The tool that copies a folder about, by its marker files and its usual names.
fn cloud(folder: &Path) -> Option<&'static str> {
    const MARKERS: &[(&str, &str)] = &[
        (".dropbox", "Dropbox"),
        (".dropbox.cache", "Dropbox"),
        (".stfolder", "Syncthing"),
        (".owncloudsync.log", "ownCloud"),
        (".sync_journal.db", "Nextcloud"),
    ];
    const NAMES: &[(&str, &str)] = &[
        ("Dropbox", "Dropbox"),
        ("OneDrive", "OneDrive"),
        ("Google Drive", "Google Drive"),
        ("CloudStorage", "the cloud"),
        ("Mobile Documents", "iCloud"),
    ];
    folder.ancestors().find_map(|folder| {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let marker = MARKERS.iter().find(|(marker, _)| folder.join(marker).exists());
        marker.or_else(|| NAMES.iter().find(|(known, _)| *known == name)).map(|(_, tool)| *tool)
    })
}

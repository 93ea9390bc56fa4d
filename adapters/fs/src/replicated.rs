//! Folders that another tool replicates: each device has its own copy of such a folder, so it is not one store.

use std::path::{Component, Path};

use longshore_core::{Error, ErrorKind, Result};

/// What a tool leaves in the top folder of what it replicates, and the tool's name.
///
/// `.dropbox` is not among them: a folder of that name lies in the home of everybody who has Dropbox. Nor is
/// `desktop.ini`, which Windows itself writes anywhere.
const MARKERS: &[(&str, &str)] = &[
    (".dropbox.cache", "Dropbox"),
    (".stfolder", "Syncthing"),
    (".stversions", "Syncthing"),
    (".stignore", "Syncthing"),
    (".849C9593-D756-4E56-8D6E-42412F2A707B", "OneDrive"),
    (".nextcloudsync.log", "Nextcloud"),
    (".owncloudsync.log", "ownCloud"),
    (".tmp.drivedownload", "Google Drive"),
];

/// Folders of Apple's systems under which everything is replicated.
const APPLE: &[(&str, &str)] = &[("Mobile Documents", "iCloud"), ("CloudStorage", "a cloud service")];

/// The tool that replicates this folder, as far as its marker files or the folder's place show it: Dropbox, Syncthing, iCloud
/// and the like. Each device has a copy of its own of such a folder, so neither a store nor a database is safe in it.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// assert_eq!(longshore_fs::replicated_by(folder.path()), None);
/// std::fs::create_dir(folder.path().join(".stfolder"))?;
/// assert_eq!(longshore_fs::replicated_by(&folder.path().join("deep/inside")), Some("Syncthing"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn replicated_by(folder: &Path) -> Option<&'static str> {
    marker_above(folder).or_else(|| apple_folder(folder)).map(|(tool, _)| tool)
}

/// Refuses a root that such a tool replicates, as far as its files or its place show it.
pub(crate) fn refuse(root: &Path) -> Result<()> {
    let found = marker_above(root).or_else(|| apple_folder(root)).or_else(|| copy_in(root));
    match found {
        Some((tool, sign)) => Err(explain(tool, &sign).with_key(root.display())),
        None => Ok(()),
    }
}

/// Whether a name is one that such a tool gives to its second copies or placeholders.
pub(crate) fn is_copy(name: &str) -> bool {
    copying_tool(name).is_some()
}

/// The refusal of something that stands where only we write.
pub(crate) fn stranger(name: &str) -> Error {
    explain(copying_tool(name).unwrap_or("another program"), name)
}

fn explain(tool: &str, sign: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{tool} left `{sign}` here: a folder that Dropbox, Syncthing, iCloud or OneDrive replicates is not one store, \
             since each device has a copy of its own; move the store to a folder that all devices share"
        ),
    )
}

type Found = Option<(&'static str, String)>;

fn marker_above(root: &Path) -> Found {
    root.ancestors().find_map(|folder| {
        let found = |(marker, _): &&(&str, &str)| folder.join(marker).symlink_metadata().is_ok();
        MARKERS.iter().find(found).map(|(marker, tool)| (*tool, (*marker).to_owned()))
    })
}

fn apple_folder(root: &Path) -> Found {
    let parts: Vec<_> = root.components().map(Component::as_os_str).collect();
    let under = |name: &str| parts.windows(2).any(|pair| pair[0] == "Library" && pair[1] == name);
    APPLE.iter().find(|(name, _)| under(name)).map(|(name, tool)| (*tool, format!("Library/{name}")))
}

fn copy_in(root: &Path) -> Found {
    let names = root.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.into_iter().find_map(|name| copying_tool(&name).map(|tool| (tool, name)))
}

fn copying_tool(name: &str) -> Option<&'static str> {
    let patterns: [(bool, &str); 4] = [
        (name.contains(".sync-conflict-") || name.starts_with(".syncthing."), "Syncthing"),
        (name.contains("conflicted copy"), "Dropbox"),
        (name.starts_with('.') && has_ending(name, "icloud"), "iCloud"),
        (name.contains("_conflict-"), "Nextcloud"),
    ];
    patterns.iter().find(|(matches, _)| *matches).map(|(_, tool)| *tool)
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_copies_are_known() {
        for name in ["1.sync-conflict-20240101-000000-ABCDEFG", "1 (Ann's conflicted copy 2024-01-01)", ".1.icloud"] {
            assert!(is_copy(name), "{name}");
        }
        for name in ["0000000000000001", ".tmp-0123", ".DS_Store", "icloud", "conflict"] {
            assert!(!is_copy(name), "{name}");
        }
    }

    #[test]
    fn apple_s_replicated_folders_are_known_by_their_place() {
        assert!(refuse(Path::new("/nowhere/Library/Mobile Documents/com~apple~CloudDocs/store")).is_err());
        assert!(refuse(Path::new("/nowhere/Library/CloudStorage/Dropbox/store")).is_err());
        assert!(refuse(Path::new("/nowhere/Mobile Documents/store")).is_ok());
    }

    #[test]
    fn the_refusal_explains_itself() {
        let error = stranger("data (conflicted copy)");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("Dropbox left `data (conflicted copy)` here"));
        assert!(error.message().contains("not one store"));
    }
}

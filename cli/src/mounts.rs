//! Folders that are not of this machine alone, or not for long: network mounts, those that a tool copies about, those in memory.

use std::ffi::OsStr;
use std::path::Path;

use crate::platform;

/// Why other machines may see this folder late, or another one in its place; SQLite's files are not safe there.
pub(crate) fn shared_otherwise(folder: &Path) -> Option<String> {
    // The table first: to ask a mount whose server is gone would take for ever.
    let table = platform::mount_table();
    let network = table.as_deref().and_then(|table| network(kind_at(table, folder)?));
    let network = network.or_else(|| platform::network_file_system(folder));
    let network = network.map(|kind| format!("on a network file system ({kind})"));
    network.or_else(|| cloud(folder).map(|tool| format!("in a folder that {tool} copies about")))
}

/// Why this folder may be gone after a restart.
pub(crate) fn fleeting(folder: &Path) -> Option<&'static str> {
    let table = platform::mount_table()?;
    match kind_at(&table, folder)? {
        "tmpfs" | "ramfs" => Some("in memory: a restart empties it"),
        "overlay" | "overlayfs" | "aufs" => Some(
            "in the layers of a container or a live system: it goes when that goes, and what is deleted keeps a mark",
        ),
        _ => None,
    }
}

/// The kind of file system at this path, by a table as Linux writes it: see `/proc/pid/mountinfo` in proc(5).
fn kind_at<'a>(table: &'a str, path: &Path) -> Option<&'a str> {
    let mounts = table.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        Some((unescaped(before.split(' ').nth(4)?), after.split(' ').next()?))
    });
    let above = mounts.filter(|(point, _)| path.starts_with(point));
    // A later mount on the same place hides the earlier.
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}

/// Spaces and the like stand as `\040`, in octal.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        if let Some(code) = code {
            plain.push(char::from(code));
            plain.push_str(&part[3..]);
        } else {
            plain.push('\\');
            plain.push_str(part);
        }
    }
    plain
}

/// The name of a network file system of this kind, if it is one. What runs in user space may be local, but mostly is not.
fn network(kind: &str) -> Option<&str> {
    Some(match kind {
        "nfs" | "nfs4" => "NFS",
        "cifs" | "smb3" | "smbfs" => "SMB",
        "fuse" => "FUSE",
        "afs" => "AFS",
        "9p" => "9P",
        "beegfs" => "BeeGFS",
        "ceph" => "Ceph",
        "coda" => "Coda",
        "davfs" => "WebDAV",
        "gfs2" => "GFS2",
        "gpfs" => "GPFS",
        "lustre" => "Lustre",
        "ocfs2" => "OCFS2",
        // A folder of the machine that this one is a guest of.
        "vboxsf" => "VirtualBox",
        "virtiofs" => "virtiofs",
        _ => kind.strip_prefix("fuse.")?,
    })
}

/// The tool that copies a folder about, by what it leaves there (which the adapter for folders knows) and by its usual names.
fn cloud(folder: &Path) -> Option<&'static str> {
    const NAMES: &[&str] = &["Dropbox", "OneDrive", "Google Drive"];
    let named = |folder: &Path| NAMES.iter().copied().find(|name| folder.file_name() == Some(OsStr::new(name)));
    longshore::replicated_by(folder).or_else(|| folder.ancestors().find_map(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
25 22 0:23 / /run rw,nosuid,nodev - tmpfs tmpfs rw,size=12342044k
31 22 0:40 / /mnt/nas rw,relatime shared:9 master:2 - nfs4 nas:/export rw,vers=4.2
32 22 0:41 / /mnt/nas/inner rw,relatime - cifs //nas/share rw
33 22 0:42 / /mnt/with\\040a\\040space rw,relatime - fuse.sshfs anna@host:/ rw
34 22 0:43 / /var/lib/layers rw - overlay overlay rw,lowerdir=/a,upperdir=/b
35 22 8:17 / /media/stick rw,nosuid - fuseblk /dev/sdb1 rw
36 22 0:44 / /mnt/over rw - ext4 /dev/vdb rw
37 36 0:45 / /mnt/over rw - nfs old:/export rw
not a mount at all
38 22 0:46 / /broken rw
";

    fn kind(path: &str) -> &'static str {
        kind_at(TABLE, Path::new(path)).unwrap_or_default()
    }

    #[test]
    fn the_deepest_mount_holds_a_folder() {
        assert_eq!(kind("/home/anna"), "ext4");
        assert_eq!(kind("/mnt/nas"), "nfs4");
        assert_eq!(kind("/mnt/nas/notes/deep"), "nfs4");
        assert_eq!(kind("/mnt/nas/inner/x"), "cifs");
        assert_eq!(kind("/mnt/nasty"), "ext4");
        assert_eq!(kind("/mnt/with a space/x"), "fuse.sshfs");
        assert_eq!(kind("/broken"), "ext4");
        assert_eq!(kind("relative"), "");
    }

    #[test]
    fn the_last_mount_on_a_place_counts() {
        assert_eq!(kind("/mnt/over/x"), "nfs");
    }

    #[test]
    fn network_mounts_are_told_from_local_ones() {
        for (path, name) in [
            ("/mnt/nas", Some("NFS")),
            ("/mnt/nas/inner", Some("SMB")),
            ("/mnt/with a space", Some("sshfs")),
            ("/media/stick", None),
            ("/var/lib/layers", None),
            ("/run", None),
            ("/", None),
        ] {
            assert_eq!(network(kind(path)), name, "{path}");
        }
    }

    /// Several machines, or a guest and its host, see the same folder.
    #[test]
    fn mounts_that_machines_share_are_network_mounts() {
        for kind in ["virtiofs", "vboxsf", "gfs2", "ocfs2", "beegfs", "gpfs", "9p", "ceph", "lustre"] {
            assert!(network(kind).is_some(), "{kind}");
        }
        for kind in ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "zfs"] {
            assert_eq!(network(kind), None, "{kind}");
        }
    }

    #[test]
    fn odd_escapes_stay_as_they_are() {
        assert_eq!(unescaped(r"a\040b\134c\9\04\777\"), r"a b\c\9\04\777\");
    }
}

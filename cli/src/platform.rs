//! The operating system, where it matters: the executable bit, renames that overwrite nothing, making writes durable, network
//! file systems, dying at once. Nothing else in this crate names a system (a test sees to that).

#[cfg(unix)]
pub(crate) use self::unix::*;

#[cfg(not(unix))]
pub(crate) use self::other::*;

/// Whether the rules of Windows hold for the names of files.
pub(crate) const WINDOWS: bool = cfg!(windows);

#[cfg(unix)]
mod unix {
    use std::fs::{File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
    use std::path::Path;

    use rustix::process::{Signal, getpid, kill_process};

    /// Whether its owner may run it.
    pub(crate) fn is_executable(meta: &Metadata) -> bool {
        meta.permissions().mode() & 0o100 != 0
    }

    /// These permissions, with the executable bit where the file can be read, or nowhere.
    pub(crate) fn with_executable(permissions: &Permissions, on: bool) -> Permissions {
        let mode = permissions.mode() & 0o7777;
        Permissions::from_mode(if on { mode | ((mode & 0o444) >> 2) } else { mode & !0o111 })
    }

    /// Creates a file that only its owner can read, for content that replaces a private file's.
    pub(crate) fn create_private(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// The file system it lies on.
    pub(crate) fn device(meta: &Metadata) -> u64 {
        meta.dev()
    }

    /// Makes the entries of a folder durable.
    pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// Kills this process as a power cut would: nothing is flushed, nothing is run.
    pub(crate) fn die() -> ! {
        // Where it may not kill itself, it aborts.
        kill_process(getpid(), Signal::KILL).ok();
        std::process::abort()
    }

    /// The machine's name.
    pub(crate) fn host_name() -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// A command line for the system's shell.
    pub(crate) fn shell(line: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", line]);
        command
    }

    /// Renames, unless something has the new name already.
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
                super::check_then_rename(from, to)
            }
            result => Ok(result?),
        }
    }

    /// Renames, unless something has the new name already.
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        super::check_then_rename(from, to)
    }

    /// Whether [`sync_file_system`] does what it says.
    pub(crate) const SYNCS_FILE_SYSTEMS: bool = cfg!(target_os = "linux");

    /// Makes everything written to the file system of this folder durable.
    #[cfg(target_os = "linux")]
    pub(crate) fn sync_file_system(folder: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(folder)?)?)
    }

    /// Where the system has no such call, each file is synced by itself, and this is not called.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn sync_file_system(folder: &Path) -> io::Result<()> {
        sync_folder(folder)
    }

    /// The kind of network file system that holds this folder, if it is one. SQLite's shared memory does not work there.
    #[cfg(target_os = "linux")]
    pub(crate) fn network_file_system(folder: &Path) -> Option<&'static str> {
        // The numbers of `linux/magic.h`, as statfs(2) lists them. FUSE may be local, but mostly is not.
        const KINDS: &[(u32, &str)] = &[
            (0x6969, "NFS"),
            (0x517B, "SMB"),
            (0xFF53_4D42, "SMB"),
            (0xFE53_4D42, "SMB"),
            (0x6573_5546, "FUSE"),
            (0x5346_414F, "AFS"),
            (0x0102_1997, "9P"),
            (0x00C3_6400, "Ceph"),
            (0x7375_7245, "Coda"),
        ];
        let kind = rustix::fs::statfs(folder).ok()?.f_type;
        // The field is of another width on other processors; the numbers have 32 bits.
        let kind = u32::try_from(i128::from(kind) & 0xFFFF_FFFF).ok()?;
        KINDS.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
    }

    /// The kind of network file system that holds this folder, if it is one. SQLite's shared memory does not work there.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn network_file_system(_folder: &Path) -> Option<&'static str> {
        None
    }

    /// What is mounted where, as proc(5) describes it.
    #[cfg(target_os = "linux")]
    pub(crate) fn mount_table() -> Option<String> {
        let table = std::fs::read("/proc/self/mountinfo").ok()?;
        Some(String::from_utf8_lossy(&table).into_owned())
    }

    /// Other systems have no such table.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn mount_table() -> Option<String> {
        None
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::{File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::path::Path;

    pub(crate) fn is_executable(_meta: &Metadata) -> bool {
        false
    }

    pub(crate) fn with_executable(permissions: &Permissions, _on: bool) -> Permissions {
        permissions.clone()
    }

    pub(crate) fn create_private(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    pub(crate) fn device(_meta: &Metadata) -> u64 {
        0
    }

    // A folder cannot be synced on Windows; there NTFS's journal keeps the order of renames.
    pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) const SYNCS_FILE_SYSTEMS: bool = false;

    pub(crate) fn sync_file_system(folder: &Path) -> io::Result<()> {
        sync_folder(folder)
    }

    pub(crate) fn die() -> ! {
        std::process::abort()
    }

    pub(crate) fn host_name() -> String {
        std::env::var("COMPUTERNAME").unwrap_or_else(|_| "device".to_owned())
    }

    pub(crate) fn shell(line: &str) -> std::process::Command {
        let mut command = std::process::Command::new("cmd");
        command.args(["/C", line]);
        command
    }

    pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
        super::check_then_rename(from, to)
    }

    pub(crate) fn network_file_system(folder: &Path) -> Option<&'static str> {
        folder.to_string_lossy().starts_with(r"\\").then_some("SMB")
    }

    pub(crate) fn mount_table() -> Option<String> {
        None
    }
}

/// Where the system has no rename that overwrites nothing, a look just before must do.
fn check_then_rename(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

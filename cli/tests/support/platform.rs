//! The one place of the tests with code for one platform.

#[cfg(unix)]
pub(crate) use self::unix::*;

#[cfg(not(unix))]
pub(crate) use self::other::*;

#[cfg(unix)]
mod unix {
    use std::ffi::{OsStr, OsString};
    use std::fs;
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;

    const NOBODY: u32 = 65534;

    /// This program, to be run in this place by a user for whom permissions count; all that is there is that user's. Tests may run
    /// as root. The error says why there is no such user.
    pub(crate) fn as_nobody(program: &Path, place: &Path) -> Result<Command, String> {
        // Its own folder may be closed to that user.
        let copy = place.join("program");
        fs::copy(program, &copy).unwrap();
        let mut command = Command::new(&copy);
        if is_root(place) {
            give_away(place).map_err(|error| format!("this root may not give files away ({error})"))?;
            command.uid(NOBODY).gid(NOBODY);
            let mut probe = Command::new(&copy);
            let probe = probe.arg("--version").uid(NOBODY).gid(NOBODY).output();
            probe.map_err(|error| format!("this root may not become another user ({error})"))?;
        }
        Ok(command)
    }

    fn is_root(place: &Path) -> bool {
        let probe = place.join("probe");
        fs::write(&probe, "").unwrap();
        set_mode(&probe, 0o000);
        fs::read(&probe).is_ok()
    }

    fn give_away(path: &Path) -> io::Result<()> {
        chown(path, Some(NOBODY), Some(NOBODY))?;
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                give_away(&entry?.path())?;
            }
        }
        Ok(())
    }

    pub(crate) fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The permissions of a file; `None` where the system has none.
    #[allow(clippy::unnecessary_wraps, reason = "elsewhere there are none")]
    pub(crate) fn mode(path: &Path) -> Option<u32> {
        Some(fs::metadata(path).unwrap().permissions().mode() & 0o777)
    }

    /// Makes a symbolic link to a folder.
    pub(crate) fn link(target: &Path, link: &Path) -> io::Result<()> {
        symlink(target, link)
    }

    /// A file name that is not Unicode.
    pub(crate) fn name_without_utf8() -> OsString {
        OsStr::from_bytes(b"caf\xe9.txt").to_owned()
    }
}

#[cfg(not(unix))]
mod other {
    use std::ffi::OsString;
    use std::io;
    use std::os::windows::ffi::OsStringExt as _;
    use std::path::Path;
    use std::process::Command;

    pub(crate) fn as_nobody(_program: &Path, _place: &Path) -> Result<Command, String> {
        Err("this system has no permissions that a test could take away".to_owned())
    }

    pub(crate) fn set_mode(_path: &Path, _mode: u32) {}

    pub(crate) fn mode(_path: &Path) -> Option<u32> {
        None
    }

    pub(crate) fn link(target: &Path, link: &Path) -> io::Result<()> {
        std::os::windows::fs::symlink_dir(target, link)
    }

    pub(crate) fn name_without_utf8() -> OsString {
        OsString::from_wide(&[0x63, 0xD800, 0x78])
    }
}

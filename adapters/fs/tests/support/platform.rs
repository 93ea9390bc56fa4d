//! The one place of the tests with code for one platform.

use std::io;
use std::path::Path;

/// Makes a symbolic link.
#[cfg(unix)]
pub(crate) fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Makes a symbolic link, where Windows lets this user.
#[cfg(windows)]
pub(crate) fn link(target: &Path, link: &Path) -> io::Result<()> {
    if target.is_dir() {
        std::os::windows::fs::symlink_dir(target, link)
    } else {
        std::os::windows::fs::symlink_file(target, link)
    }
}

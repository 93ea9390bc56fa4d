//! The one place of these tests with code for one platform.

/// What this process makes from now on, a server that runs as another user may alter: one that root started gives up its rights.
#[cfg(unix)]
pub(crate) fn share_what_is_made() {
    rustix::process::umask(rustix::fs::Mode::empty());
}

#[cfg(not(unix))]
pub(crate) fn share_what_is_made() {}

//! The operating system, where it matters: dying at once. Nothing else in this crate names a system.

/// Whether a process that was killed ends without an exit code.
pub(crate) const TELLS_SIGNALS: bool = cfg!(unix);

/// Kills this process as a power cut would: nothing is flushed, nothing is run.
#[cfg(unix)]
pub(crate) fn die() -> ! {
    // Where it may not kill itself, it aborts.
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
    std::process::abort()
}

/// Ends this process at once.
#[cfg(not(unix))]
pub(crate) fn die() -> ! {
    std::process::abort()
}

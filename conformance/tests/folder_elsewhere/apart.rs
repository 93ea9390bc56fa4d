//! Mounts that nobody else sees, and that go with the processes that made them, however these end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Where this program mounts a folder in memory, for everything that it makes.
pub(crate) const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");
/// Says that this process has a table of mounts of its own.
const VARIABLE: &str = "LONGSHORE_MOUNTS_APART";

/// Whether this process may mount.
pub(crate) fn is_apart() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Runs this program once more with a table of mounts of its own; `None` if it has one, or may not have one.
pub(crate) fn again() -> Option<ExitCode> {
    if is_apart() || !succeeds(&mut apart(OsStr::new("true"))) {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let status = apart(program.as_os_str()).args(std::env::args_os().skip(1)).env(VARIABLE, "1").status().ok()?;
    Some(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The program, in a table of mounts of its own in which `FOLDER` is in memory.
fn apart(program: &OsStr) -> Command {
    let script = r#"mkdir -p "$0" && mount -t tmpfs tmpfs "$0" && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, FOLDER]).arg(program);
    command
}

/// A folder in memory; `None` where there is none.
pub(crate) fn memory() -> Option<&'static Path> {
    let shared = || is_mounted_as("/dev/shm", "tmpfs").then_some("/dev/shm");
    if is_apart() { Some(FOLDER) } else { shared() }.map(Path::new)
}

/// Whether the table of mounts says that a folder is of this kind.
fn is_mounted_as(folder: &str, kind: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').skip(1).take(2).eq([folder, kind]))
}

pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

//! A folder passes the suite.
//!
//! A folder asks for no password: wrong credentials are rights that this user lacks. Root lacks none, so as root this program runs
//! once more without the capabilities that stand above them. Where that cannot be had, those cases show as ignored.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use longshore_conformance::{Harness, Scratch, run};
use longshore_core::{Error, ErrorKind, Result, Storage};
use longshore_fs::Fs;

async fn open(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(Fs::create_root(scratch.path().join("store"))?))
}

fn folder_in(scratch: &Scratch) -> Result<tempfile::TempDir> {
    tempfile::tempdir_in(scratch.path()).map_err(|error| Error::new(ErrorKind::Full, "no folder").with_source(error))
}

/// A root that goes while it is in use: an unplugged disk.
async fn open_missing(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    let root = folder_in(&scratch)?;
    let storage = Fs::open(root.path())?;
    drop(root);
    Ok(Arc::new(storage))
}

/// A root that nobody may enter; once it was opened, or was not, it can be removed again.
async fn open_locked(scratch: Scratch) -> Result<Arc<dyn Storage>> {
    let root = folder_in(&scratch)?;
    allow(root.path(), "000");
    let opened = Fs::open(root.path());
    allow(root.path(), "700");
    Ok(Arc::new(opened?))
}

fn allow(folder: &Path, mode: &str) -> bool {
    succeeds(Command::new("chmod").arg(mode).arg(folder))
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Whether a folder's rights keep this process out.
fn rights_bind() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let bind = allow(folder.path(), "000") && std::fs::read_dir(folder.path()).is_err();
    allow(folder.path(), "700");
    bind
}

/// Says that this program runs once more already.
const AGAIN: &str = "LONGSHORE_FOLDER_AGAIN";

/// Runs this program where rights bind it, if they do not bind it here.
fn again() -> Option<ExitCode> {
    let lesser = || {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-dac_override,-dac_read_search"]);
        command
    };
    if std::env::var_os(AGAIN).is_some() || rights_bind() || !succeeds(lesser().arg("true")) {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let status = lesser().arg(program).args(std::env::args_os().skip(1)).env(AGAIN, "1").status().ok()?;
    Some(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn main() -> ExitCode {
    if let Some(code) = again() {
        return code;
    }
    let harness = Harness::storage("folder", open).missing_root(open_missing);
    run(if rights_bind() { harness.wrong_credentials(open_locked) } else { harness })
}

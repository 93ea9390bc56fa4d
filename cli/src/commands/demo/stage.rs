//! The demo's temporary place, and its devices: child processes of this very command.

use std::path::PathBuf;
use std::process::{Command, Output};

use longshore_conformance::litter;
use serde_json::Value;
use tempfile::TempDir;

use super::failed;
use crate::address;
use crate::exit::{Exit, Failure, Result};
use crate::output::say;
use crate::replica::blocking;
use crate::stores;

/// A temporary place with a store and some devices.
pub(super) struct Stage {
    place: TempDir,
    program: PathBuf,
    /// The store's address.
    store: String,
    /// Where the store is, if it is not in the temporary place, and its name there.
    elsewhere: Option<(String, String)>,
    /// Storage requests of all syncs so far.
    pub(super) requests: u64,
    /// Syncs that came to their end.
    pub(super) syncs: u64,
}

/// How a sync that was to be killed ended.
pub(super) enum Killed {
    /// Where it died, in its own words.
    At(String),
    /// It did not.
    Not,
}

impl Stage {
    /// A new one; its store lies below this address, if one is given.
    pub(super) async fn new(url: Option<&str>) -> Result<Self> {
        let elsewhere = match url {
            Some(url) => {
                address::check(url)?;
                stores::reach(url).await?;
                Some((url.to_owned(), format!("demo-{}", stores::random()?)))
            }
            None => None,
        };
        let program = std::env::current_exe().map_err(failed("longshore".as_ref()))?;
        let temporary = std::env::temp_dir();
        let place = tempfile::Builder::new().prefix("longshore-demo-").tempdir_in(&temporary);
        let place = place.map_err(failed(&temporary))?;
        let store = match &elsewhere {
            Some((url, name)) => {
                let (kind, below) = (stores::of(url), name.clone());
                let made = blocking(move || kind.make(&below)).await?;
                made.map_err(|error| stores::unreached(&error, url))?;
                address::below(url, name)
            }
            None => longshore::file_url(&place.path().join("store")),
        };
        Ok(Self { place, program, store, elsewhere, requests: 0, syncs: 0 })
    }

    /// The store's address.
    pub(super) fn store(&self) -> &str {
        &self.store
    }

    /// Whether the store is not in the temporary place.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Removes the store, if it is elsewhere.
    pub(super) async fn clear(&self) -> Result<()> {
        let Some((url, name)) = &self.elsewhere else { return Ok(()) };
        let storage = stores::reach(&self.store).await?;
        litter::remove_all(&*storage).await.map_err(|error| {
            let what = format!("not all of the demo could be removed ({}); remove the rest yourself", error.message());
            Failure::new(Exit::Failure, &self.store, what)
        })?;
        let (kind, name) = (stores::of(url), name.clone());
        Ok(blocking(move || kind.sweep(&name)).await?)
    }

    /// Keeps the place, and says where it is.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.place.disable_cleanup(true);
        self.place.path().to_owned()
    }

    pub(super) fn folder(&self, device: &str) -> PathBuf {
        self.place.path().join(device)
    }

    pub(super) fn init(&self, device: &str, more: &[&str]) -> Result<()> {
        let folder = self.folder(device);
        std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let mut command = self.command("init", device, more);
        command.args([&self.store, "--device", device]);
        finished(&output(&mut command)?).map(drop)
    }

    /// Syncs, and says in a line what it did.
    pub(super) fn sync(&mut self, device: &str, more: &[&str]) -> Result<()> {
        let done = finished(&output(&mut self.command("sync", device, more))?)?;
        let number = |path: &str| done.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        self.requests += number("/report/requests");
        self.syncs += 1;
        say!(
            "   {device} syncs: {} committed, {} written, {} removed; {} requests",
            number("/report/pushed"),
            number("/written"),
            number("/removed"),
            number("/report/requests"),
        );
        Ok(())
    }

    /// Syncs, and is killed.
    pub(super) fn sync_and_die(&self, device: &str, at: &str) -> Result<Killed> {
        let output = output(&mut self.command("sync", device, &["--die-at", at]))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let place = said.lines().find(|line| line.starts_with("died: "));
        Ok(match (output.status.code(), place) {
            // A killed process has no exit code.
            (None, Some(place)) => Killed::At(place.replacen("died: ", "died ", 1)),
            _ => Killed::Not,
        })
    }

    fn command(&self, name: &str, device: &str, more: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--json", name]).arg(self.folder(device)).args(more);
        command
    }
}

fn output(command: &mut Command) -> Result<Output> {
    let program = PathBuf::from(command.get_program());
    command.output().map_err(failed(&program))
}

/// What a child printed, or its failure as ours.
fn finished(output: &Output) -> Result<Value> {
    if output.status.success() {
        return serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::new(Exit::Failure, "demo", format!("a child said no JSON ({error})")));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(Exit::Failure, "demo", format!("a child failed: {}", said.trim())))
}

//! Devices that sync through a server of a test's own.

use std::fs;
use std::process::Command;

use super::{Ended, Place};

/// A server, and devices that sync through a store on it.
pub(crate) trait Remote {
    /// What must never be printed.
    const SECRETS: &'static [&'static str];

    fn place(&self) -> &Place;

    /// The address of the store.
    fn store(&self) -> String;

    /// The command, which may use the server, with nothing of this process' own settings.
    fn longshore(&self) -> Command;

    /// Two devices in step, with three files.
    fn begin(&self) {
        self.init("one", &[]).ok();
        self.init("two", &["--join"]).ok();
        for name in ["a.txt", "b.txt", "c.txt"] {
            self.place().write(&format!("one/{name}"), name);
        }
        self.settle();
    }

    fn settle(&self) {
        for device in ["one", "two", "one"] {
            self.sync(device).ok();
        }
        self.place().equal("one", "two");
    }

    fn init_at(&self, url: &str, device: &str, more: &[&str]) -> Command {
        fs::create_dir_all(self.place().path(device)).unwrap();
        let mut command = self.longshore();
        command.args(["--json", "init"]).arg(self.place().path(device)).args([url, "--device", device]).args(more);
        command
    }

    fn init(&self, device: &str, more: &[&str]) -> Ended {
        Self::ended(&mut self.init_at(&self.store(), device, more))
    }

    fn sync(&self, device: &str) -> Ended {
        self.run("sync", device)
    }

    fn run(&self, name: &str, device: &str) -> Ended {
        Self::ended(self.longshore().args(["--json", name]).arg(self.place().path(device)))
    }

    /// Runs it. Whatever it is and however it ends, it prints no secret.
    fn ended(command: &mut Command) -> Ended {
        let ended = Ended::from(command.output().unwrap());
        for secret in Self::SECRETS {
            assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{} {}", ended.out, ended.err);
        }
        ended
    }
}

/// The command without those of this process' settings whose names begin so, and without its proxies.
pub(crate) fn without(prefix: &str) -> Command {
    let mut command = super::longshore();
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with(prefix) || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
}

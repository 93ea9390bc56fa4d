//! Progress: one moving line on a terminal, a plain line for each phase otherwise. Always on standard error.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use longshore::{Observer, Phase, Progress};

/// Shows how far a sync is.
#[derive(Debug)]
pub(crate) struct Display {
    bar: Option<ProgressBar>,
    /// The phase that was shown last.
    last: Mutex<Option<Phase>>,
}

impl Display {
    /// Moving on a terminal, silent for `--json`.
    pub(crate) fn new(json: bool) -> Self {
        let moving = !json && std::io::stderr().is_terminal();
        Self { bar: moving.then(bar), last: Mutex::new(if json { Some(Phase::Push) } else { None }) }
    }

    fn line(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != Some(Phase::Push) && *last != Some(progress.phase) {
            *last = Some(progress.phase);
            eprintln!("{}", words(progress));
        }
    }
}

impl Observer for Display {
    fn progress(&self, progress: Progress) {
        let Some(bar) = &self.bar else { return self.line(progress) };
        match progress.total {
            Some(total) => bar.set_message(format!("{} {}/{total}", words(progress), progress.done)),
            None => bar.set_message(format!("{} {}", words(progress), progress.done)),
        }
        bar.tick();
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn words(progress: Progress) -> &'static str {
    match progress.phase {
        Phase::Open => "looking at the store",
        Phase::Pull => "taking what others committed",
        Phase::Resolve => "settling conflicts",
        Phase::Push => "committing what changed here",
        _ => "working",
    }
}

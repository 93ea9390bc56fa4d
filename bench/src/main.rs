//! Measures longshore beside the sum of its parts, both sides in one run, as ratios.
//!
//! `cargo run --release -p longshore-bench` prints a table; with `-- library` or `-- command` only that half of it. With
//! `--check` it exits with 1 if a bar is missed. Both sides run in turns, and the median of the rounds' ratios counts.

mod folder;
mod library;
mod parts;
mod platform;
mod set;

use std::process::ExitCode;

use set::median;

/// One line of the table.
struct Line {
    what: &'static str,
    ours: String,
    theirs: String,
    value: f64,
    bar: f64,
}

impl Line {
    /// Of rounds with our seconds and those of the parts.
    fn ratio(what: &'static str, rounds: &[[f64; 2]], bar: f64) -> Self {
        let of = |value: fn(&[f64; 2]) -> f64| median(rounds.iter().map(value).collect());
        let text = |seconds: f64| format!("{:.0} ms", seconds * 1000.0);
        let (ours, theirs) = (text(of(|round| round[0])), text(of(|round| round[1])));
        Self { what, ours, theirs, value: of(|round| round[0] / round[1]), bar }
    }

    fn limit(what: &'static str, value: f64, unit: &str, bar: f64) -> Self {
        Self { what, ours: format!("{value:.1} {unit}"), theirs: String::new(), value, bar }
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("memory") {
        library::memory_of_one_run();
        set::clean_up();
        return ExitCode::SUCCESS;
    }
    let half = std::env::args().nth(1);
    let wanted = |name: &str| half.as_deref().is_none_or(|half| half == name || half == "--check");
    let mut lines = Vec::new();
    if wanted("library") {
        lines.extend(library::measure());
    }
    if wanted("command") {
        lines.extend(folder::measure());
    }
    set::clean_up();
    println!("| what | longshore | parts | value | bar |\n| --- | ---: | ---: | ---: | ---: |");
    for line in &lines {
        let Line { what, ours, theirs, value, bar } = line;
        println!("| {what} | {ours} | {theirs} | {value:.2} | {bar} |");
    }
    let missed = lines.iter().filter(|line| line.value > line.bar).count();
    println!("\n{} bars, {missed} missed", lines.len());
    let check = std::env::args().any(|argument| argument == "--check");
    if check && missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

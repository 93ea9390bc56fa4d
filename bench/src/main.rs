//! Measures longshore beside the sum of its parts, both sides in one run, as ratios.
//!
//! `cargo run --release -p longshore-bench` prints a table. With `--check` it exits with 1 if a bar is missed. Each side runs
//! several times, in turns, and the fastest run counts: a busy machine slows both.

mod folder;
mod library;
mod parts;
mod platform;
mod set;

use std::process::ExitCode;

/// One line of the table.
struct Line {
    what: &'static str,
    ours: String,
    theirs: String,
    value: f64,
    bar: f64,
}

impl Line {
    fn ratio(what: &'static str, ours: f64, theirs: f64, bar: f64) -> Self {
        let text = |seconds: f64| format!("{:.0} ms", seconds * 1000.0);
        Self { what, ours: text(ours), theirs: text(theirs), value: ours / theirs, bar }
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
    let mut lines = library::measure();
    lines.extend(folder::measure());
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

//! Measures longshore beside the sum of its parts, both sides in one run, as ratios.
//!
//! `cargo run --release -p longshore-bench` prints a table; with `-- library`, `-- command`, `-- webdav` or `-- s3` only that
//! part of it. With `--check` it exits with 1 if a bar is missed, or nothing was measured. Both sides run in turns, and the median of the
//! rounds' ratios counts.
//!
//! The part `s3` needs a server, which the environment names as for the adapter's tests (`LONGSHORE_S3`, `AWS_ENDPOINT` and so on):
//! `DEVICE_GIB=8 scripts/servers/with-s3.sh ceph-rgw just bench -- s3` starts one and stops it. Without a server that part is left out. It takes
//! 4 GiB of memory here, and at the server up to 4 GiB of objects.

mod bucket;
mod folder;
mod library;
mod parts;
mod platform;
mod set;
mod webdav;

use std::process::ExitCode;

use bucket::Bucket;
use set::median;

/// Bytes of a mebibyte.
const MIB: usize = 1 << 20;

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let part = arguments.iter().map(String::as_str).find(|argument| !argument.starts_with("--"));
    let server = Bucket::from_environment();
    match (arguments.iter().map(String::as_str).collect::<Vec<_>>()[..].as_ref(), &server) {
        (["memory"], _) => {
            library::memory_of_one_run();
            set::clean_up();
            return ExitCode::SUCCESS;
        }
        (["s3-memory", way, place], Some(server)) => {
            bucket::memory_of_one_run(server, way, place);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let wanted = |name: &str| part.is_none_or(|part| part == name);
    let mut lines = Vec::new();
    if wanted("library") {
        lines.extend(library::measure());
    }
    if wanted("command") {
        lines.extend(folder::measure());
    }
    if wanted("webdav") {
        lines.extend(webdav::measure());
    }
    if wanted("s3") {
        match &server {
            Some(server) => lines.extend(bucket::measure(server)),
            None => eprintln!("no S3 server, so nothing of it is measured: {}", bucket::HOW),
        }
    }
    set::clean_up();
    println!("| what | longshore | parts | value | bar |\n| --- | ---: | ---: | ---: | ---: |");
    for line in &lines {
        let Line { what, ours, theirs, value, bar } = line;
        println!("| {what} | {ours} | {theirs} | {value:.2} | {bar} |");
    }
    let missed = lines.iter().filter(|line| line.value > line.bar).count();
    println!("\n{} bars, {missed} missed", lines.len());
    let check = arguments.iter().any(|argument| argument == "--check");
    if check && (missed > 0 || lines.is_empty()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

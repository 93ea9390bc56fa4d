//! The `longshore` command: keeps folders in step through storage that their user already has.

mod address;
mod args;
mod attached;
mod book;
mod changes;
mod commands;
mod config;
mod conflict;
mod dying;
mod exit;
mod folder;
mod guard;
mod hint;
mod last_failure;
mod mounts;
mod output;
mod platform;
mod progress;
mod replica;
mod stores;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::output::say;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| misused(&error));
    trace(cli.verbose);
    let json = cli.json();
    let result = run(cli).inspect_err(|failure| {
        if json {
            say!("{:#}", failure.as_json());
        }
    });
    let exit = result.and_then(|exit| output::check().map(|()| exit)).unwrap_or_else(|failure| {
        eprintln!("longshore: {failure}");
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// `conformance` writes its outcome to a file, where the other commands have a switch: the file is easily forgotten.
fn lacks_file(error: &clap::Error) -> Option<Failure> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if !arguments.iter().any(|argument| argument == "conformance") {
        return None;
    }
    let taken_for_file = |option: &str| {
        let mut after = arguments.iter().skip_while(|argument| *argument != option);
        after.nth(1).filter(|file| file.contains("://"))
    };
    let option = match error.kind() {
        ErrorKind::InvalidValue => match (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue)) {
            (Some(ContextValue::String(option)), Some(ContextValue::String(value))) if value.is_empty() => {
                option.as_str()
            }
            _ => return None,
        },
        ErrorKind::MissingRequiredArgument => {
            ["--json", "--junit"].into_iter().find(|it| taken_for_file(it).is_some())?
        }
        _ => return None,
    };
    let (option, standard) = match option.split(' ').next()? {
        "--json" => ("--json", ", or `--json -` for standard output"),
        "--junit" => ("--junit", ""),
        _ => return None,
    };
    Some(Failure::new(Exit::Usage, option, format!("FILE is missing; write `{option} FILE`{standard}")))
}

/// Ends as Clap would, which prints the help that was asked for as well; a script that wants JSON gets the failure as such.
fn misused(error: &clap::Error) -> ! {
    if let Some(failure) = lacks_file(error) {
        eprintln!("longshore: {failure}");
        std::process::exit(i32::from(failure.exit as u8));
    }
    let json = std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    if json && error.use_stderr() {
        // What follows on the first paragraph is advice for people.
        let text = error.to_string();
        let words: Vec<&str> = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect();
        let what = words.join(" ");
        let what = what.strip_prefix("error: ").unwrap_or(&what);
        say!("{:#}", Failure::new(Exit::Usage, "the command line", what).as_json());
    }
    error.exit()
}

fn run(cli: Cli) -> exit::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Failure, "longshore", format!("cannot start ({error})")))?;
    let result = runtime.block_on(commands::run(cli));
    // A thread that still reads a file must not hold up the end.
    runtime.shutdown_background();
    result
}

fn trace(verbose: u8) {
    let level = match verbose {
        0 => return warn(),
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}

/// Shows what nobody should miss who asked to be told nothing: warnings of an adapter about the way to its server, a line each.
fn warn() {
    let told = Targets::new().with_target("longshore_webdav", LevelFilter::WARN);
    let line = || {
        let mut line = std::io::stderr();
        // Who cannot be told of what is wrong cannot be warned either.
        drop(line.write_all(b"longshore: warning: "));
        line
    };
    let lines = tracing_subscriber::fmt::layer().without_time().with_level(false).with_target(false).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_writer(line).with_filter(told)).init();
}

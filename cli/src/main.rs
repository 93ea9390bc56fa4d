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
mod output;
mod platform;
mod progress;
mod replica;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    trace(cli.verbose);
    let exit = run(cli).and_then(|exit| output::check().map(|()| exit)).unwrap_or_else(|failure| {
        eprintln!("longshore: {failure}");
        failure.exit
    });
    ExitCode::from(exit as u8)
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
        0 => return,
        1 => tracing_subscriber::filter::LevelFilter::INFO,
        _ => tracing_subscriber::filter::LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}

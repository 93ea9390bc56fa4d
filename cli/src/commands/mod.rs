//! The commands, one file for each.

mod conflicts;
mod conformance;
mod demo;
mod detach;
mod doctor;
mod init;
mod log;
mod status;
mod sync;
mod text;

use crate::args::{Cli, Command};
use crate::exit::{Exit, Result};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<Exit> {
    let (json, verbose) = (cli.json(), cli.verbose > 0);
    match cli.command {
        Command::Init(args) => init::run(args, json).await,
        Command::Sync(args) => sync::run(args, verbose, json).await,
        Command::Status(args) => status::run(&args, json).await,
        Command::Log(args) => log::run(&args, json).await,
        Command::Conflicts(args) => conflicts::run(&args, json).await,
        Command::Detach(args) => detach::run(&args, json).await,
        Command::Demo(args) => demo::run(&args, json).await,
        Command::Doctor(args) => doctor::run(&args, json).await,
        Command::Conformance(args) => conformance::run(args, json).await,
    }
}

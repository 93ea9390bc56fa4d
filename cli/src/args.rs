//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::conflict::Rule;
use crate::dying::DieAt;
use crate::exit;

/// Keeps folders in step through storage that you already have: a folder, on this machine or on a mounted share, or a bucket.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, after_help = exit::HELP)]
pub(crate) struct Cli {
    /// Print one JSON object on standard output instead of text. (After a command's name as well.)
    #[arg(long)]
    json: bool,
    /// Tell on standard error what happens inside; twice for more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Attach a folder of files to a store.
    Init(Init),
    /// Bring a folder and its store in step.
    Sync(Sync),
    /// Tell how a folder stands, without asking the store.
    Status(Attached),
    /// List the newest commits of the store, or show one.
    Log(Log),
    /// List the conflicts that wait for an answer.
    Conflicts(Attached),
    /// Forget the store. The files stay, and so does the store.
    Detach(Detach),
    /// Watch two folders sync, survive a kill and meet in a conflict, in a temporary place.
    Demo(Demo),
    /// Ask whether a store can hold your data safely: an answer in seconds.
    #[command(after_help = "`--json` is a switch here. The `--json` of `longshore conformance` takes a FILE.")]
    Doctor(Doctor),
    /// Run the conformance suite against a store, in a scratch place of it, and print a table.
    Conformance(Conformance),
}

impl Cli {
    /// Whether to print JSON instead of text.
    pub(crate) fn json(&self) -> bool {
        self.json
            || match &self.command {
                Command::Init(args) => args.output.json,
                Command::Sync(args) => args.at.output.json,
                Command::Status(args) | Command::Conflicts(args) => args.output.json,
                Command::Log(args) => args.json,
                Command::Detach(args) => args.at.output.json,
                Command::Demo(args) => args.output.json,
                Command::Doctor(args) => args.output.json,
                Command::Conformance(_) => false,
            }
    }
}

/// How to print.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Print one JSON object on standard output instead of text.
    #[arg(long)]
    json: bool,
}

/// A folder that is attached.
#[derive(Debug, Args)]
pub(crate) struct Attached {
    /// The folder, or any folder in it.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// `longshore init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder of files.
    pub(crate) folder: PathBuf,
    /// The store's address: `file:///path/to/folder` or `s3://bucket/prefix`. No password belongs in it.
    pub(crate) url: String,
    /// The folder was moved, and its state, which lies elsewhere, does not know it yet. Not for copies.
    #[arg(long, conflicts_with_all = ["join", "state", "device"])]
    pub(crate) moved: bool,
    /// Join a store that is there; never create one.
    #[arg(long)]
    pub(crate) join: bool,
    /// Where to keep the state, on a disk of this machine; `FOLDER/.longshore` if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// This device's name, for the copies that conflicts leave; the machine's name if not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// `longshore sync`
#[derive(Debug, Args)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) at: Attached,
    /// Tell what would happen, and change nothing: no file, no state, nothing in the store.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Who wins where a file was changed here and elsewhere. With keep-both, an edit wins over a deletion.
    #[arg(long, value_name = "RULE", value_enum, default_value = "keep-both")]
    pub(crate) conflict: Rule,
    /// Go on where more than half of the files would be deleted, here or elsewhere.
    #[arg(long)]
    pub(crate) allow_mass_delete: bool,
    /// For tests and the demo: die at the n-th storage call (`5`: before it; `5+`: after it) or file (`file:5`).
    #[arg(long, hide = true)]
    pub(crate) die_at: Option<DieAt>,
    /// For tests: run this once before the first file is written back.
    #[arg(long, hide = true)]
    pub(crate) before_write: Option<String>,
}

/// `longshore log`
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The folder, or any folder in it.
    #[arg(long, default_value = ".", global = true)]
    pub(crate) folder: PathBuf,
    /// How many commits to list.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u64,
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    pub(crate) one: Option<One>,
}

/// What to do with one commit.
#[derive(Debug, Subcommand)]
pub(crate) enum One {
    /// Show one commit with its changes.
    Show {
        /// Its number.
        number: u64,
    },
    /// Get a file as it was in a commit: on standard output, or as a new file.
    Get {
        /// The commit's number.
        number: u64,
        /// The file's path in the folder.
        path: String,
        /// Write it to this file, which must not be there yet.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// `longshore detach`
#[derive(Debug, Args)]
pub(crate) struct Detach {
    #[command(flatten)]
    pub(crate) at: Attached,
    /// Also if changes or conflicts wait.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `longshore demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fill the first device with the files of this folder. If not given: those that git tracks in the current repository.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) from: Option<PathBuf>,
    /// Put the store below this address, under a name of its own, and remove it at the end. If not given: into a temporary folder.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Keep the folders and the store, and say where they are.
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    output: Output,
}

/// `longshore doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The store's address: `file:///path/to/folder` or `s3://bucket/prefix`.
    pub(crate) url: String,
    #[command(flatten)]
    output: Output,
}

/// `longshore conformance`
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// The store's address. Everything happens in a scratch place of it, which is removed again.
    pub(crate) url: String,
    /// Write the outcome as JSON to this file; `-` for standard output, in place of the table. Unlike the `--json` of other
    /// commands this is no switch: it takes a FILE.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the outcome to this file as CI servers read it, in the XML of `JUnit`.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Every case, few rounds: seconds.
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Everything, exhaustively: minutes to hours.
    #[arg(long)]
    pub(crate) full: bool,
    /// Only cases whose name contains this; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// What every choice comes from: repeat a run with the seed that it printed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Fail if nothing was shown of this group of cases; may be repeated.
    #[arg(long, value_name = "GROUP")]
    pub(crate) require: Vec<String>,
}

//! How the command ends: one exit code and one line for each kind of failure.

use std::fmt;

use longshore::{Error, ErrorKind};

use crate::address;
use crate::stores;

/// The exit codes, as `longshore --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// It failed, for a reason that has no code of its own.
    Failure = 1,
    /// The command line or the address is wrong. (Clap uses 2 as well.)
    Usage = 2,
    /// Everything else is synced; conflicts wait for an answer.
    Conflicts = 3,
    /// A guard stopped a sync that would delete most of the files.
    Guard = 4,
    /// The store is another, was emptied, reset or rolled back.
    Replaced = 5,
    /// Somebody else is at it, or the store cannot be reached now: try again later.
    Busy = 6,
    /// Everything else is synced; some files were skipped.
    Skipped = 7,
    /// Something in the store or in the local state is damaged.
    Damaged = 8,
    /// The store or the state is of a kind or version that this build does not know.
    Unsupported = 9,
}

impl Exit {
    /// The kind of failure as one word, for `--json`. One word for each code, and for good.
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Conflicts => "conflicts",
            Self::Guard => "guard",
            Self::Replaced => "replaced",
            Self::Busy => "busy",
            Self::Skipped => "skipped",
            Self::Damaged => "damaged",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failed, for a reason without a code of its own
  2  wrong usage: the command line or the address
  3  done, but conflicts wait for an answer
  4  stopped: the sync would delete more than half of at least ten files
  5  the store is not the one it was: emptied, replaced, reset or rolled back
  6  busy or unreachable: try again later
  7  done, but some files were skipped that should be synced; each is named
  8  something in the store or in the local state is damaged
  9  a store or state that this version does not support";

/// A failure: `longshore: <object>: <what>; <next step>`, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    line: String,
    /// What `--json` prints beside it: the fields of an object.
    details: serde_json::Value,
}

/// The result of a command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of `object`; `what` ends with the next step.
    pub(crate) fn new(exit: Exit, object: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self { exit, line: one_line(&format!("{object}: {what}")), details: serde_json::Value::Null }
    }

    /// A library error of the store at this address, which holds no password; `reworded` puts it into the user's words.
    pub(crate) fn of_store(error: &Error, url: &str, reworded: impl Fn(&str) -> String) -> Self {
        let key = error.key().unwrap_or_default();
        let what = reworded(&explained(error, key, stores::of(url).next_step(error)));
        if is_local(error) {
            return Self::new(exit_of(error.kind()), if key.is_empty() { "longshore" } else { key }, what);
        }
        Self::new(exit_of(error.kind()), address::of_object(url, key), what)
    }

    /// With more to do about it, if there is more.
    pub(crate) fn with_advice(mut self, advice: Option<String>) -> Self {
        if let Some(advice) = advice {
            self.line = one_line(&format!("{}; {advice}", self.line));
        }
        self
    }

    /// With fields to print beside it as JSON.
    pub(crate) fn with_details(self, details: serde_json::Value) -> Self {
        Self { details, ..self }
    }

    /// What `--json` prints of it.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        let mut said = serde_json::json!({ "error": { "kind": self.exit.word(), "message": self.line } });
        if let (Some(said), Some(details)) = (said.as_object_mut(), self.details.as_object()) {
            said.extend(details.clone());
        }
        said
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let object = error.key().or(error.operation()).unwrap_or("longshore").to_owned();
        let what = explained(&error, &object, None);
        Self::new(exit_of(error.kind()), object, what)
    }
}

/// What a library error says, its cause, and the next step: the one that is given, or else one for any store.
fn explained(error: &Error, object: &str, step: Option<String>) -> String {
    let mut what = error.message().to_owned();
    if let (Some(expected), Some(actual)) = (error.expected(), error.actual()) {
        what = format!("{what} (expected {expected}, found {actual})");
    }
    if let Some(source) = std::error::Error::source(error).map(ToString::to_string) {
        // A message often quotes its cause already.
        if !format!("{object}: {what}").contains(&source) {
            what = format!("{what} ({source})");
        }
    }
    // A message that tells the next step has it after one of these.
    match step {
        _ if what.contains("; ") => what,
        Some(step) => format!("{what}; {step}"),
        None if what.contains(": ") => what,
        None => format!("{what}; {}", next_step(error.kind())),
    }
}

/// Whether an error is one of the device: of a file, or of the state's database.
fn is_local(error: &Error) -> bool {
    matches!(error.operation(), Some("look" | "write" | "remove" | "sync"))
        || error.key().is_some_and(|key| key.ends_with(crate::attached::DATABASE))
}

/// The exit code of a library error.
fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Invalid => Exit::Usage,
        // A store that is not there is mostly a disk or a share that is not mounted.
        ErrorKind::Locked | ErrorKind::Unavailable | ErrorKind::Missing => Exit::Busy,
        ErrorKind::Replaced => Exit::Replaced,
        ErrorKind::Corrupt => Exit::Damaged,
        ErrorKind::Unsupported => Exit::Unsupported,
        _ => Exit::Failure,
    }
}

/// What to do about an error whose message does not say it.
fn next_step(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Conflict | ErrorKind::Unavailable => "try again; nothing is lost",
        ErrorKind::Fenced | ErrorKind::Locked => "wait until it is done, then try again",
        ErrorKind::Denied => "check the permissions",
        ErrorKind::Missing => "check that the store is there, and mounted",
        ErrorKind::Replaced => "check the address; nothing was changed",
        ErrorKind::Full => "make room, then try again; nothing is lost",
        ErrorKind::Unsupported => "use a newer longshore; nothing was changed",
        ErrorKind::Invalid => "check what was given",
        ErrorKind::Corrupt => "restore it from a backup; no file here was changed by it",
        _ => "please report this",
    }
}

/// Text with its control characters escaped: a file's name must not break a line or move a cursor.
pub(crate) fn one_line(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_code() {
        let all = [
            Exit::Done,
            Exit::Failure,
            Exit::Usage,
            Exit::Conflicts,
            Exit::Guard,
            Exit::Replaced,
            Exit::Busy,
            Exit::Skipped,
            Exit::Damaged,
            Exit::Unsupported,
        ];
        let listed: Vec<String> = all.iter().map(|exit| format!("\n  {}  ", *exit as u8)).collect();
        assert!(listed.iter().all(|code| HELP.contains(code)), "{HELP}");
        assert_eq!(HELP.lines().count(), all.len() + 1);
    }

    #[test]
    fn the_documents_say_the_same_of_every_code() {
        let documents = [include_str!("../../README.md"), include_str!("../../docs/command.md")];
        for line in HELP.lines().skip(1) {
            let (code, what) = line.trim().split_once("  ").unwrap();
            let row = format!("| {code} | {what} |");
            assert!(documents.iter().all(|document| document.contains(&row)), "{row}");
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let failure = |message: &'static str| {
            let source = std::io::Error::other("no such disk");
            Failure::from(Error::new(ErrorKind::Unavailable, message).with_source(source)).to_string()
        };
        assert_eq!(failure("cannot read it: no such disk").matches("no such disk").count(), 1);
        assert!(failure("cannot read it").contains("cannot read it (no such disk); "), "{}", failure("cannot read it"));
    }

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::from(Error::new(ErrorKind::Corrupt, "bad\nbytes").with_key("a\u{1b}[2J"));
        assert_eq!(failure.exit, Exit::Damaged);
        assert!(!failure.to_string().contains(char::is_control), "{failure}");
    }
}

//! What a sync tells when it is done.

use std::collections::BTreeMap;
use std::path::Path;

use longshore::SyncReport;
use serde_json::json;

use crate::commands::text::{count, print_json, print_skipped, size};
use crate::conflict::Decision;
use crate::exit::{Exit, one_line};
use crate::folder::Skipped;
use crate::hint;
use crate::output::say;
use crate::replica::Tally;

/// What a sync did.
pub(super) struct Summary {
    pub(super) report: SyncReport,
    pub(super) tally: Tally,
    pub(super) skipped: Vec<Skipped>,
    /// What was decided about documents that were changed on both sides.
    pub(super) decisions: BTreeMap<String, Decision>,
}

impl Summary {
    fn exit(&self) -> Exit {
        if self.report.unresolved > 0 {
            Exit::Conflicts
        } else if self.skipped.iter().any(|skipped| !skipped.policy) {
            Exit::Skipped
        } else {
            Exit::Done
        }
    }

    /// Prints it, and says how the command ends.
    pub(super) fn tell(&self, folder: &Path, json: bool) -> Exit {
        if json {
            print_json(&self.as_json());
        } else {
            self.print(folder);
        }
        self.exit()
    }

    fn as_json(&self) -> serde_json::Value {
        let conflicts = self.decisions.iter().map(|(of, decision)| match decision {
            Decision::Copied(copy) => json!({ "document": of, "decision": "copied", "copy": copy }),
            Decision::Ours(theirs) => json!({ "document": of, "decision": "ours", "theirs_in_commit": theirs }),
            Decision::Theirs(deleted) => json!({ "document": of, "decision": "theirs", "deleted": deleted }),
        });
        json!({
            "report": self.report, "written": self.tally.written, "removed": self.tally.removed,
            "found_unseen": self.tally.unseen, "skipped": self.skipped, "conflicts": conflicts.collect::<Vec<_>>(),
            "exit": self.exit() as u8,
        })
    }

    fn print(&self, folder: &Path) {
        let Self { report, tally, .. } = self;
        for (of, decision) in &self.decisions {
            say!("conflict: {}", words(of, decision, folder));
        }
        print_skipped(&self.skipped);
        if report.cloned {
            say!("this folder turned out to be a copy, or restored from a backup; it has an identity of its own now");
        }
        say!(
            "{} committed, {} written and {} removed here; {}, {} sent, {} received",
            count(report.pushed, "change"),
            count(tally.written, "file"),
            tally.removed,
            count(report.requests, "request"),
            size(report.bytes_up),
            size(report.bytes_down),
        );
        if report.unresolved > 0 {
            let waiting = count(report.unresolved, "conflict");
            say!("{waiting} waiting; see `longshore conflicts{}`", hint::folder(folder));
        }
    }
}

/// What became of a document that was changed on both sides.
fn words(of: &str, decision: &Decision, folder: &Path) -> String {
    let name = one_line(of);
    match decision {
        Decision::Copied(copy) => format!("{name} has their version; yours is now {}", one_line(copy)),
        Decision::Ours(None) => format!("{name} was deleted elsewhere; your version is kept"),
        Decision::Ours(Some(commit)) => format!(
            "{name} keeps your version; theirs stays in the log: `longshore log get{} {} {} --to FILE`",
            hint::log_folder(folder),
            commit.get(),
            hint::quoted(&name),
        ),
        Decision::Theirs(true) => {
            format!("{name} was deleted elsewhere, and is removed here; your version was given up")
        }
        Decision::Theirs(false) => format!("{name} has their version; yours was given up"),
    }
}

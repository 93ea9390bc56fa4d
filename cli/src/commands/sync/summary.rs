//! What a sync tells when it is done.

use longshore::SyncReport;
use serde_json::json;

use crate::commands::text::{count, print_json, print_skipped, size};
use crate::exit::{Exit, one_line};
use crate::folder::Skipped;
use crate::replica::Tally;

/// What a sync did.
pub(super) struct Summary {
    pub(super) report: SyncReport,
    pub(super) tally: Tally,
    pub(super) skipped: Vec<Skipped>,
    /// Documents, and the copies that keep this device's versions.
    pub(super) copies: Vec<(String, String)>,
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
    pub(super) fn tell(&self, json: bool) -> Exit {
        if json {
            print_json(&self.as_json());
        } else {
            self.print();
        }
        self.exit()
    }

    fn as_json(&self) -> serde_json::Value {
        let copies = self.copies.iter().map(|(of, copy)| json!({ "document": of, "copy": copy }));
        json!({
            "report": self.report, "written": self.tally.written, "removed": self.tally.removed,
            "found_unseen": self.tally.unseen, "skipped": self.skipped, "copies": copies.collect::<Vec<_>>(),
            "exit": self.exit() as u8,
        })
    }

    fn print(&self) {
        let Self { report, tally, copies, .. } = self;
        for (of, copy) in copies {
            println!("conflict: {} has their version; yours is now {}", one_line(of), one_line(copy));
        }
        print_skipped(&self.skipped);
        if report.cloned {
            println!(
                "this folder turned out to be a copy, or restored from a backup; it has an identity of its own now"
            );
        }
        println!(
            "{} committed, {} written and {} removed here; {}, {} sent, {} received",
            count(report.pushed, "change"),
            count(tally.written, "file"),
            tally.removed,
            count(report.requests, "request"),
            size(report.bytes_up),
            size(report.bytes_down),
        );
        if report.unresolved > 0 {
            println!("{} waiting; see `longshore conflicts`", count(report.unresolved, "conflict"));
        }
    }
}

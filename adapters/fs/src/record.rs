//! What the folder of a created-once object may hold: its file `data`, and what a server puts there who serves this same folder.

use longshore_core::{Error, ErrorKind, ObjectKey, Result};

use crate::errors::not_applied;
use crate::place::{Place, is_temporary_over_webdav};
use crate::replicated;
use crate::store::{Store, absent};

/// What a deleted object leaves where its folder cannot be renamed away: it keeps the folder from being empty.
pub(crate) const TOMBSTONE: &str = ".deleted";
/// What Apache's names of files that are being written begin with; killed, it leaves them.
const OF_APACHE: &str = ".davfs.tmp";

/// What was found under the name of a created-once object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Nothing.
    Absent,
    /// The object.
    Whole,
    /// What is left of a deleted one.
    Deleted,
}

impl Store {
    /// Looks what stands in a created-once object's folder.
    pub(crate) fn record(&self, folder: &Place) -> Result<Record> {
        let mut names = self.names_of(folder)?;
        if names.as_ref().is_some_and(|names| !holds(names, ObjectKey::DATA)) {
            // Seen in the middle of a deletion, which renames the folder away before it empties it? Then the name is gone.
            names = self.names_of(folder)?;
        }
        names.map_or(Ok(Record::Absent), |names| classify(&names))
    }

    fn names_of(&self, folder: &Place) -> Result<Option<Vec<String>>> {
        absent(self.disk.names(folder)).map_err(not_applied)
    }
}

fn classify(names: &[String]) -> Result<Record> {
    refuse_strangers(names)?;
    match (holds(names, ObjectKey::DATA), holds(names, TOMBSTONE)) {
        (true, _) => Ok(Record::Whole),
        (false, true) => Ok(Record::Deleted),
        (false, false) => Err(Error::new(
            ErrorKind::Corrupt,
            "the object's folder is empty, which no writer leaves: restore its file `data` from a copy, or remove the folder",
        )),
    }
}

fn holds(names: &[String], name: &str) -> bool {
    names.iter().any(|found| found == name)
}

/// Refuses an object's folder with more in it than we put there, or a WebDAV server for us.
pub(crate) fn refuse_strangers(names: &[String]) -> Result<()> {
    match names.iter().find(|name| *name != ObjectKey::DATA && *name != TOMBSTONE && !is_of_a_server(name)) {
        Some(stranger) => Err(replicated::stranger(stranger)),
        None => Ok(()),
    }
}

/// Whether a WebDAV server put this into an object's folder: a server that looks first and renames then can be late, and move a
/// loser's temporary folder into the winner's.
fn is_of_a_server(name: &str) -> bool {
    is_temporary_over_webdav(name) || name.starts_with(OF_APACHE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(names: &[&str]) -> Result<Record, ErrorKind> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        classify(&names).map_err(|error| error.kind())
    }

    #[test]
    fn a_record_is_its_data_alone() {
        assert_eq!(classified(&["data"]), Ok(Record::Whole));
        assert_eq!(classified(&[".deleted"]), Ok(Record::Deleted));
        assert_eq!(classified(&["data", ".deleted"]), Ok(Record::Whole));
        assert_eq!(classified(&[]), Err(ErrorKind::Corrupt));
    }

    #[test]
    fn what_a_server_moved_into_it_is_no_stranger() {
        let late = "tmp.0123456789abcdef0123456789abcdef";
        assert_eq!(classified(&["data", late]), Ok(Record::Whole));
        assert_eq!(classified(&[late, ".deleted"]), Ok(Record::Deleted));
        assert_eq!(classified(&["data", ".davfs.tmp00a1b2"]), Ok(Record::Whole));
        assert_eq!(classified(&[late]), Err(ErrorKind::Corrupt));
        assert_eq!(classified(&["data", "tmp.0123"]), Err(ErrorKind::Unsupported));
    }

    #[test]
    fn a_copy_beside_it_is_a_replicating_tool_s_work() {
        for stranger in ["data (conflicted copy)", ".data.icloud", "data.sync-conflict-20240101-000000-ABCDEFG"] {
            assert_eq!(classified(&["data", stranger]), Err(ErrorKind::Unsupported));
            assert_eq!(classified(&[stranger]), Err(ErrorKind::Unsupported));
        }
    }
}

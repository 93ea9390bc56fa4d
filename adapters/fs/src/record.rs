//! What the folder of a created-once object may hold: its file `data`, and nothing else.

use longshore_core::{Error, ErrorKind, ObjectKey, Result};

use crate::errors::not_applied;
use crate::place::Place;
use crate::replicated;
use crate::store::{Store, absent};

/// What a deleted object leaves where its folder cannot be renamed away: it keeps the folder from being empty.
pub(crate) const TOMBSTONE: &str = ".deleted";

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
        if names.as_ref().is_some_and(Vec::is_empty) {
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
    let holds = |name| names.iter().any(|found| found == name);
    match (holds(ObjectKey::DATA), holds(TOMBSTONE)) {
        (true, _) => Ok(Record::Whole),
        (false, true) => Ok(Record::Deleted),
        (false, false) => Err(Error::new(
            ErrorKind::Corrupt,
            "the object's folder is empty, which no writer leaves: restore its file `data` from a copy, or remove the folder",
        )),
    }
}

/// Refuses an object's folder with more in it than we put there.
pub(crate) fn refuse_strangers(names: &[String]) -> Result<()> {
    match names.iter().find(|name| *name != ObjectKey::DATA && *name != TOMBSTONE) {
        Some(stranger) => Err(replicated::stranger(stranger)),
        None => Ok(()),
    }
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
    fn a_copy_beside_it_is_a_replicating_tool_s_work() {
        for stranger in ["data (conflicted copy)", ".data.icloud", "data.sync-conflict-20240101-000000-ABCDEFG"] {
            assert_eq!(classified(&["data", stranger]), Err(ErrorKind::Unsupported));
            assert_eq!(classified(&[stranger]), Err(ErrorKind::Unsupported));
        }
    }
}

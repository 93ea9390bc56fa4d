//! Looking at a file just before it is replaced or removed: is it what the scan recorded? (I12)

use std::fs;
use std::io;

use bytes::Bytes;
use longshore::{DocumentId, Error, ErrorKind, Hash, Result};

use super::Folder;
use super::place::{is_missing, kind};
use super::read::{Read, read};
use super::seen::{Record, Seen, Stamp};

/// A change of the user's that the scan did not see.
#[derive(Clone, Debug)]
pub(crate) enum Local {
    /// The file has these bytes now.
    Put(Bytes, Stamp),
    /// The file is gone.
    Delete,
}

/// What stands where a document's file belongs.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing: the name is free.
    Free,
    /// The file that was recorded, with this stamp.
    Recorded(Stamp),
    /// A file with the very bytes that are wanted.
    Same,
    /// Something that the user made meanwhile.
    Unseen(Local),
    /// Something that is no file of this document: it stays, and the document is not written.
    Blocked(String),
}

impl Folder {
    /// Looks, and reads if the look alone does not tell. `wanted`: the hash of what is to be there.
    pub(crate) fn examine(
        &self,
        id: &DocumentId,
        record: Option<&Record>,
        wanted: Option<&Hash>,
        now: i64,
    ) -> Result<Verdict> {
        let meta = match fs::symlink_metadata(self.path(id.as_str())) {
            Ok(meta) => meta,
            Err(error) if is_missing(&error) => return Ok(missing(record)),
            Err(error) => return Err(failed("look", id, error)),
        };
        if !meta.is_file() {
            return Ok(Verdict::Blocked(format!(
                "{} of that name is in the way: rename it, then sync again",
                kind(&meta)
            )));
        }
        let stamp = Stamp::of(&meta, now);
        match record.map(|record| &record.seen) {
            Some(Seen::OnDisk(recorded)) if recorded.vouches_for(&stamp) => Ok(Verdict::Recorded(stamp)),
            None if !self.lists(id.as_str()).map_err(|error| failed("look", id, error))? => {
                Ok(Verdict::Blocked("this file system takes its name for that of another file".into()))
            }
            _ => self.examine_bytes(id, record, wanted, now),
        }
    }

    fn examine_bytes(
        &self,
        id: &DocumentId,
        record: Option<&Record>,
        wanted: Option<&Hash>,
        now: i64,
    ) -> Result<Verdict> {
        let (bytes, stamp) = match read(&self.path(id.as_str()), now) {
            Read::Whole(bytes, stamp) => (bytes, stamp),
            Read::Gone => return Ok(missing(record)),
            Read::Refused(why) => return Err(unreadable(id, &why)),
        };
        let digest = Hash::of(&bytes);
        Ok(match record {
            _ if Some(&digest) == wanted => Verdict::Same,
            Some(Record { seen: Seen::Off(_), .. }) => {
                Verdict::Blocked("another file of that name is in the way: rename it".into())
            }
            Some(record) if record.digest == digest => Verdict::Recorded(stamp),
            _ => Verdict::Unseen(Local::Put(bytes.into(), stamp)),
        })
    }
}

/// A file that was recorded and is gone was removed by the user meanwhile. (I13: only a recorded one.)
fn missing(record: Option<&Record>) -> Verdict {
    match record {
        Some(Record { seen: Seen::OnDisk(_), .. }) => Verdict::Unseen(Local::Delete),
        _ => Verdict::Free,
    }
}

fn unreadable(id: &DocumentId, why: &str) -> Error {
    let what = format!(
        "it was changed elsewhere, and here it {why}: make it readable, or move it away; it was not overwritten"
    );
    Error::new(ErrorKind::Denied, what).with_operation("write").with_key(id)
}

/// The system's error as one of ours.
pub(crate) fn failed(operation: &'static str, id: impl std::fmt::Display, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotFound => ErrorKind::Missing,
        _ => ErrorKind::Unavailable,
    };
    let message = format!("cannot {operation} the file");
    Error::new(kind, message).with_operation(operation).with_key(id).with_source(error)
}

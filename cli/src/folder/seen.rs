//! What this replica recorded about the file of a document: the note beside it.

use std::fs::Metadata;

use bytes::Bytes;
use filetime::FileTime;
use longshore::{Hash, Revision};

use crate::platform;

/// How long after its modification a file may change again without its time showing it: the coarsest clock of a file system.
const RACY: i64 = 2;

/// What a look at a file shows without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) modified: FileTime,
    pub(crate) executable: bool,
    /// It was modified less than two seconds before the look: the next change may leave the same time.
    pub(crate) racy: bool,
}

impl Stamp {
    /// The stamp of a file looked at when the wall clock read `now`, in seconds.
    pub(crate) fn of(meta: &Metadata, now: i64) -> Self {
        let modified = FileTime::from_last_modification_time(meta);
        let racy = modified.unix_seconds().abs_diff(now) <= RACY.unsigned_abs();
        Self { size: meta.len(), modified, executable: platform::is_executable(meta), racy }
    }

    /// Whether the file that had this stamp surely has the same bytes with that one.
    pub(crate) fn vouches_for(&self, now: &Self) -> bool {
        !self.racy && self.size == now.size && self.modified == now.modified
    }

    /// The document's revision: a hint for the other devices.
    pub(crate) fn revision(&self) -> longshore::Result<Revision> {
        let x = if self.executable { ";x" } else { "" };
        Revision::new(format!("mtime={}.{:09}{x}", self.modified.unix_seconds(), self.modified.nanoseconds()))
    }
}

/// What another device says about its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) modified: Option<FileTime>,
    pub(crate) executable: bool,
}

impl Hint {
    /// Reads a revision; what is not understood is no hint.
    pub(crate) fn parse(revision: Option<&Revision>) -> Self {
        let mut hint = Self::default();
        for part in revision.map_or("", Revision::as_str).split(';') {
            match part.split_once('=') {
                Some(("mtime", time)) => hint.modified = parse_time(time),
                None if part == "x" => hint.executable = true,
                _ => {}
            }
        }
        hint
    }
}

fn parse_time(text: &str) -> Option<FileTime> {
    let (seconds, nanos) = text.split_once('.')?;
    let nanos = nanos.parse().ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(FileTime::from_unix_time(seconds.parse().ok()?, nanos))
}

/// Where a document's file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// On disk, with this stamp when it was last written or read. Only such a file can be deleted. (I13)
    OnDisk(Stamp),
    /// Not on disk, because its name cannot be here; the text says why.
    Off(String),
    /// Nothing is noted: a crash came between the replica's transaction and the note. The file was written before either.
    Unknown,
}

/// What is recorded about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// BLAKE3 of its body, as of the last change here or from elsewhere.
    pub(crate) digest: Hash,
    pub(crate) seen: Seen,
}

impl Seen {
    /// As a note.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::OnDisk(stamp) => stamp.encode().into(),
            Self::Off(why) => format!("off {why}").into(),
            Self::Unknown => Bytes::new(),
        }
    }

    /// Reads a note; what is not understood counts as nothing noted.
    pub(crate) fn decode(note: Option<&Bytes>) -> Self {
        let text = note.and_then(|note| std::str::from_utf8(note).ok()).unwrap_or_default();
        match text.split_once(' ') {
            Some(("on", rest)) => Stamp::decode(rest).map_or(Self::Unknown, Self::OnDisk),
            Some(("off", why)) => Self::Off(why.to_owned()),
            _ => Self::Unknown,
        }
    }
}

impl Stamp {
    fn encode(&self) -> String {
        let (seconds, nanos) = (self.modified.unix_seconds(), self.modified.nanoseconds());
        let flag = |on, letter| if on { letter } else { "-" };
        format!("on {} {seconds}.{nanos:09} {}{}", self.size, flag(self.executable, "x"), flag(self.racy, "r"))
    }

    fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let size = words.next()?.parse().ok()?;
        let modified = parse_time(words.next()?)?;
        let flags = words.next()?;
        Some(Self { size, modified, executable: flags.starts_with('x'), racy: flags.ends_with('r') })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { size: 7, modified: FileTime::from_unix_time(-5, 12), executable: true, racy: false }
    }

    #[test]
    fn a_note_survives() {
        for seen in [Seen::OnDisk(stamp()), Seen::Off("in the way".into()), Seen::Unknown] {
            assert_eq!(Seen::decode(Some(&seen.encode())), seen);
        }
        assert_eq!(Seen::decode(Some(&"on 7 x".into())), Seen::Unknown);
    }

    #[test]
    fn a_revision_is_a_hint() {
        let hint = Hint::parse(Some(&stamp().revision().unwrap()));
        assert_eq!(hint, Hint { modified: Some(stamp().modified), executable: true });
        assert_eq!(Hint::parse(Some(&Revision::new("4-abc;mtime=9").unwrap())), Hint::default());
    }

    #[test]
    fn a_racy_stamp_vouches_for_nothing() {
        assert!(stamp().vouches_for(&stamp()));
        assert!(!Stamp { racy: true, ..stamp() }.vouches_for(&stamp()));
        assert!(!stamp().vouches_for(&Stamp { size: 8, ..stamp() }));
    }
}

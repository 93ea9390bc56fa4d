//! Reading a file whole, and noticing when it changes meanwhile.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use longshore::Document;

use super::seen::Stamp;

/// How often a file is read again because it changed while it was read.
const TRIES: usize = 3;

/// What reading a file gave.
#[derive(Debug)]
pub(crate) enum Read {
    /// Its bytes, and its stamp before and after.
    Whole(Vec<u8>, Stamp),
    /// It was gone.
    Gone,
    /// It cannot be read now; the text says why.
    Refused(String),
}

/// Reads a regular file.
pub(crate) fn read(path: &Path, now: i64) -> Read {
    read_watched(path, now, &mut || ())
}

/// As [`read`], with something to happen after the bytes were read: for tests.
fn read_watched(path: &Path, now: i64, meanwhile: &mut dyn FnMut()) -> Read {
    for _ in 0..TRIES {
        match try_read(path, now, meanwhile) {
            Ok(Some(read)) => return read,
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Read::Gone,
            Err(error) => return Read::Refused(format!("cannot be read ({error})")),
        }
    }
    Read::Refused("changes while it is read: it is synced when it rests".into())
}

/// `None` if the file changed meanwhile.
fn try_read(path: &Path, now: i64, meanwhile: &mut dyn FnMut()) -> io::Result<Option<Read>> {
    let mut file = File::open(path)?;
    let before = Stamp::of(&file.metadata()?, now);
    if let Some(why) = too_large(before.size) {
        return Ok(Some(Read::Refused(why)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or(0));
    // One byte more than expected shows that it grew; no more is read of a file that grows for ever.
    (&mut file).take(before.size + 1).read_to_end(&mut bytes)?;
    meanwhile();
    let after = Stamp::of(&path.symlink_metadata()?, now);
    let same = after == before && bytes.len() as u64 == before.size;
    Ok(same.then_some(Read::Whole(bytes, before)))
}

/// Why a file of this size is not synced.
pub(crate) fn too_large(size: u64) -> Option<String> {
    (size > Document::MAX_BODY).then(|| "has more than 1 GiB, the most that is synced".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut once = Some("later");
        let read = read_watched(&path, 0, &mut || {
            if let Some(text) = once.take() {
                fs::write(&path, text).unwrap();
            }
        });
        assert!(matches!(read, Read::Whole(bytes, _) if bytes == b"later"));
    }

    #[test]
    fn a_file_that_never_rests_is_left_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "x").unwrap();
        let mut text = String::from("x");
        let read = read_watched(&path, 0, &mut || {
            text.push('x');
            fs::write(&path, &text).unwrap();
        });
        assert!(matches!(read, Read::Refused(why) if why.contains("rests")));
    }
}

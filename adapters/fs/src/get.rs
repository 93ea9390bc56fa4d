//! `get`: small objects in one go, large ones in pieces.

use std::fmt;
use std::io;

use bytes::{Bytes, BytesMut};
use longshore_core::{ByteRange, ObjectKey, Result};

use crate::disk::OldFile;
use crate::errors::not_applied;
use crate::place::Place;
use crate::record::Record;
use crate::store::{Store, absent};

/// The most bytes that are read at once.
pub(crate) const PIECE: u64 = 1 << 20;

/// An object being read.
pub(crate) struct Download {
    file: Box<dyn OldFile>,
    /// The size of the whole object in bytes.
    pub(crate) size: u64,
    at: u64,
    end: u64,
}

impl Download {
    /// How many bytes are left to read.
    pub(crate) fn left(&self) -> u64 {
        self.end - self.at
    }

    /// Reads the next piece; an empty one at the end.
    pub(crate) fn piece(&mut self) -> Result<Bytes> {
        self.read_piece().map_err(not_applied)
    }

    fn read_piece(&mut self) -> io::Result<Bytes> {
        let len = usize::try_from(self.left().min(PIECE)).map_err(io::Error::other)?;
        let mut bytes = BytesMut::zeroed(len);
        if len > 0 {
            self.file.read(self.at, &mut bytes)?;
        }
        self.at += len as u64;
        Ok(bytes.freeze())
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("size", &self.size).field("left", &self.left()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens an object and reads its first piece; `None` if it is missing.
    pub(crate) fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Option<(Download, Bytes)>> {
        let place = Place::from(key);
        if key.is_record() && self.record(&place.parent())? != Record::Whole {
            return Ok(None);
        }
        let Some(mut download) = absent(self.open(&place, range)).map_err(not_applied)? else {
            return Ok(None);
        };
        let first = download.piece()?;
        Ok(Some((download, first)))
    }

    fn open(&self, place: &Place, range: ByteRange) -> io::Result<Download> {
        let file = self.disk.open_file(place)?;
        let size = file.size()?;
        let within = range.within(size);
        Ok(Download { file, size, at: within.start, end: within.end })
    }
}

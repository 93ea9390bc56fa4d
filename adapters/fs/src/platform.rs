//! The file operations on each operating system: the only module with code for one of them.
//!
//! On Unix every path is opened without following links, in one call on Linux, else folder by folder: nothing can be swapped under a
//! call. Elsewhere the parts are checked by name before the call.

// Compiled for tests everywhere, so that it cannot rot on a developer's machine.
#[cfg(any(not(unix), test))]
mod other;
#[cfg(unix)]
mod unix;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::SystemTime;

use crate::disk::{NewFile, OldFile, Refused, Seen};

#[cfg(test)]
pub(crate) use other::OsDisk as PortableDisk;
#[cfg(not(unix))]
pub(crate) use other::{OsDisk, sync_folder};
#[cfg(unix)]
pub(crate) use unix::{OsDisk, sync_folder};

impl NewFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    // On macOS this is F_FULLFSYNC: plain `fsync` there stops at the drive's cache.
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.metadata()?.modified()
    }
}

impl OldFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_exact(buffer)
    }
}

fn readable(file: File) -> io::Result<Box<dyn OldFile>> {
    if file.metadata()?.is_file() { Ok(Box::new(file)) } else { Err(Refused::NoFile.into()) }
}

fn seen(metadata: &std::fs::Metadata) -> io::Result<Seen> {
    Ok(Seen { folder: metadata.is_dir(), modified: metadata.modified()? })
}

/// Says clearly what it means that the root itself could not be opened.
fn root_error(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => Refused::NoRoot.into(),
        io::ErrorKind::NotADirectory => Refused::RootIsNoFolder.into(),
        _ => error,
    }
}

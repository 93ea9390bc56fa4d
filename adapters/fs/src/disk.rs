//! The few file operations that the adapter needs, as a trait: so that its tests can cut the power between any two.

use std::fmt;
use std::io;
use std::time::SystemTime;

use crate::place::Place;

/// A file system, seen from a store's root. Every call may block.
///
/// - No symbolic link under the root is followed; meeting one is [`Refused::Link`].
/// - A missing root is [`Refused::NoRoot`], so `NotFound` always speaks of something inside an existing root.
/// - What a call did lasts through power loss only once the file, or the folder that holds the name, was synced.
pub(crate) trait Disk: fmt::Debug + Send + Sync {
    /// Makes one folder; `AlreadyExists` if the name is taken.
    fn make_folder(&self, folder: &Place) -> io::Result<()>;

    /// Makes an empty file to write; `AlreadyExists` if the name is taken.
    fn make_file(&self, file: &Place) -> io::Result<Box<dyn NewFile>>;

    /// Makes the names in a folder last.
    fn sync_folder(&self, folder: &Place) -> io::Result<()>;

    /// Gives something in a folder another name there, atomically.
    ///
    /// A file replaces a file. A folder replaces an *empty* folder, alas, and fails on any other.
    fn rename(&self, folder: &Place, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, file: &Place) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, folder: &Place) -> io::Result<()>;

    /// The names in a folder, in no order.
    fn names(&self, folder: &Place) -> io::Result<Vec<String>>;

    /// Opens a file to read.
    fn open_file(&self, file: &Place) -> io::Result<Box<dyn OldFile>>;

    /// What the file system knows about a file or folder.
    fn look(&self, place: &Place) -> io::Result<Seen>;
}

impl<D: Disk + 'static> From<D> for Box<dyn Disk> {
    fn from(disk: D) -> Self {
        Box::new(disk)
    }
}

/// A file being written.
pub(crate) trait NewFile: Send {
    /// Appends these bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written last.
    fn sync(&mut self) -> io::Result<()>;

    /// The file system's own time of the last write.
    fn modified(&self) -> io::Result<SystemTime>;
}

/// A file being read.
pub(crate) trait OldFile: Send {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills the buffer from this offset on; `UnexpectedEof` if the file ends before.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// What the file system knows about a file or folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) folder: bool,
    pub(crate) modified: SystemTime,
}

/// What no error code of an operating system says clearly enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing is where the root should be.
    NoRoot,
    /// The root is no folder.
    RootIsNoFolder,
    /// Another, empty file system stands where the root was.
    Unmounted,
    /// A symbolic link inside the store.
    Link,
    /// A folder, device or pipe where a file should be.
    NoFile,
}

impl Refused {
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::NoRoot => "the root folder is not there: mount or restore it, then try again",
            Self::RootIsNoFolder => "the root is not a folder: name the folder that holds the store",
            Self::Unmounted => {
                "the root is no longer mounted, an empty folder is in its place: mount it, then try again"
            }
            Self::Link => {
                "a symbolic link stands inside the store, and none is followed: put the real file in its place"
            }
            Self::NoFile => "something that is not a file stands in an object's place: move it out of the store",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::other(refused)
    }
}

//! A folder, on this machine or on a mounted share, as storage for longshore: no server, no HTTP.
//!
//! [`Fs`] implements [`Storage`](longshore_core::Storage) over one root folder. Objects are plain files under their own
//! names, so a store can be looked at, copied and backed up with any tool.
//!
//! ```
//! use longshore_core::{ByteRange, Created, ObjectKey, Storage};
//! use longshore_fs::Fs;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let storage = Fs::open(folder.path())?;
//! let key = ObjectKey::new("format/data")?;
//! assert_eq!(storage.create(&key, "mine".into()).await?.value, Created::Created);
//! assert_eq!(storage.create(&key, "yours".into()).await?.value, Created::Exists);
//! assert_eq!(std::fs::read(folder.path().join("format/data"))?, b"mine");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How an object becomes visible
//! `create` writes a temporary folder beside the final one, with its file `data`; syncs the file and the folder; renames
//! the folder to its name; syncs the folder above; and reads back. The kernel decides who was first: a rename onto a
//! folder that is not empty fails. `put` does the same with a file. So neither a killed writer nor a power cut shows half
//! an object, and what was acknowledged is still there after either.
//!
//! Onto an *empty* folder a rename would succeed without a word, so no entry's folder is ever empty: `delete` renames it
//! away before it removes anything, and a folder found empty is refused as [`Corrupt`](longshore_core::ErrorKind::Corrupt).
//!
//! # Where a store may lie
//! - **Local file systems** with atomic renames: those of Linux, macOS and Windows.
//! - **Network mounts** (NFS, SMB): a client may remember for seconds that a name was missing. Another device's entry then
//!   shows late. That delays, and never loses: who creates the same name meanwhile is told `Exists`.
//! - **Layered file systems** (overlayfs, as in containers): an entry of a lower layer cannot be renamed away, so deleting it
//!   leaves a tombstone, the file `.deleted`, in its folder. Its name stays listed.
//! - **Not in a folder that Dropbox, Syncthing, iCloud or the like replicates.** Each device then has its own
//!   copy, two devices both win the same `create`, and the tool "solves" that by renaming one of the two. Such a folder is
//!   refused ([`Unsupported`](longshore_core::ErrorKind::Unsupported)) where it can be told: by the tool's marker files at
//!   [`Fs::open`], and by anything that stands beside `data` in an entry's folder.
//!
//! What a file system cannot do (sync a folder, say) gives `Unsupported`, never a weaker guarantee in silence.
//! On Windows a folder cannot be synced at all; there NTFS's journal keeps the order of renames.
//!
//! | part | what it is |
//! | --- | --- |
//! | `storage` | [`Fs`]: the trait's methods, off-loaded to blocking threads |
//! | `create`, `put`, `get`, `list`, `delete` | one operation each, blocking |
//! | `record` | what an entry's folder may hold |
//! | `sweep` | leftover temporaries |
//! | `store` | what the operations share |
//! | `replicated` | folders that another tool replicates |
//! | `errors` | what the operating system's errors mean for the caller |
//! | `disk`, `place` | the few file operations all this needs, and where they act |
//! | `platform` | those operations on each operating system |

mod create;
mod delete;
mod disk;
mod errors;
mod get;
mod list;
mod place;
mod platform;
mod put;
mod record;
mod replicated;
mod storage;
mod store;
mod sweep;
#[cfg(test)]
mod tests;

pub use replicated::replicated_by;
pub use storage::Fs;

//! The core of longshore: the model, the two traits, the log format and the sync engine.
//!
//! It does no I/O of its own. Backends come through [`Storage`], local state through [`Replica`], time and randomness
//! through [`Runtime`].
//!
//! | part | what it is |
//! | --- | --- |
//! | [`model`] | documents, changes, numbers and identities |
//! | [`storage`] | what a backend provides: the trait an adapter author writes, and the storage in memory |
//! | [`engine`] | the sync engine: what an app holds and calls |
//! | [`server`] | the shared database: the trait, and its implementation over any storage |
//! | [`mod@format`] | what lies on the server, to the byte |
//! | [`replica`] | one device's local state: the trait, and the replica in memory |
//! | [`runtime`] | time, randomness, waiting and threads |
//! | [`error`] | the one error type |

pub mod engine;
pub mod error;
pub mod format;
pub mod model;
pub mod replica;
pub mod runtime;
#[cfg(feature = "sabotage")]
pub mod sabotage;
#[cfg(not(feature = "sabotage"))]
mod sabotage;
pub mod server;
pub mod storage;

#[doc(inline)]
pub use engine::{
    Client, ClientBuilder, Effect, LockPolicy, Observer, OpenMode, Phase, Plan, Planned, Progress, Resolver, Status,
    SyncReport,
};
#[doc(inline)]
pub use error::{Error, ErrorKind, Outcome, Result};
#[doc(inline)]
pub use model::{
    Action, AttemptNumber, Base, Change, ClientId, Document, DocumentId, DomainName, FencingToken, Hash, MetadataName,
    MetadataVersion, Nonce, Revision, RowNumber, Sequence, StoreId,
};
#[doc(inline)]
pub use replica::{
    Answer, Applied, Attempt, BaseVersion, Batch, Claim, Conflict, Digest, Loaded, MemoryReplica, Outbox,
    PendingChange, PendingRow, Replica, RowSet, Step, Synced, Version,
};
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use runtime::TokioRuntime;
#[doc(inline)]
pub use runtime::{Job, Runtime, Ticks};
#[doc(inline)]
pub use server::{
    Author, ChangeStream, Content, Entry, Held, Lease, LockRequest, Locked, Metadata, Prepared, SealedSnapshot, Server,
    ServerExt, Sighting, Snapshot, Staged, StoreInfo, StoreOptions, StoredServer, Tip, TooLarge, Traffic, Written,
};
#[doc(inline)]
pub use storage::{
    ByteRange, ByteStream, Capabilities, Created, Flaw, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload,
    Reply, ServerTime, Storage,
};

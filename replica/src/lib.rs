//! The embedded local side of longshore: an app's documents and their outbox in one SQLite database.
//!
//! Open a [`SqliteReplica`], write and read documents with it, and give it to the engine. A document and its outbox row are
//! one transaction: after a crash both are there, or neither.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`SqliteReplica`] | the app's calls, and the engine's through [`Replica`](longshore_core::Replica) |
//! | [`Builder`] | how it is opened: [`Bodies`], [`Synchronous`] |
//! | [`DocumentInfo`] | a document without its bytes, with the app's own note |
//!
//! # Files
//! Beside `app.db` lie `app.db-wal` and `app.db-shm`, which belong to SQLite and to the database: copy or move them together,
//! and only while nothing has it open. `app.db.lock` is empty; its lock says that somebody syncs. The database must lie on a
//! disk of this machine: SQLite's shared memory does not work over a network.

mod app;
mod batch;
mod blocking;
mod bodies;
mod builder;
mod claim;
mod commit;
mod conflicts;
mod database;
mod digests;
mod engine;
mod errors;
mod outbox;
mod record;
mod room;
mod schema;
mod shelf;
mod state;
mod sweep;
mod values;
mod writer;

pub use app::{DocumentInfo, SqliteReplica};
pub use builder::{Bodies, Builder, Synchronous};

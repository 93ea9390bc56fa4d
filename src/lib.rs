//! Keeps an app's documents in step on all its devices, through storage that its user already has.
//!
//! ```
//! use longshore::{Client, Document, SqliteReplica};
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> longshore::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let url = longshore::file_url(&folder.path().join("store"));
//! # let database = folder.path().join("notes.db");
//! let replica = Arc::new(SqliteReplica::open(database).await?);
//! replica.put(Document::new("shopping", "milk")?).await?;
//!
//! let client = Client::builder(longshore::create(&url)?, replica).build();
//! let report = client.sync().await?;
//! assert_eq!(report.pushed, 1);
//! # Ok(()) }
//! ```
//!
//! | to … | use |
//! | --- | --- |
//! | reach a store by its address | [`open`], [`create`] |
//! | keep documents on this device | [`SqliteReplica`], or your own [`Replica`] |
//! | sync, plan, lock, show a status | [`Client`] |
//! | decide conflicts | [`Resolver`] |
//! | write an adapter | [`Storage`] |

mod address;
#[cfg(feature = "fs")]
mod platform;

pub use longshore_core::*;

#[cfg(feature = "fs")]
pub use longshore_fs::{Fs, replicated_by};
#[cfg(feature = "sqlite")]
pub use longshore_replica::{Bodies, Builder as SqliteBuilder, DocumentInfo, SqliteReplica, Synchronous};
#[cfg(feature = "s3")]
pub use longshore_s3::{HttpOptions, S3, S3Builder};
#[cfg(all(feature = "webdav", not(feature = "s3")))]
pub use longshore_webdav::HttpOptions;
#[cfg(feature = "webdav")]
pub use longshore_webdav::{WebDav, WebDavBuilder};

pub use address::{create, create_storage, open, open_storage};
#[cfg(feature = "fs")]
pub use address::{file_url, file_url_path};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

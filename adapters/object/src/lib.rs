//! Any [`object_store::ObjectStore`] as storage for longshore, and what its cloud stores share.
//!
//! [`ObjectStorage`] implements [`Storage`](longshore_core::Storage) over a store that decides
//! [`PutMode::Create`](object_store::PutMode::Create) itself, atomically.
//!
//! ```
//! use longshore_core::{ByteRange, Created, ObjectKey, Storage};
//! use longshore_object::ObjectStorage;
//! use object_store::memory::InMemory;
//! use std::sync::Arc;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let storage = ObjectStorage::new(Arc::new(InMemory::new()), "notes")?;
//! let key = ObjectKey::new("format/data")?;
//! assert_eq!(storage.create(&key, "mine".into()).await?.value, Created::Created);
//! assert_eq!(storage.create(&key, "yours".into()).await?.value, Created::Exists);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the store must be told
//! - **No retries of its own**: `RetryConfig { max_retries: 0, .. }`. A `create` that it sends a second time meets its own
//!   first, and says that another client won. The core retries, and reads back before it does.
//! - **No total timeout**: it would end a large body on a slow line.
//! - For stores behind HTTP, **the connector** of `Connector` (feature `http`): without it no reply carries the server's time, and a
//!   server that asks us to wait is not heard.
//!
//! `longshore-s3` does all of it for S3. Google Cloud Storage and Azure can be tried the same way, and were not: neither was run
//! against, and what their error pages say is not known here.
//!
//! # Sizes
//! Objects of up to 16 MiB go up in one request, larger ones as a multipart upload of 8 MiB parts, four at a time; an upload that
//! fails or is dropped is aborted. Of objects that may be large, the first 16 MiB come down in one request, and what is behind them in
//! ranges of 8 MiB, four at a time.
//!
//! | part | what it is |
//! | --- | --- |
//! | `storage` | [`ObjectStorage`]: the trait's methods |
//! | `upload`, `download`, `list` | what takes more than one request |
//! | `errors` | what a failure means for the caller |
//! | `exchange` | what was seen of the answer while a request was under way |
//! | `connector` | how it is seen (feature `http`) |
//! | `credentials` | what services give, and why they do not (feature `http`) |
//! | `clock` | what this machine's clock said of a request (feature `http`) |
//! | `page` | looks through a page of a listing before `object_store` reads it (feature `http`) |

#[cfg(feature = "http")]
mod clock;
#[cfg(feature = "http")]
mod connector;
#[cfg(feature = "http")]
mod credentials;
mod download;
mod errors;
mod exchange;
mod list;
#[cfg(feature = "http")]
mod page;
mod storage;
mod upload;

#[cfg(feature = "http")]
pub use connector::{Connector, is_true};
#[cfg(feature = "http")]
pub use credentials::{WatchedCredentials, fits_in_header};
pub use storage::ObjectStorage;

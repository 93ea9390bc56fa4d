//! An S3-compatible bucket as storage for longshore.
//!
//! [`S3`] implements [`Storage`](longshore_core::Storage) over one bucket, or over a prefix in it. It needs the right to read,
//! write, list and delete there, and a server that decides `If-None-Match: *` on a write, as AWS, Ceph and most others do now.
//! One that does not is found out at first use of a store, and refused.
//!
//! ```
//! use longshore_s3::S3;
//!
//! let storage = S3::builder("my-bucket")
//!     .with_prefix("notes")
//!     .with_endpoint("http://127.0.0.1:9000")
//!     .with_allow_http(true)
//!     .with_credentials("key", "secret", None)
//!     .build()?;
//! assert_eq!(storage.address(), "s3://my-bucket/notes");
//! # Ok::<(), longshore_core::Error>(())
//! ```
//!
//! # Where credentials come from
//! From the builder; else from the environment, in this order: `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and
//! `AWS_SESSION_TOKEN`; web identity (`AWS_WEB_IDENTITY_TOKEN_FILE` with `AWS_ROLE_ARN`); a container's credentials; the machine's
//! metadata service. `AWS_REGION`, `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT`, and `AWS_ALLOW_HTTP` are read there too. None stands in an
//! address, none in an error, a log or `Debug`.
//!
//! # What it does
//! - `create` is one `PUT` with `If-None-Match: *`, sent once. What it does not know (a lost reply, a 409, a 500) is told as
//!   unknown; the core reads back.
//! - The server's time is its `Date`, to the second. Nothing rests on entity tags.
//! - `429` and `503` are told with their `Retry-After`; the core waits.
//! - Idle timeouts only; see [`HttpOptions`].
//!
//! | part | what it is |
//! | --- | --- |
//! | `storage` | [`S3`]: the trait's methods, passed on to [`ObjectStorage`](longshore_object::ObjectStorage) |
//! | `builder` | [`S3Builder`]: all settings |
//! | `address` | `s3://` addresses |

mod address;
mod builder;
mod storage;

pub use builder::S3Builder;
pub use longshore_http::HttpOptions;
pub use storage::S3;

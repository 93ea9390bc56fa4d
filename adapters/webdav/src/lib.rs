//! A folder on a WebDAV server as storage for longshore.
//!
//! [`WebDav`] implements [`Storage`](longshore_core::Storage) over plain WebDAV (RFC 4918): `PUT`, `GET`, `MKCOL`, `MOVE`, `PROPFIND`
//! and `DELETE`. It needs no lock, no entity tag and no precondition, since servers keep none of these as they should.
//!
//! ```
//! use longshore_webdav::WebDav;
//!
//! let storage = WebDav::builder("https://cloud.example.org/dav/notes").with_password("me", "sesame").build()?;
//! assert_eq!(storage.address(), "https://cloud.example.org/dav/notes/");
//! # Ok::<(), longshore_core::Error>(())
//! ```
//!
//! # What it does
//! - **`create`** publishes a collection and reads it back: a temporary one is made beside the final one, filled, and renamed with
//!   `Overwrite: F`. Whatever the server answers, the bytes that are read back say who won.
//! - **`put`** writes under a temporary name, asks whether all of it arrived, and renames it.
//! - **`delete`** of a created object renames its collection away before it removes anything.
//! - **`list`** is one `PROPFIND` of depth 1. That it is complete is not relied on.
//! - Temporaries are named `tmp.` and 32 digits. Those that a killed writer leaves are removed when they are older than a day, by the
//!   server's clock.
//! - The server's time is its `Date`, to the second.
//! - A wrong password is sent three times at the most; a `423` of the server's own making is sent again after a pause; redirections
//!   are followed on the same host only.
//! - Idle timeouts only; see [`HttpOptions`].
//!
//! The folder must be there. On disk it looks as a store of [a folder](https://docs.rs/longshore-fs) does, so devices may use it through its mount while
//! others come over WebDAV. Server and devices must then be allowed to alter what each other makes, and the server must not keep
//! what it knows of files: lighttpd does for two seconds, unless `server.stat-cache-engine = "disable"` is set.
//!
//! | part | what it is |
//! | --- | --- |
//! | `storage` | [`WebDav`]: the trait's methods |
//! | `create`, `put`, `get`, `list`, `delete`, `sweep` | one operation each |
//! | `builder`, `address` | [`WebDavBuilder`]: all settings; `webdavs://` addresses |
//! | `client` | one request after another: logins, redirections, locks |
//! | `auth`, `throttle` | who we are; how fast we may go |
//! | `place`, `root`, `folders`, `spares` | where things lie, and what is known to be there |
//! | `multistatus`, `arriving`, `upload`, `errors` | what goes up and what comes down |

mod address;
mod arriving;
mod auth;
mod builder;
mod client;
mod create;
mod delete;
mod errors;
mod folders;
mod get;
mod list;
mod multistatus;
mod place;
mod put;
mod root;
mod spares;
mod storage;
mod sweep;
mod temporary;
mod throttle;
mod upload;

pub use builder::WebDavBuilder;
pub use longshore_http::HttpOptions;
pub use storage::WebDav;

//! A WebDAV server over a folder for tests: the crate dav-server behind a password, or whatever else answers in its place.
//!
//! It listens on loopback, in a thread of its own, in real time, until it is dropped. In the folder that it serves is another one,
//! `store`.
//!
//! ```
//! use longshore_webdav_double::Double;
//!
//! let server = Double::start().unwrap();
//! assert!(server.url("store").starts_with("http://127.0.0.1:"));
//! assert!(server.folder().join("store").is_dir());
//! ```
//!
//! | part | what it is |
//! | --- | --- |
//! | `server` | [`Double`]: the socket |
//! | `answer` | from a request to an answer |
//! | `moves` | [`Moves`]: other ways to carry out a `MOVE`, as real servers have them |

mod answer;
mod moves;
mod server;

pub use moves::Moves;
pub use server::Double;

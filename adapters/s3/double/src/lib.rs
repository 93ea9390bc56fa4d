//! An S3 server in memory for tests: sound, or wrong in one way that a real server is.
//!
//! It speaks as much of S3 as an object store needs: objects with conditional writes and ranges, listings by pages, multipart uploads,
//! deletion. It knows one access key and checks no signature. It listens on loopback, in a thread of its own, until it is dropped.
//!
//! ```
//! use longshore_s3_double::{Double, Kind};
//!
//! let server = Double::start(Kind::Sound).unwrap();
//! assert!(server.endpoint().starts_with("http://127.0.0.1:"));
//! ```
//!
//! | part | what it is |
//! | --- | --- |
//! | `server` | [`Double`]: the socket |
//! | `request` | from a request to an answer |
//! | `listing` | pages of keys |
//! | `objects` | what is stored, and how a write is decided |

mod listing;
mod objects;
mod request;
mod server;

pub use objects::Kind;
pub use server::Double;

//! What longshore's adapters over HTTP share.
//!
//! [`Http`] sends requests exactly once each, over one pool of kept-alive connections. It follows no redirect, decodes no body
//! and retries nothing: the core does that, and knows what a repetition means.
//!
//! - **Timeouts are for idleness.** A request fails when for [`idle_timeout`](HttpOptions::with_idle_timeout) no byte of it
//!   moved in either direction. A body that takes an hour on a slow line is no failure. Who wants a bound on a whole request
//!   sets [`with_request_budget`](HttpOptions::with_request_budget).
//! - **A failure says whether the server can have seen the request** ([`SendFailure::is_sent`]).
//! - **Secrets stay out** of every text and of `Debug`: no address, header or body is repeated.
//!
//! ```
//! use longshore_http::HttpOptions;
//! use std::time::Duration;
//!
//! let http = HttpOptions::default().with_idle_timeout(Duration::from_secs(20)).build()?;
//! let request = http::Request::get("http://127.0.0.1:9/").body(longshore_http::empty()).unwrap();
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let failure = http.send(request).await.unwrap_err();
//! assert!(!failure.is_sent());
//! # });
//! # Ok::<(), longshore_core::Error>(())
//! ```
//!
//! | part | what it is |
//! | --- | --- |
//! | `options` | [`HttpOptions`]: certificates, proxy, timeouts |
//! | `client` | [`Http`]: sends a request |
//! | `idle` | bodies that tell when they move, and the watch over them |
//! | `failure` | [`SendFailure`]: why there is no answer |
//! | `answer` | [`Answer`]: status, server time, when to come again |

mod answer;
mod client;
mod failure;
mod idle;
mod options;

pub use answer::Answer;
pub use client::Http;
pub use failure::{FailureKind, SendFailure};
pub use idle::{Incoming, empty};
pub use options::{HttpOptions, read_certificates};

//! Connections that break: on the way up, and on the way down.

use longshore_core::ErrorKind;

use super::deed::{Deed, Ended, Said};
use super::wire::{Wire, body, places};
use crate::context::Context;
use crate::proxy::{Cut, Passed};
use crate::verdict::{Failure, ensure};

/// Bytes of an answer that end with its status: `HTTP/1.1 200`. Before them nobody can know what it says.
const STATUS: u64 = 12;

/// The request breaks off after any byte, in its head and in its body: closed, reset, or closed for writing only.
///
/// A call may succeed that is free to be repeated. A `create` is not: it is sent once, so `Exists` is never right. What is said not
/// to have been applied is not there, now or later; and whatever is said, no part of an object is ever seen.
pub(super) async fn request_cut(cx: Context) -> Result<(), Failure> {
    let mut wire = Wire::new(&cx).await?;
    for deed in Deed::ALL {
        for (at, passed) in wire.lengths(deed).await?.into_iter().enumerate() {
            for bytes in places(&cx, "request", passed.request) {
                for cut in [Cut::RequestAfter, Cut::ResetRequestAfter, Cut::HalfCloseRequestAfter].map(|cut| cut(bytes))
                {
                    let ended = wire.disturbed(deed, at, &cut).await?;
                    let answered = matches!(cut, Cut::HalfCloseRequestAfter(_));
                    sensible(&wire, deed, &ended, answered)
                        .map_err(|failure| failure.within(format!("{deed}, {cut:?}")))?;
                }
            }
        }
    }
    wire.end().await
}

/// The response breaks off after any byte, and none at all: closed, reset, or closed for writing only. The server has done what
/// it was asked.
pub(super) async fn response_cut(cx: Context) -> Result<(), Failure> {
    let mut wire = Wire::new(&cx).await?;
    for deed in Deed::ALL {
        let requests = wire.lengths(deed).await?;
        for (at, passed) in requests.iter().enumerate() {
            for bytes in places(&cx, "response", passed.response) {
                for cut in [Cut::ResponseAfter, Cut::ResetAfter, Cut::HalfCloseAfter].map(|cut| cut(bytes)) {
                    let ended = wire.disturbed(deed, at, &cut).await?;
                    let told = |failure: Failure| failure.within(format!("{deed}, {cut:?}"));
                    sensible(&wire, deed, &ended, false).map_err(told)?;
                    known(deed, &ended, bytes, &requests).map_err(told)?;
                }
            }
        }
    }
    wire.end().await
}

/// What a read gives is whole; where no answer came, the call may be tried again, and says so.
fn sensible(wire: &Wire, deed: Deed, ended: &Ended, answered: bool) -> Result<(), Failure> {
    match ended {
        Ok(Said::Bytes(Some(bytes))) => {
            let whole = body(&wire.last());
            ensure!(*bytes == whole, "{} bytes were read of an object of {}", bytes.len(), whole.len());
        }
        // To half a request a server may say what it likes.
        Err(error) if !answered => ensure!(
            error.kind() == ErrorKind::Unavailable,
            "a connection broke, and {deed} failed as if its server had answered: {error}"
        ),
        _ => {}
    }
    Ok(())
}

/// No `create` has succeeded of which not even the status came. One that takes several requests may read back what became of it;
/// whether that is true, the end shows.
fn known(deed: Deed, ended: &Ended, bytes: u64, requests: &[Passed]) -> Result<(), Failure> {
    let said = deed == Deed::Create && requests.len() == 1 && bytes < STATUS && ended.is_ok();
    ensure!(!said, "{bytes} bytes of the answer came, and the object is said to be created");
    Ok(())
}

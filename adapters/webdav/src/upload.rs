//! Bodies of requests.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream as _;
use http_body::{Body, Frame, SizeHint};
use longshore_core::{ByteStream, Error, Payload};
use sync_wrapper::SyncStream;

/// What goes up with a request.
pub(crate) enum Upload {
    /// Bytes that can be sent again.
    Bytes(Bytes),
    /// A stream of known length, which cannot.
    Stream(Streamed),
}

impl Upload {
    pub(crate) const NONE: Self = Self::Bytes(Bytes::new());

    /// The same again; `None` for a stream.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::Stream(_) => None,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(streamed) => streamed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Stream(streamed) => streamed.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream(streamed) => streamed.left(),
        })
    }
}

/// A payload on its way.
pub(crate) struct Streamed {
    left: u64,
    stream: SyncStream<ByteStream>,
    /// The last bytes, until the stream has ended after them.
    last: Option<Bytes>,
    failure: Failure,
}

/// Why a stream ended, if it did, where who reads it only hears that it broke.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    pub(crate) fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Streamed {
    pub(crate) fn new(payload: Payload) -> (Self, Failure) {
        let failure = Failure::default();
        let (left, stream) = (payload.len(), SyncStream::new(payload.into_stream()));
        (Self { left, stream, last: None, failure: failure.clone() }, failure)
    }

    fn left(&self) -> u64 {
        self.left + self.last.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            let next = ready!(Pin::new(&mut self.stream).poll_next(context));
            match (next, self.last.take()) {
                (Some(Ok(bytes)), None) => {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                    if self.left > 0 {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                    // Once it has all that was promised, the connection asks for no more, and so would not hear that there is.
                    self.last = Some(bytes);
                }
                (Some(Ok(_)), last) => self.last = last,
                (Some(Err(error)), _) => {
                    self.failure.set(error);
                    return Poll::Ready(Some(Err(Broken)));
                }
                (None, last) => return Poll::Ready(last.map(|bytes| Ok(Frame::data(bytes)))),
            }
        }
    }
}

/// The payload's own stream ended.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes to send broke off")
    }
}

impl std::error::Error for Broken {}

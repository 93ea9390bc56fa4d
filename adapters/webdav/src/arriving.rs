//! The body of an answer as it comes: it is read on from where it is, and not held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures::Stream as _;
use longshore_core::{ByteStream, Error, Result};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::upload::Failure;

/// A reader of what comes in, which gives so many bytes and no more, until it is given more to give.
///
/// A reader tells its errors as those of I/O; what went wrong here stands in its [`Failure`].
pub(crate) struct Arriving {
    stream: ByteStream,
    /// What has come and was not read yet.
    here: Bytes,
    /// How much of it may be read.
    left: usize,
    too_much: fn() -> Error,
    failure: Failure,
}

impl Arriving {
    /// `too_much` says what it means if more than `most` bytes are read at a time.
    pub(crate) fn new(stream: ByteStream, most: usize, too_much: fn() -> Error) -> (Self, Failure) {
        let failure = Failure::default();
        (Self { stream, here: Bytes::new(), left: most, too_much, failure: failure.clone() }, failure)
    }

    /// What was read until now is done with: so many bytes more may be read.
    pub(crate) fn allow(&mut self, most: usize) {
        self.left = most;
    }

    fn fail<T>(&self, error: Error) -> Poll<io::Result<T>> {
        self.failure.set(error);
        Poll::Ready(Err(io::ErrorKind::Other.into()))
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

impl AsyncBufRead for Arriving {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.here.is_empty() {
            match ready!(this.next(context)) {
                Some(Ok(bytes)) => this.here = bytes,
                Some(Err(error)) => return this.fail(error),
                None => return Poll::Ready(Ok(&[])),
            }
        }
        if this.left == 0 {
            return this.fail((this.too_much)());
        }
        Poll::Ready(Ok(&this.here[..this.here.len().min(this.left)]))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.here.advance(count);
        self.left -= count;
    }
}

impl AsyncRead for Arriving {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let from = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = from.len().min(into.remaining());
        into.put_slice(&from[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

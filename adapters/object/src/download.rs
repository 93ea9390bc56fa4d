//! Gets, and those of large objects in several ranges at a time.

use std::sync::Arc;
use std::task::Poll;

use futures::stream::{self, StreamExt, TryStreamExt};
use longshore_core::{ByteStream, Error, ErrorKind};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};

use crate::errors::{is_missing, meaning};
use crate::exchange::{Answered, Exchange, Seen};

/// The bytes of each later request of a large object.
const PART: u64 = 8 * 1024 * 1024;
/// Ranges that are read at once. A part that is not at its turn yet is held in memory.
const AT_ONCE: usize = 4;
/// The most that the first request asks for: what fits comes down in one.
pub(crate) const FIRST: u64 = 2 * PART;

/// The bytes up to `end` of what a first answer began, which may have been only its beginning: the others come in parts, several at a
/// time, while it is still read.
pub(crate) fn stream(store: &Arc<dyn ObjectStore>, path: &Path, first: GetResult, end: u64) -> ByteStream {
    let (begun, size) = (first.range.end, first.meta.size);
    let first = first.into_stream().map_err(broken).boxed();
    if begun >= end {
        return first;
    }
    let starts = (begun..end).step_by(usize::try_from(PART).unwrap_or(usize::MAX));
    let (store, path) = (Arc::clone(store), path.clone());
    let later = stream::iter(starts)
        .map(move |start| part(Arc::clone(&store), path.clone(), start..end.min(start + PART), size))
        .buffered(AT_ONCE)
        .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
        .try_flatten();
    beside(first, later.boxed())
}

/// One stream after the other, of which the second gets going while the first is read.
fn beside(first: ByteStream, later: ByteStream) -> ByteStream {
    let (mut first, mut later) = (first.fuse(), Box::pin(later.peekable()));
    stream::poll_fn(move |context| {
        match first.poll_next_unpin(context) {
            Poll::Ready(None) => later.poll_next_unpin(context),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            next => {
                // It only drives it: what it finds stays there.
                let _ = later.as_mut().poll_peek(context);
                next
            }
        }
    })
    .boxed()
}

async fn part(
    store: Arc<dyn ObjectStore>,
    path: Path,
    range: std::ops::Range<u64>,
    size: u64,
) -> Result<Vec<bytes::Bytes>, Error> {
    let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
    let (result, seen) = Exchange::watch(store.get_opts(&path, options)).await;
    let result = match result {
        Ok(result) => result,
        Err(error) if is_missing(&error, seen.as_ref()) => {
            return Err(Error::new(ErrorKind::Unavailable, "the object was deleted while it was read"));
        }
        Err(error) => return Err(no_range(seen.as_ref()).unwrap_or_else(|| meaning(error, seen))),
    };
    if result.range != range || result.meta.size != size {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "the server sent another range of the object, or of another object",
        )
        .with_expected(
            format_args!("{range:?} of {size}"),
            format_args!("{:?} of {}", result.range, result.meta.size),
        ));
    }
    result.into_stream().map_err(broken).try_collect().await
}

/// The error of a range that was answered with something else; none if it was not.
pub(crate) fn no_range(seen: Option<&Seen>) -> Option<Error> {
    let Some(Seen::Answered(Answered { status: 200..300, .. })) = seen else { return None };
    let what = "the server sent something else than the part of the object that was asked for: does it know ranges?";
    Some(Error::new(ErrorKind::Unavailable, what))
}

// The library's words hold addresses.
fn broken(_: object_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the object's bytes broke off")
}

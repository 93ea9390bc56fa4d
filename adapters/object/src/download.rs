//! Gets, and those of large objects in several ranges at a time.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use longshore_core::{ByteStream, Error, ErrorKind};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};

use crate::errors::{is_missing, meaning};
use crate::exchange::{Answered, Exchange, Seen};

/// The bytes of one request of a large object.
const PART: u64 = 8 * 1024 * 1024;
/// Ranges that are read at once. A part that is not at its turn yet is held in memory.
const AT_ONCE: usize = 4;
/// Smaller objects come down in one request.
const LARGE: u64 = 3 * PART;

/// The bytes of what a first answer began: all of it, or its first part and then the others, several at a time.
pub(crate) fn stream(store: &Arc<dyn ObjectStore>, path: &Path, first: GetResult) -> ByteStream {
    let (range, size) = (first.range.clone(), first.meta.size);
    let first = first.into_stream().map_err(broken);
    if range.end - range.start < LARGE {
        return first.boxed();
    }
    let mine = range.start + PART;
    let starts = (mine..range.end).step_by(usize::try_from(PART).unwrap_or(usize::MAX));
    let (store, path) = (Arc::clone(store), path.clone());
    let later = stream::iter(starts)
        .map(move |start| part(Arc::clone(&store), path.clone(), start..range.end.min(start + PART), size))
        .buffered(AT_ONCE)
        .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
        .try_flatten();
    upto(first.boxed(), PART).chain(later).boxed()
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

/// The first bytes of a stream; what comes after them is not read.
fn upto(stream: ByteStream, len: u64) -> ByteStream {
    stream::try_unfold((stream, len), |(mut stream, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut bytes) = stream.try_next().await? else { return Ok(None) };
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - bytes.len() as u64;
        Ok(Some((bytes, (stream, left))))
    })
    .boxed()
}

// The library's words hold addresses.
fn broken(_: object_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the object's bytes broke off")
}

//! Gets, and those of large objects in several ranges at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{self, FuturesOrdered, StreamExt, TryStreamExt};
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
    let parts = starts.map(move |start| part(Arc::clone(&store), path.clone(), start..end.min(start + PART), size));
    beside(first, Parts::new(parts))
}

/// The parts behind the beginning, in their order: a few under way at once, each of which gets on until it is whole.
struct Parts<I: Iterator<Item: Future>> {
    waiting: I,
    under_way: FuturesOrdered<I::Item>,
    /// Whole, and not at their turn yet.
    whole: VecDeque<Result<Vec<Bytes>, Error>>,
    /// What is left of the one at its turn.
    pieces: std::vec::IntoIter<Bytes>,
}

impl<I, F> Parts<I>
where
    I: Iterator<Item = F>,
    F: Future<Output = Result<Vec<Bytes>, Error>>,
{
    fn new(waiting: I) -> Self {
        Self { waiting, under_way: FuturesOrdered::new(), whole: VecDeque::new(), pieces: Vec::new().into_iter() }
    }

    /// Gets on with all that may be under way, also while another part or the beginning is read: a connection that nobody looks at
    /// stands still, and is given up.
    fn drive(&mut self, context: &mut Context<'_>) {
        loop {
            while self.under_way.len() + self.whole.len() < AT_ONCE
                && let Some(part) = self.waiting.next()
            {
                self.under_way.push_back(part);
            }
            match self.under_way.poll_next_unpin(context) {
                Poll::Ready(Some(part)) => self.whole.push_back(part),
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if let Some(piece) = self.pieces.next() {
                return Poll::Ready(Some(Ok(piece)));
            }
            match self.whole.pop_front() {
                Some(part) => self.pieces = part?.into_iter(),
                None if self.under_way.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
            // There is room for another one.
            self.drive(context);
        }
    }
}

/// The beginning and then the parts, which get on while it is read.
fn beside<I, F>(first: ByteStream, mut parts: Parts<I>) -> ByteStream
where
    I: Iterator<Item = F> + Send + 'static,
    F: Future<Output = Result<Vec<Bytes>, Error>> + Send + 'static,
{
    let (mut first, mut failed) = (first.fuse(), false);
    stream::poll_fn(move |context| {
        // What comes behind a hole is no part of the object.
        if failed {
            return Poll::Ready(None);
        }
        parts.drive(context);
        let next = match first.poll_next_unpin(context) {
            Poll::Ready(None) => parts.poll_next(context),
            next => next,
        };
        failed = matches!(next, Poll::Ready(Some(Err(_))));
        next
    })
    .boxed()
}

async fn part(
    store: Arc<dyn ObjectStore>,
    path: Path,
    range: std::ops::Range<u64>,
    size: u64,
) -> Result<Vec<Bytes>, Error> {
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Mutex;

    use futures::channel::mpsc;
    use futures::executor::block_on;
    use futures::future;

    use super::*;

    /// Which parts were begun, and which of them are whole.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<(Vec<usize>, Vec<usize>)>>);

    impl Seen {
        /// A part that comes bit by bit, and is whole after as many looks as its number says, and one.
        async fn part(self, number: usize) -> Result<Vec<Bytes>, Error> {
            self.0.lock().unwrap().0.push(number);
            for _ in 0..number {
                yield_now().await;
            }
            self.0.lock().unwrap().1.push(number);
            Ok(vec![Bytes::from(format!("<{number}")), Bytes::from_static(b">")])
        }

        fn counts(&self) -> (usize, usize) {
            let seen = self.0.lock().unwrap();
            (seen.0.len(), seen.1.len())
        }
    }

    /// Pending once, and to be looked at again at once.
    async fn yield_now() {
        let mut looked = false;
        future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut looked, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Of the beginning one byte comes, and then none for long: meanwhile all parts that may be under way become whole, and no
    /// others begin.
    #[test]
    fn parts_get_on_while_the_beginning_is_slow() {
        let seen = Seen::default();
        let (line, slow) = mpsc::unbounded();
        let parts = (0..6).map({
            let seen = seen.clone();
            move |number| seen.clone().part(number)
        });
        let mut object = pin!(beside(slow.map(Ok).boxed(), Parts::new(parts)));
        line.unbounded_send(Bytes::from_static(b"be")).unwrap();
        block_on(async {
            assert_eq!(object.next().await.unwrap().unwrap(), "be");
            for _ in 0..20 {
                assert!(future::poll_immediate(object.next()).await.is_none());
            }
            assert_eq!(seen.counts(), (AT_ONCE, AT_ONCE));
            line.unbounded_send(Bytes::from_static(b"gun")).unwrap();
            drop(line);
            let rest: Vec<Bytes> = object.try_collect().await.unwrap();
            assert_eq!(rest.concat(), b"gun<0><1><2><3><4><5>");
        });
        assert_eq!(seen.counts(), (6, 6));
    }

    /// So do those behind the part that is at its turn.
    #[test]
    fn parts_get_on_while_one_of_them_is_read() {
        let seen = Seen::default();
        let parts = (0..9).map({
            let seen = seen.clone();
            move |number| seen.clone().part(number)
        });
        let mut object = pin!(beside(stream::empty().boxed(), Parts::new(parts)));
        block_on(async {
            assert_eq!(object.next().await.unwrap().unwrap(), "<0");
            assert_eq!(seen.counts().0, AT_ONCE + 1, "that one makes room");
            let rest: Vec<Bytes> = object.try_collect().await.unwrap();
            assert_eq!(rest.concat(), b"><1><2><3><4><5><6><7><8>");
        });
    }

    #[test]
    fn a_part_that_fails_ends_the_object_at_its_turn() {
        let part = |number: u32| async move {
            let failed = || Error::new(ErrorKind::Unavailable, "the second");
            if number == 1 { Err(failed()) } else { Ok(vec![Bytes::from_static(b"x")]) }
        };
        let object = beside(stream::empty().boxed(), Parts::new((0..3).map(part)));
        let ended: Vec<_> = block_on(object.collect());
        assert_eq!(
            (ended.len(), ended[0].as_ref().unwrap()),
            (2, &Bytes::from_static(b"x")),
            "nothing comes behind a hole"
        );
        assert_eq!(ended[1].as_ref().unwrap_err().message(), "the second");
    }
}

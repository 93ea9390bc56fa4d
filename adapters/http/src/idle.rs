//! Bodies that tell when they move, and the watch over them.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::failure::{FailureKind, SendFailure};

/// When a byte last moved.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Mutex<Instant>>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The work's result, unless nothing moves for `idle`, or it ends after `end`.
    pub(crate) async fn watch<T>(
        &self,
        work: impl Future<Output = T>,
        idle: Duration,
        end: Option<Instant>,
    ) -> Result<T, SendFailure> {
        let mut work = std::pin::pin!(work);
        loop {
            let still = self.last() + idle;
            let until = end.map_or(still, |end| end.min(still));
            match select(work.as_mut(), std::pin::pin!(sleep_until(until))).await {
                Either::Left((value, _)) => return Ok(value),
                Either::Right(_) if end.is_some_and(|end| end <= Instant::now()) => {
                    return Err(SendFailure::new(FailureKind::OverBudget, ""));
                }
                Either::Right(_) if self.last() + idle <= Instant::now() => return Err(still_for(idle)),
                Either::Right(_) => {}
            }
        }
    }
}

fn still_for(idle: Duration) -> SendFailure {
    SendFailure::new(FailureKind::Idle, format!("nothing moved for {} s", idle.as_secs_f32()))
}

/// The most bytes that go up unseen: the connection takes a whole frame at once, and asks for the next when it is gone.
const PIECE: usize = 64 * 1024;

/// A body on its way up, in small pieces.
pub(crate) struct Outgoing<B> {
    body: B,
    /// What is left of a large frame.
    rest: Bytes,
    activity: Activity,
}

impl<B> Outgoing<B> {
    pub(crate) fn new(body: B, activity: Activity) -> Self {
        Self { body, rest: Bytes::new(), activity }
    }

    fn piece(&mut self) -> Frame<Bytes> {
        let len = self.rest.len().min(PIECE);
        Frame::data(self.rest.split_to(len))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.activity.moved();
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)?) else { return Poll::Ready(None) };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(bytes) => {
                self.rest = bytes;
                self.piece()
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, theirs) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(theirs.lower().saturating_add(rest));
        if let Some(upper) = theirs.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

/// A body on its way down. It ends with a [`SendFailure`] when the connection breaks, stands still or exceeds the budget.
pub struct Incoming {
    body: reqwest::Body,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    end: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(crate) fn new(body: reqwest::Body, idle: Duration, end: Option<Instant>) -> Self {
        Self { body, idle, timer: Box::pin(sleep(idle)), end: end.map(|end| Box::pin(sleep_until(end))) }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = SendFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendFailure>>> {
        let this = &mut *self;
        // Also of a body that always has more: its timer may get no turn, so the clock is asked.
        if let Some(end) = &mut this.end
            && (end.deadline() <= Instant::now() || end.as_mut().poll(context).is_ready())
        {
            return Poll::Ready(Some(Err(SendFailure::new(FailureKind::OverBudget, ""))));
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let next = Instant::now() + this.idle;
            this.timer.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| frame.map_err(SendFailure::from)));
        }
        ready!(this.timer.as_mut().poll(context));
        Poll::Ready(Some(Err(still_for(this.idle))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body without bytes.
///
/// ```
/// use http_body::Body as _;
///
/// assert_eq!(longshore_http::empty().size_hint().exact(), Some(0));
/// ```
pub fn empty() -> impl Body<Data = Bytes, Error = SendFailure> + Send + Sync + Unpin + 'static {
    Nothing
}

struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = SendFailure;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SendFailure>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream::{self, StreamExt as _};
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_large_frame_goes_up_in_pieces_that_are_each_seen() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut body = Outgoing::new(Full::new(Bytes::from(bytes.clone())), Activity::new());
        let mut sent = Vec::new();
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!((1..=PIECE).contains(&piece.len()));
            sent.extend_from_slice(&piece);
            assert_eq!(body.size_hint().exact(), Some((bytes.len() - sent.len()) as u64));
            assert_eq!(body.is_end_stream(), sent.len() == bytes.len());
        }
        assert_eq!(sent, bytes);
    }

    /// An hour up, and an hour down, with a byte every 59 seconds.
    #[tokio::test(start_paused = true)]
    async fn what_moves_is_never_too_slow() {
        let activity = Activity::new();
        let work = async {
            for _ in 0..60 {
                sleep(Duration::from_secs(59)).await;
                activity.moved();
            }
        };
        activity.watch(work, IDLE, None).await.unwrap();
        assert_eq!(down(Duration::from_secs(59), None).await.unwrap().len(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_still_ends_when_its_time_is_up() {
        let before = Instant::now();
        let failure = Activity::new().watch(std::future::pending::<()>(), IDLE, None).await.unwrap_err();
        assert_eq!((failure.kind(), before.elapsed()), (FailureKind::Idle, IDLE));
        let before = Instant::now();
        let failure = down(Duration::from_secs(61), None).await.unwrap_err();
        assert_eq!((failure.kind(), before.elapsed()), (FailureKind::Idle, IDLE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_ends_also_what_moves() {
        let (before, budget) = (Instant::now(), Duration::from_secs(100));
        let failure = down(Duration::from_secs(7), Some(before + budget)).await.unwrap_err();
        assert_eq!((failure.kind(), before.elapsed()), (FailureKind::OverBudget, budget));
        let activity = Activity::new();
        let work = async {
            loop {
                sleep(Duration::from_secs(7)).await;
                activity.moved();
            }
        };
        let (before, end) = (Instant::now(), Instant::now() + budget);
        let failure = activity.watch(work, IDLE, Some(end)).await.unwrap_err();
        assert_eq!((failure.kind(), before.elapsed()), (FailureKind::OverBudget, budget));
    }

    /// The bytes are all there, and whoever reads them takes an hour.
    #[tokio::test(start_paused = true)]
    async fn a_budget_ends_a_body_that_always_has_more() {
        let (before, budget) = (Instant::now(), Duration::from_secs(100));
        let bytes = stream::iter((0..60).map(|_| Ok::<_, std::io::Error>(Bytes::from("b"))));
        let mut body = Incoming::new(reqwest::Body::wrap_stream(bytes), IDLE, Some(before + budget));
        let mut frames = 0;
        let failure = loop {
            match body.frame().await {
                Some(Ok(_)) => frames += 1,
                Some(Err(failure)) => break failure,
                None => panic!("it was read to its end, in {:?}", before.elapsed()),
            }
            tokio::time::advance(Duration::from_secs(60)).await;
        };
        assert_eq!((failure.kind(), frames), (FailureKind::OverBudget, 2));
    }

    /// Sixty bytes on their way down, each after a pause.
    async fn down(pause: Duration, end: Option<Instant>) -> Result<Bytes, SendFailure> {
        let bytes = stream::iter(0..60).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, std::io::Error>(Bytes::from("b"))
        });
        let body = Incoming::new(reqwest::Body::wrap_stream(bytes), IDLE, end);
        Ok(body.collect().await?.to_bytes())
    }
}

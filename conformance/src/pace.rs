//! How fast the calls of a run may come, all its clients together; and how many came.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{Runtime, Server, Storage, Ticks};
use tokio::sync::watch;

use crate::around::{Around, Wrapped};
use crate::release::{Last, Releases};

/// The deadlines of cases are meant for stores that bear so many calls a second, and are longer in proportion for slower ones.
const USUAL: u32 = 200;

/// Gives every call of a run its turn.
pub(crate) struct Pace {
    /// Calls come in real time, whatever clock a case has.
    runtime: Arc<dyn Runtime>,
    began: Ticks,
    /// Calls a second; none if they come as they like.
    rate: Option<u32>,
    /// When the next call may come, in microseconds since `began`.
    next: Mutex<u64>,
    calls: watch::Sender<u64>,
}

impl Pace {
    pub(crate) fn new(rate: Option<u32>, runtime: Arc<dyn Runtime>) -> Arc<Self> {
        let began = runtime.now();
        Arc::new(Self { runtime, began, rate, next: Mutex::default(), calls: watch::Sender::new(0) })
    }

    /// This storage, whose calls wait for their turn; how it is dropped is told to `releases`.
    pub(crate) fn storage(self: &Arc<Self>, inner: Arc<dyn Storage>, releases: &Releases) -> Arc<dyn Storage> {
        let last = releases.last(&inner, "storage");
        Arc::new(Wrapped { inner, around: Turns { pace: Arc::clone(self), _last: last } })
    }

    /// This server, whose calls wait for their turn; how it is dropped is told to `releases`.
    pub(crate) fn server(self: &Arc<Self>, inner: Arc<dyn Server>, releases: &Releases) -> Arc<dyn Server> {
        let last = releases.last(&inner, "server");
        Arc::new(Wrapped { inner, around: Turns { pace: Arc::clone(self), _last: last } })
    }

    /// Comes back when the next call may be made.
    pub(crate) async fn turn(&self) {
        let wait = self.book();
        if !wait.is_zero() {
            self.runtime.sleep(wait).await;
        }
        self.calls.send_modify(|calls| *calls += 1);
    }

    #[cfg(test)]
    pub(crate) fn rate(&self) -> Option<u32> {
        self.rate
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> u64 {
        *self.calls.borrow()
    }

    /// Comes back when so many calls were made.
    pub(crate) async fn reaches(&self, calls: u64) {
        // It ends with the sender only, which lives as long as this.
        drop(self.calls.subscribe().wait_for(|made| *made >= calls).await);
    }

    /// What a case may take that may take so long over a store of the usual pace.
    pub(crate) fn stretch(&self, deadline: Duration) -> Duration {
        match self.rate {
            Some(rate) if rate < USUAL => deadline * USUAL / rate,
            _ => deadline,
        }
    }

    /// Takes the next free moment, and says how far away it is.
    fn book(&self) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let now = u64::try_from(self.runtime.now().since(self.began).as_micros()).unwrap_or(u64::MAX);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = now.max(*next);
        *next = at.saturating_add(1_000_000_u64.div_ceil(u64::from(rate)));
        Duration::from_micros(at - now)
    }
}

/// Each call of a client waits for its turn. Whoever wraps the client so holds it to the last.
#[derive(Debug)]
struct Turns<C: ?Sized> {
    pace: Arc<Pace>,
    _last: Last<C>,
}

impl<C: fmt::Debug + ?Sized + Send + Sync + 'static> Around for Turns<C> {
    async fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        self.pace.turn().await;
        call.await
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("rate", &self.rate).field("calls", &self.calls()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::clock::VirtualClock;

    fn pace(rate: Option<u32>) -> (Arc<Pace>, VirtualClock) {
        let clock = VirtualClock::new();
        (Pace::new(rate, clock.runtime()), clock)
    }

    #[tokio::test]
    async fn calls_come_evenly_however_they_are_made() {
        let (pace, clock) = pace(Some(5));
        let before = clock.millis();
        for _ in 0..11 {
            pace.turn().await;
        }
        // The first comes at once.
        assert_eq!(clock.millis() - before, 2_000);
        assert_eq!(pace.calls(), 11);
    }

    #[test]
    fn many_at_once_wait_one_behind_the_other() {
        let (pace, _clock) = pace(Some(1_000));
        let waits: Vec<Duration> = (0..4).map(|_| pace.book()).collect();
        assert_eq!(waits, [0, 1, 2, 3].map(Duration::from_millis));
    }

    #[test]
    fn a_pause_saves_nothing_up() {
        let (pace, clock) = pace(Some(10));
        pace.book();
        clock.advance(Duration::from_secs(60));
        assert_eq!([pace.book(), pace.book()], [Duration::ZERO, Duration::from_millis(100)]);
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let (pace, clock) = pace(None);
        let before = clock.millis();
        (0..1_000).for_each(|_| pace.turn().now_or_never().unwrap());
        assert_eq!((clock.millis(), pace.calls()), (before, 1_000));
    }

    #[test]
    fn a_call_count_is_waited_for() {
        let (pace, _clock) = pace(None);
        let mut third = pace.reaches(3).boxed();
        for made in 0..3 {
            assert!((&mut third).now_or_never().is_none(), "after {made} calls");
            pace.turn().now_or_never().unwrap();
        }
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn a_slow_store_has_longer_deadlines() {
        let two_minutes = Duration::from_secs(120);
        let stretched = |rate| pace(rate).0.stretch(two_minutes);
        assert_eq!(stretched(None), two_minutes);
        assert_eq!(stretched(Some(1_000)), two_minutes);
        assert_eq!(stretched(Some(20)), two_minutes * 10);
    }
}

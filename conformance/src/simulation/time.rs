//! Virtual time, and an executor that decides by seed whose turn it is.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::dice::Dice;

/// Polls after which a history counts as one that never ends.
const MOST_POLLS: u64 = 5_000_000;

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one clock of a history, in milliseconds, and whoever waits for it.
#[derive(Clone)]
pub(super) struct Time(Arc<Mutex<Inner>>);

struct Inner {
    now: u64,
    dice: Dice,
    timers: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

pub(super) type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Running<'a> {
    task: Task<'a>,
    ready: Arc<Flag>,
    waker: Waker,
}

impl Time {
    pub(super) fn new(seed: u64) -> Self {
        let inner = Inner { now: 1_000_000_000, dice: Dice::new(seed), timers: BTreeMap::new(), next: 0 };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(super) fn now(&self) -> u64 {
        lock(&self.0).now
    }

    /// Waits until the clock shows this.
    pub(super) fn until(&self, at: u64) -> Sleep {
        Sleep { time: self.clone(), at, timer: None }
    }

    pub(super) async fn sleep(&self, millis: u64) {
        self.until(self.now().saturating_add(millis)).await;
    }

    /// Moves the clock to the next timer; false if nobody waits for it.
    fn skip(&self) -> bool {
        let mut inner = lock(&self.0);
        let Some(((at, _), first)) = inner.timers.pop_first() else {
            return false;
        };
        inner.now = inner.now.max(at);
        first.wake();
        while inner.timers.first_key_value().is_some_and(|((next, _), _)| *next <= at) {
            if let Some((_, waker)) = inner.timers.pop_first() {
                waker.wake();
            }
        }
        true
    }

    /// Runs all tasks to their ends, unless `stop` says so before. An error says why they do not end.
    pub(super) fn run(&self, tasks: Vec<Task<'_>>, stop: impl Fn() -> bool) -> Result<(), &'static str> {
        let mut running: Vec<Running<'_>> = tasks.into_iter().map(Running::new).collect();
        let mut polls = 0;
        let mut ready = Vec::new();
        while !running.is_empty() && !stop() {
            ready.clear();
            ready.extend((0..running.len()).filter(|at| running[*at].ready.0.load(Ordering::Relaxed)));
            if ready.is_empty() {
                if !self.skip() {
                    return Err("everybody waits for something that never comes");
                }
                continue;
            }
            polls += 1;
            if polls > MOST_POLLS {
                return Err("it never comes to an end");
            }
            let at = if ready.len() == 1 { ready[0] } else { ready[lock(&self.0).dice.index(ready.len())] };
            if running[at].poll() {
                drop(running.remove(at));
            }
        }
        Ok(())
    }
}

impl<'a> Running<'a> {
    fn new(task: Task<'a>) -> Self {
        let ready = Arc::new(Flag(AtomicBool::new(true)));
        Self { task, waker: Waker::from(Arc::clone(&ready)), ready }
    }

    fn poll(&mut self) -> bool {
        self.ready.0.store(false, Ordering::Relaxed);
        self.task.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A wait. Dropped, it leaves no timer behind, so that a killed process does not move the clock.
pub(super) struct Sleep {
    time: Time,
    at: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut inner = lock(&time.0);
        if let Some(timer) = self.timer.take() {
            inner.timers.remove(&timer);
        }
        if inner.now >= self.at {
            return Poll::Ready(());
        }
        let timer = (self.at, inner.next);
        inner.next += 1;
        inner.timers.insert(timer, context.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            lock(&self.time.0).timers.remove(&timer);
        }
    }
}

/// Lets whoever else is ready go first, now and then.
pub(super) async fn let_others_run() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

//! Virtual time and an executor that decides by seed whose turn it is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use longshore_core::{Job, Result, Runtime, Ticks};

/// `SplitMix64`: small, seeded, good enough to choose by.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// So many words of random hexadecimal digits: text that does not compress to nothing.
    pub fn text(&mut self, words: usize) -> String {
        (0..words).fold(String::new(), |text, _| text + &format!("{:016x}", self.next()))
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

struct Shared {
    now: u64,
    rng: Rng,
    timers: Vec<(u64, Waker)>,
    boot: String,
}

/// The clock, the dice and the executor of one run.
#[derive(Clone)]
pub struct Sim(Arc<Mutex<Shared>>);

impl Sim {
    pub fn new(seed: u64) -> Self {
        let shared = Shared { now: 1_000_000, rng: Rng::new(seed), timers: Vec::new(), boot: "boot".to_owned() };
        Self(Arc::new(Mutex::new(shared)))
    }

    pub fn millis(&self) -> u64 {
        self.0.lock().unwrap().now
    }

    pub fn advance(&self, time: Duration) {
        self.0.lock().unwrap().now += u64::try_from(time.as_millis()).unwrap();
    }

    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// Moves the clock to the next timer; false if there is none.
    fn skip(&self) -> bool {
        let mut shared = self.0.lock().unwrap();
        let Some(next) = shared.timers.iter().map(|(at, _)| *at).min() else {
            return false;
        };
        shared.now = shared.now.max(next);
        let now = shared.now;
        let (due, later) = std::mem::take(&mut shared.timers).into_iter().partition(|(at, _)| *at <= now);
        shared.timers = later;
        drop(shared);
        let due: Vec<(u64, Waker)> = due;
        for (_, waker) in due {
            waker.wake();
        }
        true
    }

    /// Runs one future to its end, or until `stop` says so after a poll: then it is dropped, as a killed process is.
    pub fn run<T>(&self, future: impl Future<Output = T>, mut stop: impl FnMut() -> bool) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        loop {
            flag.0.store(false, Ordering::SeqCst);
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(value);
            }
            if stop() {
                return None;
            }
            if !flag.0.load(Ordering::SeqCst) {
                assert!(self.skip(), "the future waits for nothing");
            }
        }
    }

    /// Runs several futures at once; dice decide who is polled next. A future whose `stop` says so is dropped.
    pub fn run_all<'a>(&self, tasks: Vec<(Task<'a>, Box<dyn Fn() -> bool + 'a>)>) {
        let mut running: Vec<_> =
            tasks.into_iter().map(|(task, stop)| (task, stop, Arc::new(Flag(AtomicBool::new(true))))).collect();
        while !running.is_empty() {
            let ready: Vec<usize> = (0..running.len()).filter(|at| running[*at].2.0.load(Ordering::SeqCst)).collect();
            if ready.is_empty() {
                assert!(self.skip(), "all futures wait for nothing");
                continue;
            }
            let at = ready[self.0.lock().unwrap().rng.below(ready.len())];
            let (task, stop, flag) = &mut running[at];
            flag.0.store(false, Ordering::SeqCst);
            let waker = Waker::from(flag.clone());
            let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            if done || stop() {
                drop(running.remove(at));
            }
        }
    }
}

pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

#[async_trait]
impl Runtime for Sim {
    fn now(&self) -> Ticks {
        Ticks::from_millis(self.millis())
    }

    fn boot(&self) -> String {
        self.0.lock().unwrap().boot.clone()
    }

    fn wall(&self) -> u64 {
        // Wrong on purpose: nothing may depend on it.
        1_700_000_000_000 + self.millis() * 3
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        let mut shared = self.0.lock().unwrap();
        for byte in bytes {
            *byte = shared.rng.next().to_le_bytes()[0];
        }
        Ok(())
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now().after(time).as_millis();
        std::future::poll_fn(|context| {
            let mut shared = self.0.lock().unwrap();
            if shared.now >= until {
                return Poll::Ready(());
            }
            shared.timers.push((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn offload(&self, job: Job) {
        job();
    }
}

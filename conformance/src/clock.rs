//! The runtime that cases give to servers and clients: its waits take no time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longshore_core::{Job, Result, Runtime, Ticks, TokioRuntime};

/// Virtual time that several clients share. A wait moves it on at once, so a lease of a minute expires in microseconds.
///
/// Input and output stay real: only waiting is virtual.
///
/// ```
/// use std::time::Duration;
/// use longshore_conformance::clock::VirtualClock;
/// use longshore_core::Runtime;
///
/// let clock = VirtualClock::new();
/// let runtime = clock.runtime();
/// let before = runtime.now();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(runtime.now().since(before), Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    /// A clock of its own.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_000_000)))
    }

    /// Moves the time on for everybody.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2), Ordering::SeqCst);
    }

    /// Milliseconds since the clock's origin.
    pub fn millis(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// A machine's view of it, whose wall clock is right.
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        self.runtime_off_by(0)
    }

    /// A machine's view of it, whose wall clock is off by so many milliseconds.
    pub fn runtime_off_by(&self, millis: i64) -> Arc<dyn Runtime> {
        Arc::new(Machine { clock: self.clone(), off: millis, boot: Mutex::new("boot-1".to_owned()) })
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualClock({} ms)", self.millis())
    }
}

#[derive(Debug)]
struct Machine {
    clock: VirtualClock,
    off: i64,
    boot: Mutex<String>,
}

#[async_trait]
impl Runtime for Machine {
    fn now(&self) -> Ticks {
        Ticks::from_millis(self.clock.millis())
    }

    fn boot(&self) -> String {
        self.boot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wall(&self) -> u64 {
        TokioRuntime.wall().saturating_add_signed(self.off)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        TokioRuntime.random(bytes)
    }

    async fn sleep(&self, time: Duration) {
        self.clock.advance(time);
        // Whoever else is ready goes first, as in a real wait.
        tokio::task::yield_now().await;
    }

    /// Done here and now: a thread would be ready after one poll or after two, and a case that drops a call at its poll number 7 would
    /// not meet the same place each time.
    fn offload(&self, job: Job) {
        job();
    }
}

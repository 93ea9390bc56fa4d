//! What the engine takes from outside: time, randomness, waiting and threads. A simulation brings its own.

#[cfg(feature = "tokio")]
mod platform;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(feature = "tokio")]
pub use tokio::TokioRuntime;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{ClientId, Nonce, StoreId};

/// A point on a clock that only runs forward and counts the time a machine spends asleep.
///
/// It compares only within one boot of one machine: [`Runtime::boot`] tells boots apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticks(u64);

impl Ticks {
    /// That many milliseconds after the clock's origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's origin.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The point that much later.
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A job to run off the async threads.
pub type Job = Box<dyn FnOnce() + Send>;

/// Time, randomness, waiting and threads.
#[async_trait]
pub trait Runtime: fmt::Debug + Send + Sync {
    /// Now, on a clock that only runs forward and counts suspension.
    fn now(&self) -> Ticks;

    /// Which boot of the machine [`now`](Self::now) counts in: another text after a restart.
    fn boot(&self) -> String;

    /// The wall clock, in milliseconds since 1970. For display and for doubt only: no decision rests on it.
    fn wall(&self) -> u64;

    /// Fills the bytes with randomness that no other machine repeats.
    fn random(&self, bytes: &mut [u8]) -> Result<()>;

    /// Waits.
    async fn sleep(&self, time: Duration);

    /// Runs a job that computes for long, where it blocks nothing else.
    fn offload(&self, job: Job);
}

const _: fn(&dyn Runtime) = |_| {};

pub(crate) fn random_bytes<const N: usize>(runtime: &dyn Runtime) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    runtime.random(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn new_client_id(runtime: &dyn Runtime) -> Result<ClientId> {
    random_bytes(runtime).map(ClientId::from_bytes)
}

pub(crate) fn new_nonce(runtime: &dyn Runtime) -> Result<Nonce> {
    random_bytes(runtime).map(Nonce::from_bytes)
}

pub(crate) fn new_store_id(runtime: &dyn Runtime) -> Result<StoreId> {
    random_bytes(runtime).map(StoreId::from_bytes)
}

/// A duration between half of `time` and all of it: many that wait the same do not come back at once.
pub(crate) fn jittered(runtime: &dyn Runtime, time: Duration) -> Duration {
    let half = time / 2;
    let share = random_bytes::<4>(runtime).map_or(0, u32::from_le_bytes);
    half + half.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

/// Runs a computation off the async threads and gives back what it computes.
pub(crate) async fn compute<T: Send + 'static>(
    runtime: &dyn Runtime,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (send, receive) = oneshot::channel();
    runtime.offload(Box::new(move || {
        // Nobody waits any more if the future was dropped.
        drop(send.send(job()));
    }));
    receive.await.map_err(|_| Error::new(ErrorKind::Internal, "the runtime dropped a job"))
}

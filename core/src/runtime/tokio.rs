//! A runtime on tokio and the operating system's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{Job, Runtime, Ticks};
use crate::error::{Error, ErrorKind, Result};

/// The runtime for real programs. Its futures need a tokio runtime with time enabled.
///
/// ```
/// use longshore_core::{Runtime, TokioRuntime};
///
/// let earlier = TokioRuntime.now();
/// assert!(TokioRuntime.now() >= earlier);
/// assert_eq!(TokioRuntime.boot(), TokioRuntime.boot());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioRuntime;

#[async_trait]
impl Runtime for TokioRuntime {
    fn now(&self) -> Ticks {
        platform::now()
    }

    fn boot(&self) -> String {
        platform::boot()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the wall clock enters")]
    fn wall(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(|error| {
            Error::new(ErrorKind::Internal, "the system gives no randomness").with_source(error.to_string())
        })
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn offload(&self, job: Job) {
        drop(tokio::task::spawn_blocking(job));
    }
}

#[cfg(unix)]
mod platform {
    use super::Ticks;
    use rustix::time::{ClockId, clock_gettime};

    // Linux counts suspension in CLOCK_BOOTTIME only; Apple's and the BSDs' CLOCK_MONOTONIC counts it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::Monotonic;

    pub(super) fn now() -> Ticks {
        let time = clock_gettime(CLOCK);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Ticks::from_millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn boot() -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        if id.trim().is_empty() { super::per_process_boot() } else { id.trim().to_owned() }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn boot() -> String {
        super::per_process_boot()
    }
}

#[cfg(not(unix))]
mod platform {
    use super::Ticks;
    use std::sync::OnceLock;

    // Windows' performance counter, which `Instant` reads, counts suspension.
    #[expect(clippy::disallowed_types, reason = "this is where the clock enters")]
    pub(super) fn now() -> Ticks {
        static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
        let since = ORIGIN.get_or_init(std::time::Instant::now).elapsed();
        Ticks::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn boot() -> String {
        super::per_process_boot()
    }
}

/// Where the system names no boot, each process counts as one: a watcher then starts to look anew, which only delays.
fn per_process_boot() -> String {
    static ID: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ID.get_or_init(|| {
        let mut bytes = [0; 16];
        // Without randomness the process id must do; it only ever makes a watcher wait for longer.
        if getrandom::fill(&mut bytes).is_err() {
            return std::process::id().to_string();
        }
        crate::model::Nonce::from_bytes(bytes).to_string()
    })
    .clone()
}

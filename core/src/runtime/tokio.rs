//! A runtime on tokio and the operating system's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{Job, Runtime, Ticks, platform};
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

    #[expect(clippy::disallowed_methods, reason = "this is where randomness enters")]
    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(|error| {
            Error::new(ErrorKind::Internal, "the system gives no randomness").with_source(error.to_string())
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is where waiting enters")]
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[expect(clippy::disallowed_methods, reason = "this is where threads enter")]
    fn offload(&self, job: Job) {
        drop(tokio::task::spawn_blocking(job));
    }
}

//! A limit of our own on the rate of requests: a token bucket.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{Error, ErrorKind, Outcome, Result};
use tokio::time::{Instant, sleep_until};

/// The longest wait for our turn; beyond it the caller is told when to come again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is longer is as good as never, and clocks count so far.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A bucket that holds `requests` tokens, and gets them back evenly.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Time in which one token comes back.
    each: Duration,
    /// Time in which all come back.
    whole: Duration,
    /// When the bucket is full again; never less than what was taken out of it.
    full_at: Mutex<Instant>,
}

impl Throttle {
    pub(crate) fn new(requests: u32, per: Duration) -> Self {
        let per = per.min(LONGEST);
        Self { each: per / requests.max(1), whole: per, full_at: Mutex::new(Instant::now()) }
    }

    /// Takes a token, and waits for it if need be.
    ///
    /// Errors: `Unavailable`, throttled, with the time until there is one.
    pub(crate) async fn take(&self) -> Result<()> {
        let turn = self.turn()?;
        sleep_until(turn).await;
        Ok(())
    }

    /// When the next token is there; it is taken then.
    fn turn(&self) -> Result<Instant> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*full_at).max(now) + self.each;
        let turn = next.checked_sub(self.whole).map_or(now, |turn| turn.max(now));
        let wait = turn - now;
        if wait > PATIENCE {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("the limit that was set for requests is used up for {} s", wait.as_secs()),
            )
            .with_outcome(Outcome::NotApplied)
            .with_throttled()
            .with_retry_after(wait));
        }
        *full_at = next;
        Ok(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_then_one_by_one() {
        let throttle = Throttle::new(4, Duration::from_secs(40));
        let begin = Instant::now();
        for _ in 0..4 {
            throttle.take().await.unwrap();
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
        throttle.take().await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_for_long_is_told_until_when() {
        let throttle = Throttle::new(1, Duration::from_secs(1800));
        throttle.take().await.unwrap();
        let error = throttle.take().await.unwrap_err();
        assert!(error.throttled());
        assert_eq!((error.outcome(), error.retry_after()), (Outcome::NotApplied, Some(Duration::from_secs(1800))));
        tokio::time::sleep(Duration::from_secs(1800)).await;
        throttle.take().await.unwrap();
    }
}

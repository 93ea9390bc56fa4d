//! Storages that say more of themselves than is true, and clocks that are wrong.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload,
    Reply, Result, ServerTime, Storage as _,
};

use super::broken;
use super::hooked::hooked;
use crate::broken::runs::Broken;
use crate::broken::wrong::{Wrong, now, pause, server};

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "it says that its create is not atomic",
            hooked!(claims: |claims| claims.with_atomic_create(false)),
            &["storage::claims::create_is_atomic"],
        ),
        broken(
            "it says that it bears more calls than it does",
            || server(Busy::new),
            &["storage::claims::that_many_calls_at_once_are_borne"],
        ),
        broken(
            "the clock runs backwards",
            || server(|right| Clock::new(right, Wrongly::Backwards)),
            &["storage::time::never_runs_backwards"],
        ),
        broken(
            "two machines' clocks differ by a minute",
            || server(|right| Clock::new(right, Wrongly::Two)),
            &["storage::time::never_runs_backwards"],
        ),
        broken(
            "the clock stands still",
            || server(|right| Clock::new(right, Wrongly::Frozen)),
            &["storage::time::passes_as_ours_does"],
        ),
        broken(
            "the clock counts seconds",
            || server(|right| Clock::new(right, Wrongly::Seconds)),
            &["storage::time::passes_as_ours_does"],
        ),
        broken(
            "the clock counts microseconds",
            || server(|right| Clock::new(right, Wrongly::Microseconds)),
            &["storage::time::passes_as_ours_does"],
        ),
        broken(
            "nothing found carries no time",
            || server(|right| Clock::new(right, Wrongly::NoneOfNothing)),
            &["storage::time::reads_carry_it"],
        ),
        broken(
            "listings carry no time",
            || server(|right| Clock::new(right, Wrongly::NoneOfLists)),
            &["storage::time::reads_carry_it"],
        ),
    ]
}

/// Refuses more than four calls at once.
#[derive(Debug)]
struct Busy(MemoryStorage, AtomicUsize);

impl Busy {
    fn new(right: MemoryStorage) -> Self {
        Self(right, AtomicUsize::new(0))
    }

    async fn enter(&self) -> Result<()> {
        let others = self.1.fetch_add(1, Ordering::SeqCst);
        pause().await;
        self.1.fetch_sub(1, Ordering::SeqCst);
        if others < 4 { Ok(()) } else { Err(Error::new(ErrorKind::Unavailable, "429").with_throttled()) }
    }
}

#[async_trait]
impl Wrong for Busy {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.enter().await?;
        self.0.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.enter().await?;
        self.0.put(key, payload).await
    }
}

#[derive(Debug, PartialEq)]
enum Wrongly {
    Backwards,
    Two,
    Frozen,
    Seconds,
    Microseconds,
    NoneOfNothing,
    NoneOfLists,
}

#[derive(Debug)]
struct Clock {
    right: MemoryStorage,
    wrongly: Wrongly,
    calls: AtomicU64,
}

impl Clock {
    fn new(right: MemoryStorage, wrongly: Wrongly) -> Self {
        Self { right, wrongly, calls: AtomicU64::new(0) }
    }

    fn time(&self) -> ServerTime {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst);
        let now = now().as_millis();
        let seen = match self.wrongly {
            Wrongly::Backwards => now - 300 * calls,
            Wrongly::Two => now + 60_000 * (calls / 3 % 2),
            Wrongly::Frozen => 1_700_000_000_000,
            Wrongly::Seconds => now / 1_000,
            Wrongly::Microseconds => now * 1_000,
            Wrongly::NoneOfNothing | Wrongly::NoneOfLists => now,
        };
        ServerTime::from_millis(seen)
    }
}

#[async_trait]
impl Wrong for Clock {
    fn right(&self) -> &MemoryStorage {
        &self.right
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_read_time(true)
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let mut reply = self.right.get(key, range).await?;
        reply.time = Some(self.time());
        if self.wrongly == Wrongly::NoneOfNothing && reply.value.is_none() {
            reply.time = None;
        }
        Ok(reply)
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut reply = self.right.list(folder, after).await?;
        reply.time = Some(self.time()).filter(|_| self.wrongly != Wrongly::NoneOfLists);
        Ok(reply)
    }
}

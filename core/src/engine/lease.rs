//! When a client takes the lease, keeps it, and gives it back. No rule of safety rests on it.

use std::time::Duration;

use super::open::Reading;
use super::options::LockPolicy;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::jittered;
use crate::server::{Held, Lease, LockRequest, Locked};

/// How long a sync waits beyond the holder's time-to-live.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a waiting sync looks whether the lease was given back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Under [`LockPolicy::Always`]: takes the lease and polls anew under it. Only an initialised store has a lease to take, so
    /// the store is opened before.
    pub(super) async fn lock_if_always(&mut self, first: Vec<Reading>) -> Result<Vec<Reading>> {
        if self.client.lock_policy != LockPolicy::Always {
            return Ok(first);
        }
        self.lease = Some(self.wait_for_lease("sync").await?);
        self.poll().await
    }

    /// Under contention: one at a time makes progress. Whoever cannot have the lease goes on without.
    pub(super) async fn lock_for_progress(&mut self) {
        if self.lease.is_some() {
            return;
        }
        match self.wait_for_lease("push under contention").await {
            Ok(lease) => self.lease = Some(lease),
            // A store that is really gone says so at the next poll. One whose lease is damaged or denied still has its log.
            Err(error) => tracing::warn!(%error, "going on without the lease"),
        }
    }

    async fn wait_for_lease(&mut self, purpose: &str) -> Result<Lease> {
        let started = self.now();
        loop {
            let request = LockRequest::new(purpose).with_sighting(self.state.sighting.clone());
            let held = match self.client.server.lock(&request).await? {
                Locked::Granted(lease) => return Ok(lease),
                Locked::Held(held) => held,
            };
            self.remember_sighting(&held).await?;
            if self.now().since(started) > held.ttl + PATIENCE {
                let what = format!("another client holds the lease for: {}", held.purpose);
                return Err(Error::new(ErrorKind::Locked, what)
                    .with_operation("lock")
                    .with_retry_after(held.remaining));
            }
            let pause = jittered(&*self.client.runtime, LOOK_EVERY).min(held.remaining);
            self.client.runtime.sleep(pause).await;
        }
    }

    /// A process that is restarted often must still see a dead holder's lease run out.
    async fn remember_sighting(&mut self, held: &Held) -> Result<()> {
        if self.state.sighting.as_ref() == Some(&held.sighting) {
            return Ok(());
        }
        self.state.sighting = Some(held.sighting.clone());
        self.save().await
    }

    /// Renews the lease once half its time is over. A lost one is let go: the log keeps data safe without.
    pub(super) async fn keep_lease(&mut self) {
        let Some(lease) = &self.lease else {
            return;
        };
        let left = lease.until.since(self.now());
        if left > lease.ttl / 2 {
            return;
        }
        self.lease = match self.client.server.renew(lease).await {
            Ok(lease) => Some(lease),
            Err(error) => {
                tracing::warn!(%error, "going on without the lease");
                None
            }
        };
    }

    /// Gives the lease back. Failing that, it runs out by itself.
    pub(super) async fn unlock(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        if let Err(error) = self.client.server.unlock(&lease).await {
            tracing::debug!(%error, "the lease was not given back");
        }
    }
}

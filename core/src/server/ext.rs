//! Convenience over any server.

use async_trait::async_trait;
use futures::stream::{self, StreamExt};

use super::{Author, LockRequest, Locked, Server, Tip, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Change;
use crate::runtime::{Runtime, jittered};
use crate::server::Lease;
use crate::storage::Reply;

/// Calls made of a server's own.
#[async_trait]
pub trait ServerExt: Server {
    /// Commits changes as the entry after `after`, or says that its number is taken: the specification's `ChangesWrite`.
    ///
    /// For tools and tests. An app's changes go through a [`Client`](crate::Client), which journals the entry first: without
    /// that, an error with outcome `Unknown` leaves a question that nobody can answer later.
    async fn commit(&self, after: &Tip, author: &Author, changes: Vec<Change>) -> Result<Reply<Written>> {
        let staged = self.put(after.number(), stream::iter(changes.into_iter().map(Ok)).boxed()).await?;
        let entry = self.prepare(after, author, &staged)?;
        self.changes_write(&entry).await
    }

    /// Waits for the lease, at most `patience` longer than the holder's time-to-live; then `Locked`.
    async fn lock_or_wait(
        &self,
        runtime: &dyn Runtime,
        mut request: LockRequest,
        patience: std::time::Duration,
    ) -> Result<Lease> {
        let started = runtime.now();
        loop {
            let held = match self.lock(&request).await? {
                Locked::Granted(lease) => return Ok(lease),
                Locked::Held(held) => held,
            };
            if runtime.now().since(started) > patience + held.ttl {
                let what = format!("somebody else holds the lease for: {}", held.purpose);
                return Err(Error::new(ErrorKind::Locked, what)
                    .with_operation("lock")
                    .with_retry_after(held.remaining));
            }
            request.sighting = Some(held.sighting);
            // A release may come any time: look about every second, and right when the lease would be stale.
            let pause = jittered(runtime, std::time::Duration::from_secs(1)).min(held.remaining);
            runtime.sleep(pause).await;
        }
    }
}

impl<S: Server + ?Sized> ServerExt for S {}

//! Whether the root collection is there: a missing one is an error, never an empty store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;

use crate::client::{Ask, Client};
use crate::place::Place;

/// What is known of the root.
#[derive(Debug, Default)]
pub(crate) struct Root {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Something of it was seen.
    seen: bool,
    /// Reads that may yet show something.
    awaited: usize,
}

/// A read under way that may show the root.
pub(crate) struct Awaited<'a>(&'a Root);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.state().awaited -= 1;
        self.0.changed.notify_waiters();
    }
}

impl Root {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something below the root was seen.
    pub(crate) fn seen(&self) {
        self.state().seen = true;
    }

    /// Counts a read until its answer is there.
    pub(crate) fn awaited(&self) -> Awaited<'_> {
        self.state().awaited += 1;
        Awaited(self)
    }
}

impl Client {
    /// Fails if the root is missing: asked when something below it was not found. Another read that is under way may show it;
    /// only if none does, the server is asked.
    pub(crate) async fn check_root(&self) -> Result<()> {
        loop {
            let changed = self.root.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.root.state();
                if state.seen {
                    return Ok(());
                }
                if state.awaited == 0 {
                    break;
                }
            }
            changed.await;
        }
        let ask = Ask::new("PROPFIND", self.collection(&Place::root())).with("depth", "0");
        let answer = self.send(ask).await?;
        match answer.status {
            207 => {
                self.root.seen();
                answer.finish().await;
                Ok(())
            }
            404 | 409 | 410 => Err(missing()),
            _ => Err(answer.error()),
        }
    }
}

pub(crate) fn missing() -> Error {
    Error::new(ErrorKind::Missing, "the folder is not there; make it on the server, or check the address")
}

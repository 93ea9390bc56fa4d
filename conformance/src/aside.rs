//! Asking the store beside the cases: on a thread and a runtime of its own, for a limited time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::time::Duration;

use futures::FutureExt as _;
use longshore_core::{Capabilities, DomainName, Error, ErrorKind, Result};

use crate::context::Context;
use crate::harness::{Harness, Scratch, Site, Subject};
use crate::release::Releases;

/// What the storage guarantees, in its own words; unknown where it does not open, or not in time: then each case says so.
pub(crate) fn claims(harness: &Harness, scratch: Scratch, limit: Duration) -> Option<Capabilities> {
    let Subject::Storage(open) = harness.subject.clone() else { return None };
    let asking = async move {
        let storage = open(scratch).await.ok()?;
        let (last, claims) = (Releases::default().last(&storage, "storage"), storage.capabilities());
        drop(storage);
        // Whether it panics when it is dropped is each case's to tell.
        drop(last);
        Some(claims)
    };
    aside(limit, asking).and_then(std::thread::Result::ok).flatten()
}

/// Whether the store answers within this time: it is asked until it does. No call of this waits for its turn.
pub(crate) fn answers(context: &Context, patience: Duration) -> bool {
    let context = context.clone();
    let asking = async move {
        while ask(&context, patience).await.is_err_and(|error| is_silence(&error)) {
            tokio::time::sleep(patience / 20).await;
        }
    };
    // A panic is an answer, of the adapter, and each case's to tell.
    aside(patience, asking).is_some()
}

/// Whether a call that failed so got no answer from the store.
pub(crate) fn is_silence(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && !error.throttled()
}

/// Opens the store as a case would, and reads what costs little.
async fn ask(context: &Context, patience: Duration) -> Result<()> {
    match &context.harness.subject {
        Subject::Storage(open) => {
            let storage = open(context.scratch.clone()).await?;
            storage.list(&context.root, None).await.map(drop)
        }
        Subject::Server(open) => {
            let (store, runtime) = (format!("{}-{:06}", context.root, context.slot), context.clock.runtime());
            let site = Site { scratch: context.scratch.clone(), store, domain: DomainName::default(), runtime };
            open(site.clone()).await?.store().await?;
            if let Some(remove) = context.harness.removing.clone() {
                // What the hook does wrong is told by the case whose store it cannot remove.
                drop(tokio::time::timeout(patience / 2, tokio::spawn(async move { remove(site).await })).await);
            }
            Ok(())
        }
    }
}

/// What comes of this work, a panic included; none if it does not end in time.
fn aside<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<std::thread::Result<T>> {
    let (send, receive) = channel();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().ok()?;
        let work = AssertUnwindSafe(work).catch_unwind();
        let ended = runtime.block_on(async { tokio::time::timeout(limit, work).await });
        runtime.shutdown_background();
        ended.ok()
    };
    let working = std::thread::Builder::new().spawn(move || {
        // Nobody listens any more after the limit.
        drop(send.send(catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Some(Err(panic)))));
    });
    // What blocks its thread is not waited for.
    working.ok().and_then(|_| receive.recv_timeout(limit * 2).ok().flatten())
}

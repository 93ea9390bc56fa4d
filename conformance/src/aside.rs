//! Asking the store beside the cases: on a thread and a runtime of its own, for a limited time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use futures::FutureExt as _;
use longshore_core::{Capabilities, DomainName, Error, ErrorKind, Result};

use crate::context::Context;
use crate::harness::{Harness, Scratch, Site, Subject};
use crate::release::{Last, Releases};

/// What the storage guarantees, in its own words; unknown where it does not open, or not in time: then each case says so.
pub(crate) fn claims(harness: &Harness, scratch: Scratch, limit: Duration) -> Option<Capabilities> {
    let Subject::Storage(open) = harness.subject.clone() else { return None };
    let asking = async move {
        let held = hold(open(scratch).await.ok()?);
        Some(held.0.capabilities())
    };
    aside(limit, asking).and_then(std::thread::Result::ok).flatten()
}

/// Whether the store answers within this time: it is asked until it does. An attempt without an answer is given up after half of the
/// time, for the next may have one. No call of this waits for its turn.
pub(crate) fn answers(context: &Context, patience: Duration) -> bool {
    let context = context.clone();
    let asking = async move {
        let answered = tokio::time::timeout(patience, answers_in_two(&context, patience / 2)).await.unwrap_or(false);
        if answered {
            remove(&context, patience / 6).await;
        }
        answered
    };
    match aside(patience * 3 / 2, asking) {
        Some(Ok(answered)) => answered,
        // A panic is an answer, of the adapter, and each case's to tell.
        Some(Err(_)) => true,
        None => false,
    }
}

/// Two attempts may last as long as this; those that are refused are repeated.
async fn answers_in_two(context: &Context, longest: Duration) -> bool {
    let mut given_up = 0;
    while given_up < 2 {
        match tokio::time::timeout(longest, ask(context)).await {
            Ok(Err(error)) if is_silence(&error) => tokio::time::sleep(longest / 10).await,
            Ok(_) => return true,
            Err(_) => given_up += 1,
        }
    }
    false
}

/// A client and its last holder, dropped in this order: also while a call of it unwinds, it may panic when it is dropped. Whether it
/// does is each case's to tell.
fn hold<T: ?Sized>(client: Arc<T>) -> (Arc<T>, Last<T>) {
    let last = Releases::default().last(&client, "client");
    (client, last)
}

/// Whether a call that failed so got no answer from the store.
pub(crate) fn is_silence(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && !error.throttled()
}

/// Opens the store as a case would, and reads what costs little.
async fn ask(context: &Context) -> Result<()> {
    match &context.harness.subject {
        Subject::Storage(open) => {
            let held = hold(open(context.scratch.clone()).await?);
            held.0.list(&context.root, None).await.map(drop)
        }
        Subject::Server(open) => {
            let held = hold(open(site(context)).await?);
            held.0.store().await.map(drop)
        }
    }
}

/// What the asking opened, of a harness that opens servers.
fn site(context: &Context) -> Site {
    let (store, runtime) = (format!("{}-{:06}", context.root, context.slot), context.clock.runtime());
    Site { scratch: context.scratch.clone(), store, domain: DomainName::default(), runtime }
}

/// Removes it again. What the hook does wrong is told by the case whose store it cannot remove.
async fn remove(context: &Context, limit: Duration) {
    if let (Subject::Server(_), Some(remove)) = (&context.harness.subject, context.harness.removing.clone()) {
        let site = site(context);
        drop(tokio::time::timeout(limit, tokio::spawn(async move { remove(site).await })).await);
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use longshore_core::{ByteRange, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Storage};

    use super::*;
    use crate::suite::Suite;

    /// Whatever is asked of it, it panics, and then again when it is dropped.
    #[derive(Debug)]
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("no such handle")
        }
    }

    #[async_trait]
    impl Storage for Panics {
        fn capabilities(&self) -> Capabilities {
            panic!("no such luck")
        }

        async fn create(&self, _: &ObjectKey, _: Bytes) -> Result<Reply<Created>> {
            panic!("no such luck")
        }

        async fn put(&self, _: &ObjectKey, _: Payload) -> Result<Reply<()>> {
            panic!("no such luck")
        }

        async fn get(&self, _: &ObjectKey, _: ByteRange) -> Result<Reply<Option<Object>>> {
            panic!("no such luck")
        }

        async fn list(&self, _: &Folder, _: Option<&str>) -> Result<Reply<Listing>> {
            panic!("no such luck")
        }

        async fn delete(&self, _: &ObjectKey) -> Result<Reply<()>> {
            panic!("no such luck")
        }
    }

    /// Two panics at once would end this program.
    #[test]
    fn who_panics_in_a_call_and_when_dropped_only_panics() {
        let open = |_| async { Ok(Arc::new(Panics) as Arc<dyn Storage>) };
        let run = Suite::new(Harness::storage("panics", open)).begin().unwrap();
        assert_eq!(run.claims, None);
        assert!(answers(&run.context_for_asking(0), Duration::from_secs(5)), "a panic is an answer");
    }
}

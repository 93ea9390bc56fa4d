//! Work that ends in time, whatever it does: on a runtime, as a task, in a thread that is not waited for.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::verdict::Failure;

/// What a thread may take beyond a deadline to say that it passed.
pub(super) const SLACK: Duration = Duration::from_secs(5);
/// What came of such work.
pub(super) type Ended = Result<(), Failure>;

/// On a runtime of its own, which ends with it: what a case left running, however it ended, must not write beside the cleaning up.
pub(super) fn on_its_own(work: impl Future<Output = Ended>, grace: Duration, tell: &Sender<Ended>) {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Err(Failure::unjudged(format!("no runtime could be started: {error}"))))),
    };
    // Nobody listens any more after the deadline.
    drop(tell.send(runtime.block_on(work)));
    // What blocks a thread for ever must not keep the run from ending.
    runtime.shutdown_timeout(SLACK.min(grace));
}

/// As a task of its own, for so long.
pub(super) async fn within(limit: Duration, work: impl Future<Output = Ended> + Send + 'static) -> Ended {
    match tokio::time::timeout(limit, tokio::spawn(work)).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(broken)) if broken.is_panic() => Err(Failure::panicked(broken.into_panic().as_ref())),
        Ok(Err(_)) => Err(Failure::unjudged("it was cancelled")),
        Err(_) => Err(hangs(limit)),
    }
}

/// The next that a case's thread tells; none if it does not come in time.
pub(super) fn hear(told: &Receiver<Ended>, limit: Duration) -> Option<Ended> {
    match told.recv_timeout(limit) {
        Ok(ended) => Some(ended),
        Err(RecvTimeoutError::Timeout) => None,
        // It told of a panic, or that it could not begin: there is nothing to clean.
        Err(RecvTimeoutError::Disconnected) => Some(Ok(())),
    }
}

pub(super) fn hangs(deadline: Duration) -> Failure {
    Failure::silence(format!("hangs: it did not end within {deadline:?}")).without_rule()
}

//! What was seen of the answer while a request was under way.
//!
//! `object_store` tells a status by its kind of error at best, and neither the server's time nor `Retry-After`. So the service under it
//! notes what it sees in a cell of the running task; a call reads it when it has ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{Error, ServerTime};

/// What was seen of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) time: Option<ServerTime>,
    /// When the request was signed, by this machine's clock, in seconds since 1970.
    pub(crate) signed: Option<u64>,
    pub(crate) retry_after: Option<Duration>,
    /// The `Code` of an error's XML body.
    pub(crate) code: Option<String>,
    /// The region in which the server says that the bucket lies.
    pub(crate) region: Option<String>,
    /// The size of the object, of which the range that was asked for holds nothing.
    pub(crate) size: Option<u64>,
}

/// How the last request of a call ended.
#[derive(Debug)]
pub(crate) enum Seen {
    Answered(Answered),
    /// No answer, and the error that this is.
    Failed(Error),
}

impl Seen {
    fn is_success(&self) -> bool {
        matches!(self, Self::Answered(Answered { status: 200..300, .. }))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange(Arc<Mutex<Option<Seen>>>);

tokio::task_local! {
    static EXCHANGE: Exchange;
}

impl Exchange {
    /// Runs a call, and gives what was seen of its last request; nothing of a store that is not watched.
    pub(crate) async fn watch<T>(call: impl Future<Output = T>) -> (T, Option<Seen>) {
        let exchange = Self::default();
        let value = EXCHANGE.scope(exchange.clone(), call).await;
        let seen = exchange.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        (value, seen)
    }

    /// Notes what was seen. The first failure stays: of the parts of an upload, others may end well or badly after one has
    /// failed, and so may its abort. Until there is one, a later success replaces an earlier one.
    pub(crate) fn note(seen: Seen) {
        // A request outside of any call of ours, such as an abort on drop, is nobody's.
        let _ = EXCHANGE.try_with(|exchange| {
            let mut noted = exchange.0.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.as_ref().is_none_or(Seen::is_success) {
                *noted = Some(seen);
            }
        });
    }
}

/// The server's time, where the answer carried it.
pub(crate) fn time(seen: Option<&Seen>) -> Option<ServerTime> {
    match seen {
        Some(Seen::Answered(answered)) => answered.time,
        _ => None,
    }
}

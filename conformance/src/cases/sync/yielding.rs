//! A server each of whose calls lets others run first: a sync over it can be dropped between any two calls.

use std::sync::Arc;

use longshore_core::Server;
use tokio::task::yield_now;

use crate::around::{Around, Wrapped};

#[derive(Debug)]
struct Apart;

impl Around for Apart {
    async fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        apart(call).await
    }
}

/// This server, each of whose calls lets others run.
pub(super) fn yielding(inner: Arc<dyn Server>) -> Arc<dyn Server> {
    Arc::new(Wrapped { inner, around: Apart })
}

/// Also after the call: what took effect may never be learned.
pub(super) async fn apart<T>(call: impl Future<Output = T>) -> T {
    yield_now().await;
    let result = call.await;
    yield_now().await;
    result
}

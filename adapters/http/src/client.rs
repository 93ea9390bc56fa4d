//! Sends a request, once.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;

use crate::failure::{FailureKind, SendFailure};
use crate::idle::{Activity, Incoming, Outgoing};
use crate::options::HttpOptions;

/// A client with one pool of kept-alive connections. Its clones share the pool.
///
/// It needs a tokio runtime with time and I/O.
#[derive(Clone)]
pub struct Http {
    pub(crate) client: reqwest::Client,
    /// Without a pool; made when it is needed first.
    pub(crate) unpooled: Arc<OnceLock<reqwest::Client>>,
    pub(crate) options: HttpOptions,
    pub(crate) idle: Duration,
    pub(crate) budget: Option<Duration>,
}

impl Http {
    /// Sends the request, and waits for the head of the answer; its body comes as it is read.
    ///
    /// - Whatever the status is, it is an answer. Redirects are answers too.
    /// - The request is sent once. Only where not one byte of it reached a kept-alive connection that the server had closed
    ///   meanwhile, it goes out on a new one. What a server says over HTTP/2 that it did not take up is a
    ///   [failure](crate::FailureKind::Refused): it can be sent again, and that is the caller's to do.
    /// - A dropped future is as a broken connection: the server may have seen the request.
    pub async fn send<B>(&self, request: http::Request<B>) -> Result<http::Response<Incoming>, SendFailure>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.send_by(&self.client, request).await
    }

    /// As [`send`](Self::send), over a connection that nothing was sent over before, and nothing will be: for what broke on a kept-alive
    /// one, since a server that closes one of those often closes all.
    pub async fn send_anew<B>(&self, request: http::Request<B>) -> Result<http::Response<Incoming>, SendFailure>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // The same settings made a client before.
        let made = || self.options.unpooled().unwrap_or_else(|_| self.client.clone());
        self.send_by(self.unpooled.get_or_init(made), request).await
    }

    async fn send_by<B>(
        &self,
        client: &reqwest::Client,
        request: http::Request<B>,
    ) -> Result<http::Response<Incoming>, SendFailure>
    where
        B: Body<Data = Bytes> + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let activity = Activity::new();
        let end = self.budget.and_then(|budget| Instant::now().checked_add(budget));
        let watched = activity.clone();
        let request = request.map(|body| reqwest::Body::wrap(Outgoing::new(body, watched)));
        // Its error repeats the address.
        let request = reqwest::Request::try_from(request)
            .map_err(|_| SendFailure::new(FailureKind::Malformed, "the address is malformed"))?;
        let response = activity.watch(client.execute(request), self.idle, end).await??;
        let response: http::Response<reqwest::Body> = response.into();
        Ok(response.map(|body| Incoming::new(body, self.idle, end)))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("idle", &self.idle).field("budget", &self.budget).finish_non_exhaustive()
    }
}

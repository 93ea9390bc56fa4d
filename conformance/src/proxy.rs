//! A proxy between an adapter and its server that breaks connections on demand: for adapters that speak HTTP/1.1.
//!
//! It knows no HTTP but where a request begins: at the first bytes from the client after bytes from the server. So one plan meets
//! one request, whatever connection the client's pool takes for it.

mod relay;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Nothing.
    None,
    /// The server gets that many bytes of the request; then both ends are closed.
    RequestAfter(u64),
    /// The server gets the whole request; the client gets that many bytes of the response; then both ends are closed.
    ResponseAfter(u64),
    /// As `ResponseAfter`, but the client's end is reset instead of closed: its system reports an error, not an end.
    ResetAfter(u64),
    /// The client's end is closed for writing after that many bytes of the response, and still read.
    HalfCloseAfter(u64),
    /// The server gets the whole request; the client never gets an answer, and the connection stays open.
    Stall,
    /// The server gets the whole request, and what it answers is thrown away; the client gets this response instead.
    Instead(Response),
    /// The server gets nothing; the client gets this response.
    Refuse(Response),
    /// The server gets all but the last byte of the request at once, and that one only after [`Proxy::release`].
    Hold,
}

/// A response without a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, such as 503.
    pub status: u16,
    /// The value of `Retry-After`, in either form that RFC 9110 gives it: seconds, or a date.
    pub retry_after: Option<String>,
}

impl Response {
    /// A response with this status.
    pub fn new(status: u16) -> Self {
        Self { status, retry_after: None }
    }

    /// Says when to come again: `120`, or `Fri, 31 Dec 1999 23:59:59 GMT`.
    pub fn with_retry_after(mut self, when: impl Into<String>) -> Self {
        self.retry_after = Some(when.into());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let when = self.retry_after.as_ref().map(|when| format!("Retry-After: {when}\r\n")).unwrap_or_default();
        format!(
            "HTTP/1.1 {} Injected by the suite\r\n{when}Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.status
        )
        .into_bytes()
    }
}

#[derive(Debug, Default)]
struct Plan {
    cuts: Mutex<VecDeque<Cut>>,
    requests: AtomicU64,
    released: tokio::sync::Notify,
}

impl Plan {
    /// What the request that begins now meets.
    fn next(&self) -> Cut {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Cut::None)
    }
}

/// A proxy on a port of this machine's own. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    plan: Arc<Plan>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy for the server at `target`.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, plan) = (listener.local_addr()?, Arc::new(Plan::default()));
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&plan)));
        Ok(Self { address, plan, accepting })
    }

    /// Where the adapter finds its server now.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request that begins meets this; after several calls, each of the next ones meets its own.
    pub fn plan(&self, cut: Cut) {
        self.plan.cuts.lock().unwrap_or_else(PoisonError::into_inner).push_back(cut);
    }

    /// Plans that no request has met yet.
    pub fn waiting(&self) -> usize {
        self.plan.cuts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many requests have begun.
    pub fn requests(&self) -> u64 {
        self.plan.requests.load(Ordering::SeqCst)
    }

    /// Lets the last byte of every held request go.
    pub fn release(&self) {
        self.plan.released.notify_waiters();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, plan: Arc<Plan>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let plan = Arc::clone(&plan);
        connections.spawn(async move {
            // A broken connection is what this is for.
            if let Ok(server) = TcpStream::connect(target).await {
                drop(relay::run(client, server, &plan).await);
            }
        });
    }
}

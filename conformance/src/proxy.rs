//! A proxy between an adapter and its server that breaks connections on demand: for adapters that speak HTTP/1.1.
//!
//! It knows no HTTP but where a request begins: at the first bytes from the client after bytes from the server. So one plan meets
//! one request, whatever connection the client's pool takes for it.

mod relay;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Nothing.
    None,
    /// The server gets that many bytes of the request; then both ends are closed.
    RequestAfter(u64),
    /// As `RequestAfter`, but the server's end is reset instead of closed: its system reports an error, not an end.
    ResetRequestAfter(u64),
    /// The server's end is closed for writing after that many bytes of the request, and still read: what it answers to that, the
    /// client gets.
    HalfCloseRequestAfter(u64),
    /// The server gets the whole request; the client gets that many bytes of the response; then both ends are closed.
    ResponseAfter(u64),
    /// As `ResponseAfter`, but the client's end is reset instead of closed: its system reports an error, not an end.
    ResetAfter(u64),
    /// The client's end is closed for writing after that many bytes of the response, and still read.
    HalfCloseAfter(u64),
    /// The server gets the whole request; the client never gets an answer, and the connection stays open.
    Stall,
    /// As `Stall`, after that many bytes of the response.
    StallAfter(u64),
    /// The server gets the whole request, and what it answers is thrown away; the client gets this response instead.
    Instead(Response),
    /// The server gets nothing; the client gets this response.
    Refuse(Response),
    /// The server gets nothing; the client gets bytes that are no HTTP.
    Babble,
    /// The server gets all but the last byte of the request at once, and that one only after [`Proxy::release`].
    Hold,
}

/// A response of the proxy's own, without a body unless it is given a page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status code, such as 503.
    pub status: u16,
    /// The value of `Retry-After`, in either form that RFC 9110 gives it: seconds, or a date.
    pub retry_after: Option<String>,
    /// The value of `Date`: the server's clock.
    pub date: Option<String>,
    /// A page of HTML, as a hotel's network answers whatever it is asked.
    pub page: Option<String>,
}

impl Response {
    /// A response with this status.
    pub fn new(status: u16) -> Self {
        Self { status, retry_after: None, date: None, page: None }
    }

    /// Says when to come again: `120`, or `Fri, 31 Dec 1999 23:59:59 GMT`.
    pub fn with_retry_after(mut self, when: impl Into<String>) -> Self {
        self.retry_after = Some(when.into());
        self
    }

    /// Says what time it is at the server: `Fri, 31 Dec 1999 23:59:59 GMT`.
    pub fn with_date(mut self, date: impl Into<String>) -> Self {
        self.date = Some(date.into());
        self
    }

    /// Answers with this page of HTML.
    pub fn with_page(mut self, html: impl Into<String>) -> Self {
        self.page = Some(html.into());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let page = self.page.as_deref().unwrap_or_default();
        let kind = self.page.as_ref().map(|_| "text/html; charset=utf-8".to_owned());
        let header = |(name, value): (&str, Option<String>)| value.map(|value| format!("{name}: {value}\r\n"));
        let headers = [("Retry-After", self.retry_after.clone()), ("Date", self.date.clone()), ("Content-Type", kind)];
        let headers: String = headers.into_iter().filter_map(header).collect();
        format!(
            "HTTP/1.1 {} Injected by the suite\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{page}",
            self.status,
            page.len(),
        )
        .into_bytes()
    }
}

/// How much of an exchange came by: what the client sent, and what the server answered, passed on or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passed {
    /// Bytes of the request, its head included.
    pub request: u64,
    /// Bytes of the response, its head included.
    pub response: u64,
}

#[derive(Debug, Default)]
struct Plan {
    cuts: Mutex<VecDeque<Cut>>,
    passed: Mutex<Vec<Passed>>,
    held: watch::Sender<usize>,
    released: Notify,
}

impl Plan {
    /// What the request that begins now meets, and its number.
    fn next(&self) -> (Cut, usize) {
        let mut passed = lock(&self.passed);
        passed.push(Passed::default());
        (lock(&self.cuts).pop_front().unwrap_or(Cut::None), passed.len() - 1)
    }

    fn saw(&self, number: usize, seen: Passed) {
        if let Some(passed) = lock(&self.passed).get_mut(number) {
            *passed = seen;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        lock(&self.plan.cuts).push_back(cut);
    }

    /// Plans that no request has met yet.
    pub fn waiting(&self) -> usize {
        lock(&self.plan.cuts).len()
    }

    /// Forgets the plans that no request has met yet.
    pub fn clear(&self) {
        lock(&self.plan.cuts).clear();
    }

    /// How many requests have begun.
    pub fn requests(&self) -> usize {
        lock(&self.plan.passed).len()
    }

    /// How much of each request came by, and of its response, but of the first so many.
    pub fn passed_since(&self, requests: usize) -> Vec<Passed> {
        lock(&self.plan.passed).iter().skip(requests).copied().collect()
    }

    /// Comes back when so many requests were held in all, released or not.
    pub async fn holds(&self, requests: usize) {
        // It ends with the sender only, which lives as long as this.
        drop(self.plan.held.subscribe().wait_for(|held| *held >= requests).await);
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
            // A packet that waits for the other side's delayed acknowledgement would make every exchange slow.
            drop(client.set_nodelay(true));
            // A broken connection is what this is for.
            if let Ok(server) = TcpStream::connect(target).await {
                drop(relay::run(client, server, &plan).await);
            }
        });
    }
}

//! A proxy that counts what an adapter really sends: requests, bytes, connections, and round trips in sequence.
//!
//! It changes nothing. It stands at the socket, so it also sees what a library under the adapter adds or repeats. It understands
//! HTTP/1.1 without TLS, as far as where each message begins and ends.
//!
//! ```
//! use longshore_conformance::meter::Meter;
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! // A server that answers whatever it is asked.
//! let server = TcpListener::bind("127.0.0.1:0").await?;
//! let meter = Meter::start(server.local_addr()?).await?;
//! tokio::spawn(async move {
//!     let (mut client, _) = server.accept().await?;
//!     while client.read(&mut [0; 100]).await? > 0 {
//!         client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere").await?;
//!     }
//!     std::io::Result::Ok(())
//! });
//!
//! let mut client = TcpStream::connect(meter.address()).await?;
//! for _ in 0..2 {
//!     client.write_all(b"GET /notes HTTP/1.1\r\nHost: any\r\n\r\n").await?;
//!     client.read_exact(&mut [0; 42]).await?;
//! }
//! let tally = meter.take();
//! assert_eq!((tally.requests(), tally.round_trips(), tally.connections()), (2, 2, 1));
//! assert_eq!((tally.bytes_up(), tally.bytes_down()), (2 * 34, 2 * 42));
//! assert_eq!(tally.exchanges()[0].to_string(), "GET /notes 200");
//! assert_eq!(meter.take().requests(), 0);
//! # Ok(()) }
//! ```

mod devices;
mod message;
mod relay;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::devices::{Devices, documents};

/// A request and what was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// Such as `PUT`.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The answer's status; 0 if none came.
    pub status: u16,
    /// Bytes of the request, its head included.
    pub up: u64,
    /// Bytes of the answer, its head included.
    pub down: u64,
    /// When its first byte came, in the order of all that happened.
    began: u64,
    /// When the last byte of its answer went out.
    ended: Option<u64>,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.target, self.status)
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    exchanges: Vec<Exchange>,
    connections: usize,
}

impl Tally {
    /// All of them, in the order in which they began.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// How many requests began.
    pub fn requests(&self) -> usize {
        self.exchanges.len()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Bytes of all requests, their heads included.
    pub fn bytes_up(&self) -> u64 {
        self.exchanges.iter().map(|exchange| exchange.up).sum()
    }

    /// Bytes of all answers, their heads included.
    pub fn bytes_down(&self) -> u64 {
        self.exchanges.iter().map(|exchange| exchange.down).sum()
    }

    /// Round trips in sequence: the most requests of which each began after the answer to the one before had ended. Requests that
    /// were under way at the same time share one.
    ///
    /// A server that is quick can answer the first of several requests before the last has begun, which then looks like a
    /// sequence: see [`Meter::gather`].
    pub fn round_trips(&self) -> usize {
        let mut spans: Vec<(u64, u64)> =
            self.exchanges.iter().map(|exchange| (exchange.ended.unwrap_or(u64::MAX), exchange.began)).collect();
        spans.sort_unstable();
        let (mut trips, mut free) = (0, 0);
        for (ended, began) in spans {
            if trips == 0 || began > free {
                (trips, free) = (trips + 1, ended);
            }
        }
        trips
    }
}

/// One exchange a line.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exchanges.iter().try_for_each(|exchange| writeln!(f, "{exchange}"))
    }
}

/// What all connections write into.
#[derive(Debug, Default)]
struct Book {
    page: Mutex<Page>,
    /// How many requests have begun in all.
    begun: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Page {
    tally: Tally,
    /// Grows with all that happens: no clock tells which of two things was first.
    events: u64,
    /// The number of the tally's first exchange.
    first: usize,
    /// Where groups of requests end: none of a group is answered before as many have begun in all.
    groups: Vec<usize>,
}

impl Page {
    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

impl Book {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) {
        self.page().tally.connections += 1;
    }

    /// A request begins; its number.
    fn begin(&self) -> usize {
        let mut page = self.page();
        let began = page.event();
        page.tally.exchanges.push(Exchange { began, ..Exchange::default() });
        let all = page.first + page.tally.exchanges.len();
        drop(page);
        self.begun.send_replace(all);
        all - 1
    }

    /// Writes something down of an exchange, unless it was taken already.
    fn note(&self, number: usize, what: impl FnOnce(&mut Exchange)) {
        let mut page = self.page();
        let at = number.checked_sub(page.first);
        if let Some(exchange) = at.and_then(|at| page.tally.exchanges.get_mut(at)) {
            what(exchange);
        }
    }

    fn end(&self, number: usize) {
        let event = self.page().event();
        self.note(number, |exchange| exchange.ended = Some(event));
    }

    /// Comes back when the answer to this exchange may go out.
    async fn gathered(&self, number: usize) {
        let end = self.page().groups.iter().find(|end| **end > number).copied();
        if let Some(end) = end {
            // It ends with the sender only, which lives as long as this.
            drop(self.begun.subscribe().wait_for(|begun| *begun >= end).await);
        }
    }
}

/// A proxy on a port of this machine's own. It ends when it is dropped.
#[derive(Debug)]
pub struct Meter {
    address: SocketAddr,
    book: Arc<Book>,
    accepting: JoinHandle<()>,
}

impl Meter {
    /// Starts one for the server at `target`.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, book) = (listener.local_addr()?, Arc::new(Book::default()));
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&book)));
        Ok(Self { address, book, accepting })
    }

    /// Where the adapter finds its server now.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was counted since the last time. What still comes of exchanges that are under way is not counted any more.
    pub fn take(&self) -> Tally {
        let mut page = self.book.page();
        page.first += page.tally.requests();
        std::mem::take(&mut page.tally)
    }

    /// Holds back the answers to the next requests until all of their group have begun, for groups of these sizes. Then those of a
    /// group were side by side, however quick the server is. A client that sends them one after another waits for ever.
    pub fn gather(&self, sizes: &[usize]) {
        let mut page = self.book.page();
        let mut end = page.first + page.tally.requests();
        page.groups.clear();
        for size in sizes {
            end += size;
            page.groups.push(end);
        }
    }

    /// What the work ends in, and what it cost. It is to send groups of requests of these sizes: those of a group side by side, and
    /// one group after the other. Their answers are held back as by [`gather`](Self::gather). What was counted before is forgotten.
    ///
    /// Errors: what was counted, if it was another number of requests, or of round trips.
    ///
    /// ```
    /// use longshore_conformance::meter::Meter;
    /// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = TcpListener::bind("127.0.0.1:0").await?;
    /// let meter = Meter::start(server.local_addr()?).await?;
    /// tokio::spawn(async move {
    ///     let (mut client, _) = server.accept().await?;
    ///     while client.read(&mut [0; 100]).await? > 0 {
    ///         client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    ///     }
    ///     std::io::Result::Ok(())
    /// });
    /// let mut client = TcpStream::connect(meter.address()).await?;
    /// let mut ask = async || {
    ///     client.write_all(b"GET / HTTP/1.1\r\nHost: any\r\n\r\n").await?;
    ///     client.read_exact(&mut [0; 38]).await
    /// };
    /// let (answered, tally) = meter.cost(&[1], ask()).await?;
    /// assert_eq!((answered?, tally.requests()), (38, 1));
    /// let told = meter.cost(&[1, 1], ask()).await.unwrap_err();
    /// assert!(told.contains("1 request in 1 round trip") && told.contains("GET / 200"), "{told}");
    /// # Ok(()) }
    /// ```
    pub async fn cost<T>(&self, groups: &[usize], work: impl Future<Output = T>) -> Result<(T, Tally), String> {
        self.take();
        self.gather(groups);
        let ended = work.await;
        let tally = self.take();
        let (counted, expected) = ((tally.requests(), tally.round_trips()), (groups.iter().sum(), groups.len()));
        if counted == expected { Ok((ended, tally)) } else { Err(unexpected(counted, expected, &tally)) }
    }
}

fn unexpected(counted: (usize, usize), expected: (usize, usize), tally: &Tally) -> String {
    let of = |(requests, trips)| {
        let s = |count| if count == 1 { "" } else { "s" };
        format!("{requests} request{} in {trips} round trip{}", s(requests), s(trips))
    };
    format!("there were {}, to be {}:\n{tally}", of(counted), of(expected))
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, book: Arc<Book>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        book.connected();
        let book = Arc::clone(&book);
        connections.spawn(async move {
            // A broken connection is the client's and the server's to notice.
            if let Ok(server) = TcpStream::connect(target).await {
                drop(relay::run(client, server, &book).await);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(spans: &[(u64, u64)]) -> Tally {
        let exchange =
            |(began, ended): &(u64, u64)| Exchange { began: *began, ended: Some(*ended), ..Exchange::default() };
        Tally { exchanges: spans.iter().map(exchange).collect(), connections: 1 }
    }

    #[test]
    fn what_overlaps_shares_a_round_trip() {
        for (spans, trips) in [
            (&[][..], 0),
            (&[(1, 2)], 1),
            (&[(1, 2), (3, 4)], 2),
            (&[(1, 4), (2, 3)], 1),
            (&[(1, 4), (2, 6), (3, 5)], 1),
            // A long one beside three that follow on each other.
            (&[(1, 8), (2, 3), (4, 5), (6, 7)], 3),
            (&[(1, 5), (2, 3), (4, 7), (6, 8)], 2),
        ] {
            assert_eq!(tally(spans).round_trips(), trips, "{spans:?}");
        }
    }

    #[test]
    fn what_was_never_answered_is_a_round_trip() {
        let mut tally = tally(&[(1, 2), (3, 4)]);
        tally.exchanges[1].ended = None;
        assert_eq!(tally.round_trips(), 2);
    }
}

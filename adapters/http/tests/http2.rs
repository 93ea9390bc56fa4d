//! HTTP/2 with servers that offer it: one connection for all, no request sent twice, and a failure that says whether it was seen.
//!
//! The servers here speak as much of it as the tests need, frame by frame (RFC 9113), so that each answer is what it says.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

#[path = "tls/certificates.rs"]
mod certificates;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certificates::AUTHORITY;
use futures::future::join_all;
use http::Version;
use longshore_core::Outcome;
use longshore_http::{FailureKind, Http, HttpOptions, SendFailure};

// Types of frames, flags and errors.
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const ACKNOWLEDGED: u8 = 1;
const END_OF_STREAM_AND_HEADERS: u8 = 5;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
/// `:status: 200`, of the static table (RFC 7541).
const STATUS_200: u8 = 0x88;

/// What a request meets.
#[derive(Clone, Copy)]
enum Meets {
    /// 200.
    Done,
    /// 200, together with all before it, when so many have come.
    DoneWith(usize),
    /// The request is reset, with this error.
    Reset(u32),
    /// The connection ends in order; this is the last stream that was taken up: this one, or the one before.
    GoAway { taken_up: bool },
    /// Nothing, for ever; not even pings are answered.
    Silence,
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Requests meet these, in the order in which they come; then 200.
    fn new(meets: impl IntoIterator<Item = Meets>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let meets = Arc::new(Mutex::new(meets.into_iter().collect::<Vec<_>>().into_iter()));
        let (opened, seen) = (Arc::clone(&connections), Arc::clone(&requests));
        let start =
            |work: Box<dyn FnOnce() + Send>| std::thread::Builder::new().name("server".to_owned()).spawn(work).unwrap();
        start(Box::new(move || {
            for stream in listener.incoming().flatten() {
                let (opened, seen, meets) = (Arc::clone(&opened), Arc::clone(&seen), Arc::clone(&meets));
                let next = move || {
                    seen.fetch_add(1, Ordering::SeqCst);
                    meets.lock().unwrap().next().unwrap_or(Meets::Done)
                };
                start(Box::new(move || drop(serve(stream, &opened, next))));
            }
        }));
        Self { address, connections, requests }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    async fn get(&self, http: &Http) -> Result<Version, SendFailure> {
        let request =
            http::Request::get(format!("https://{}/sesame", self.address)).body(longshore_http::empty()).unwrap();
        http.send(request).await.map(|answer| answer.version())
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// One connection, until it ends.
fn serve(stream: TcpStream, opened: &AtomicUsize, next: impl Fn() -> Meets) -> std::io::Result<()> {
    let mut stream = certificates::serve(stream, &["h2", "http/1.1"]);
    let mut first = [0; 24];
    stream.read_exact(&mut first)?;
    if first != *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        next();
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    opened.fetch_add(1, Ordering::SeqCst);
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    let done = |stream| frame(HEADERS, END_OF_STREAM_AND_HEADERS, stream, &[STATUS_200]);
    let mut waiting = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload)?;
        let id = u32::from_be_bytes(id);
        let answer = match kind {
            SETTINGS | PING if flags & ACKNOWLEDGED == 0 => {
                let payload = if kind == PING { &payload[..] } else { &[] };
                frame(kind, ACKNOWLEDGED, 0, payload)
            }
            HEADERS => match next() {
                Meets::Done => done(id),
                Meets::DoneWith(count) => {
                    waiting.push(id);
                    let all = if waiting.len() == count { std::mem::take(&mut waiting) } else { Vec::new() };
                    all.into_iter().flat_map(done).collect()
                }
                Meets::Reset(error) => frame(RESET, 0, id, &error.to_be_bytes()),
                Meets::GoAway { taken_up } => {
                    let last = if taken_up { id } else { id.saturating_sub(2) };
                    let payload = [last.to_be_bytes(), NO_ERROR.to_be_bytes()].concat();
                    stream.write_all(&frame(GO_AWAY, 0, 0, &payload))?;
                    return stream.flush();
                }
                Meets::Silence => loop {
                    std::thread::park();
                },
            },
            _ => Vec::new(),
        };
        stream.write_all(&answer)?;
        stream.flush()?;
    }
}

fn client() -> Http {
    HttpOptions::default().with_root_certificate(AUTHORITY).with_http2(true).build().unwrap()
}

#[tokio::test]
async fn one_connection_carries_requests_side_by_side() {
    let server = Server::new([Meets::Done].into_iter().chain([Meets::DoneWith(5); 5]));
    let http = client();
    assert_eq!(server.get(&http).await.unwrap(), Version::HTTP_2);
    let all = join_all((0..5).map(|_| server.get(&http))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!((server.connections(), server.requests()), (1, 6));
}

#[tokio::test]
async fn it_is_spoken_where_it_is_wanted_and_offered() {
    let server = Server::new([]);
    let plain = HttpOptions::default().with_root_certificate(AUTHORITY);
    assert_eq!(server.get(&plain.clone().build().unwrap()).await.unwrap(), Version::HTTP_11);
    assert_eq!(server.get(&plain.clone().or_http2(true).build().unwrap()).await.unwrap(), Version::HTTP_2);
    assert_eq!(server.get(&plain.with_http2(false).or_http2(true).build().unwrap()).await.unwrap(), Version::HTTP_11);
}

/// Sent once, whatever the server promises; and the next request goes through.
async fn fails(meets: Meets) -> SendFailure {
    let server = Server::new([meets]);
    let http = client();
    let failure = server.get(&http).await.unwrap_err();
    assert_eq!(server.requests(), 1, "{failure}");
    assert!(!format!("{failure} {failure:?}").contains("sesame"), "{failure:?}");
    assert!(server.get(&http).await.is_ok());
    failure
}

#[tokio::test]
async fn what_the_server_did_not_take_up_was_not_done() {
    for meets in [Meets::Reset(REFUSED_STREAM), Meets::GoAway { taken_up: false }] {
        let failure = fails(meets).await;
        assert_eq!(failure.kind(), FailureKind::Refused, "{failure}");
        assert_eq!(failure.to_error().outcome(), Outcome::NotApplied);
    }
}

#[tokio::test]
async fn what_it_took_up_and_did_not_answer_is_an_open_question() {
    for meets in [Meets::Reset(INTERNAL_ERROR), Meets::GoAway { taken_up: true }] {
        let failure = fails(meets).await;
        assert_eq!(failure.kind(), FailureKind::Broken, "{failure}");
        assert_eq!(failure.to_error().outcome(), Outcome::Unknown);
    }
}

/// All would wait on it, one after another.
#[tokio::test]
async fn a_connection_that_died_is_left() {
    let server = Server::new([Meets::Silence]);
    let options = HttpOptions::default().with_root_certificate(AUTHORITY).with_idle_timeout(Duration::from_secs(1));
    let http = options.with_http2(true).build().unwrap();
    let failure = server.get(&http).await.unwrap_err();
    assert_eq!(failure.to_error().outcome(), Outcome::Unknown, "{failure}");
    for _ in 0..10 {
        if server.get(&http).await.is_ok() {
            assert!(server.connections() > 1);
            return;
        }
    }
    panic!("every request goes to the connection on which nobody answers");
}

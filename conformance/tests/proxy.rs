//! A proxy that is to break connections must break them as it was told, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_conformance::proxy::{Cut, Proxy, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Requests of ten bytes each, as far as they came.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

const ANSWER: &[u8] = b"an answer of the server";

/// A server that answers every ten bytes.
async fn server() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = Arc::clone(&all);
            tokio::spawn(async move {
                loop {
                    let mut request = Vec::new();
                    let read = (&mut stream).take(10).read_to_end(&mut request).await;
                    if !request.is_empty() {
                        seen.lock().unwrap().push(request.clone());
                    }
                    if read.is_err() || request.len() < 10 || stream.write_all(ANSWER).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, seen)
}

async fn ask(stream: &mut TcpStream) -> Vec<u8> {
    stream.write_all(b"0123456789").await.unwrap();
    let mut answer = vec![0; ANSWER.len()];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

/// What a request gets that meets this plan, until the connection ends.
async fn meet(cut: Cut) -> (Result<Vec<u8>, std::io::ErrorKind>, Vec<Vec<u8>>) {
    let (address, seen) = server().await;
    let proxy = Proxy::start(address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut stream).await, ANSWER);
    proxy.plan(cut);
    stream.write_all(b"0123456789").await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    assert_eq!((proxy.requests(), proxy.waiting()), (2, 0));
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut other).await, ANSWER, "the next request is left alone");
    let mut seen = seen.lock().unwrap().clone();
    (read.map(|_| answer).map_err(|error| error.kind()), seen.drain(1..seen.len() - 1).collect())
}

#[tokio::test]
async fn a_request_is_cut_after_any_byte() {
    for most in [1, 5, 9] {
        let (answer, seen) = meet(Cut::RequestAfter(most)).await;
        assert_eq!(answer.unwrap_or_default(), b"");
        assert_eq!(seen, [b"0123456789"[..usize::try_from(most).unwrap()].to_vec()]);
    }
}

#[tokio::test]
async fn a_response_is_cut_after_any_byte_and_the_request_arrived() {
    for most in [0, 1, 10] {
        let (answer, seen) = meet(Cut::ResponseAfter(most)).await;
        assert_eq!(answer.unwrap(), ANSWER[..usize::try_from(most).unwrap()]);
        assert_eq!(seen, [b"0123456789"]);
    }
    let (answer, _) = meet(Cut::HalfCloseAfter(0)).await;
    assert_eq!(answer.unwrap(), b"");
}

/// A server that answers the end of a request with what came of it, and tells how the request ended.
async fn listener() -> (SocketAddr, JoinHandle<Result<Vec<u8>, ErrorKind>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let read = stream.read_to_end(&mut request).await;
        // Of a connection that is reset, nobody hears it.
        drop(stream.write_all(&request).await);
        read.map(|_| request).map_err(|error| error.kind())
    });
    (address, heard)
}

/// What the client gets, and what the server, of a request of ten bytes.
async fn meet_listener(cut: Cut) -> (Vec<u8>, Result<Vec<u8>, ErrorKind>) {
    let (address, heard) = listener().await;
    let proxy = Proxy::start(address).await.unwrap();
    proxy.plan(cut);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"0123456789").await.unwrap();
    let mut answer = Vec::new();
    // A connection that is closed before its client has said all may be reset.
    drop(stream.read_to_end(&mut answer).await);
    (answer, heard.await.unwrap())
}

#[tokio::test]
async fn a_request_is_reset_at_the_server() {
    for most in [1, 5, 10] {
        let (answer, heard) = meet_listener(Cut::ResetRequestAfter(most)).await;
        assert_eq!((answer.as_slice(), heard), (&b""[..], Err(ErrorKind::ConnectionReset)), "{most}");
    }
}

#[tokio::test]
async fn of_a_request_that_is_half_closed_the_answer_comes() {
    for most in [0, 4, 10] {
        let came = b"0123456789"[..usize::try_from(most).unwrap()].to_vec();
        let (answer, heard) = meet_listener(Cut::HalfCloseRequestAfter(most)).await;
        assert_eq!((answer, heard), (came.clone(), Ok(came)), "{most}");
    }
}

/// Nothing comes of the answer, or its beginning, and no end: also where the server closes.
#[tokio::test]
async fn a_stalled_answer_never_comes_and_never_ends() {
    for (cut, begins) in [(Cut::Stall, 0), (Cut::StallAfter(0), 0), (Cut::StallAfter(3), 3)] {
        for closes in [false, true] {
            let (address, seen) = if closes { closing_server().await } else { server().await };
            let proxy = Proxy::start(address).await.unwrap();
            proxy.plan(cut.clone());
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            stream.write_all(b"0123456789").await.unwrap();
            let mut beginning = vec![0; begins];
            stream.read_exact(&mut beginning).await.unwrap();
            assert_eq!(beginning, ANSWER[..begins]);
            while proxy.passed_since(0).first().is_none_or(|passed| passed.response < ANSWER.len() as u64) {
                tokio::task::yield_now().await;
            }
            let more = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0])).await;
            assert!(more.is_err(), "{cut:?}: {more:?}");
            assert_eq!(seen.lock().unwrap().as_slice(), [b"0123456789"], "the server got the request");
        }
    }
}

/// As [`server`], and closes after its answer.
async fn closing_server() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 10];
        stream.read_exact(&mut request).await.unwrap();
        all.lock().unwrap().push(request);
        stream.write_all(ANSWER).await.unwrap();
    });
    (address, seen)
}

#[tokio::test]
async fn what_came_by_is_counted() {
    let (address, _) = server().await;
    let proxy = Proxy::start(address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    for _ in 0..3 {
        ask(&mut stream).await;
    }
    let passed: Vec<_> = proxy.passed_since(1).iter().map(|passed| (passed.request, passed.response)).collect();
    assert_eq!(passed, [(10, ANSWER.len() as u64); 2]);
}

#[tokio::test]
async fn plans_are_forgotten() {
    let (address, _) = server().await;
    let proxy = Proxy::start(address).await.unwrap();
    proxy.plan(Cut::RequestAfter(0));
    proxy.clear();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut stream).await, ANSWER);
}

#[tokio::test]
async fn what_is_no_http_and_a_page_are_given() {
    let (answer, seen) = meet(Cut::Babble).await;
    assert!(!answer.unwrap().starts_with(b"HTTP/"));
    assert!(seen.is_empty(), "{seen:?}");

    let (answer, _) = meet(Cut::Refuse(Response::new(200).with_page("<p>Sign in</p>").with_date("today"))).await;
    let answer = String::from_utf8(answer.unwrap()).unwrap();
    let head = "Date: today\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 14\r\n";
    assert!(answer.contains(head) && answer.ends_with("\r\n\r\n<p>Sign in</p>"), "{answer}");
}

#[tokio::test]
async fn a_reset_is_an_error() {
    let (answer, seen) = meet(Cut::ResetAfter(0)).await;
    assert_eq!(answer.unwrap_err(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(seen, [b"0123456789"]);
}

#[tokio::test]
async fn another_answer_is_given_after_the_request_arrived_or_instead_of_it() {
    let busy = Response::new(503).with_retry_after("120");
    let (answer, seen) = meet(Cut::Instead(busy.clone())).await;
    let text = String::from_utf8(answer.unwrap()).unwrap();
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nRetry-After: 120\r\n"), "{text}");
    assert_eq!(seen, [b"0123456789"]);

    let (answer, seen) = meet(Cut::Refuse(busy)).await;
    assert!(answer.unwrap().starts_with(b"HTTP/1.1 503 "));
    assert!(seen.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn a_held_request_ends_when_it_is_released() {
    let (address, seen) = server().await;
    let proxy = Proxy::start(address).await.unwrap();
    proxy.plan(Cut::Hold);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"0123456789").await.unwrap();
    tokio::time::timeout(std::time::Duration::from_millis(300), stream.readable()).await.unwrap_err();
    assert!(seen.lock().unwrap().is_empty());
    proxy.holds(1).await;
    proxy.release();
    let mut answer = vec![0; ANSWER.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(seen.lock().unwrap().as_slice(), [b"0123456789"]);
}

/// Who reads the answer in a failure must not look for its cause in the server.
#[tokio::test]
async fn an_answer_of_the_proxy_says_whose_it_is() {
    let (answer, _) = meet(Cut::Refuse(Response::new(503))).await;
    let answer = String::from_utf8(answer.unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 Injected by the suite\r\n"), "{answer}");
}

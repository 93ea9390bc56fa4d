//! A proxy that is to break connections must break them as it was told, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use longshore_conformance::proxy::{Cut, Proxy, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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

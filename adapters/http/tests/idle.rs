//! A line that stands still is given up, wherever it does; one that is only slow is not.
//!
//! The servers here stand still for ever, so no test depends on how fast the machine is. How slow a line may be is shown beside
//! the code, on virtual time.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use longshore_http::{FailureKind, Http, HttpOptions, Incoming, SendFailure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const IDLE: Duration = Duration::from_millis(200);

/// What a server does with its first connection, before it holds it for ever.
async fn server<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = TcpStream> + Send,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _held = serve(stream).await;
        std::future::pending::<()>().await;
    });
    address
}

/// One that reads the head, and says this.
async fn saying(answer: &'static [u8]) -> SocketAddr {
    server(async move |mut stream| {
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(answer).await.unwrap();
        stream
    })
    .await
}

fn impatient() -> HttpOptions {
    HttpOptions::default().with_idle_timeout(IDLE)
}

async fn put(http: &Http, address: SocketAddr, body: Bytes) -> Result<http::Response<Incoming>, SendFailure> {
    http.send(http::Request::put(format!("http://{address}/sesame")).body(Full::new(body)).unwrap()).await
}

fn stood_still(failure: &SendFailure) {
    assert_eq!(failure.kind(), FailureKind::Idle, "{failure}");
    assert!(failure.is_sent(), "the server may have seen it");
    assert!(failure.to_string().contains("nothing moved for 0.2 s"), "{failure}");
    assert!(!format!("{failure} {failure:?}").contains("sesame"));
}

#[tokio::test]
async fn a_server_that_reads_nothing_is_given_up() {
    let address = server(async |stream| stream).await;
    // More than all buffers on the way hold.
    let failure = put(&impatient().build().unwrap(), address, vec![7; 64 << 20].into()).await.unwrap_err();
    stood_still(&failure);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    for said in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"] {
        let failure = put(&impatient().build().unwrap(), saying(said).await, Bytes::new()).await.unwrap_err();
        stood_still(&failure);
    }
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    for said in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nh",
    ] {
        let answer = put(&impatient().build().unwrap(), saying(said).await, Bytes::new()).await.unwrap();
        stood_still(&answer.into_body().collect().await.unwrap_err());
    }
}

#[tokio::test]
async fn a_budget_is_for_the_head_and_the_body_together() {
    let hasty = || HttpOptions::default().with_request_budget(IDLE).build().unwrap();
    let failure = put(&hasty(), saying(b"").await, Bytes::new()).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::OverBudget, "{failure}");
    assert!(failure.is_sent());
    // Bytes keep coming, for ever.
    let address = server(async |mut stream| {
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await.unwrap();
        while stream.write_all(b"byte").await.is_ok() {
            tokio::time::sleep(IDLE / 100).await;
        }
        stream
    })
    .await;
    // On a machine that is slow enough, the budget ends before the head has come.
    let failure = match put(&hasty(), address, Bytes::new()).await {
        Ok(answer) => answer.into_body().collect().await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(failure.kind(), FailureKind::OverBudget, "{failure}");
}

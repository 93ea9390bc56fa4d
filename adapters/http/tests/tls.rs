//! Who answers is who was asked for; where that cannot be shown, nothing is sent, and the message says what to do.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

#[path = "tls/certificates.rs"]
mod certificates;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use certificates::AUTHORITY;
use http_body_util::BodyExt as _;
use longshore_core::{ErrorKind, Outcome};
use longshore_http::{FailureKind, HttpOptions, SendFailure};
use rustls::{ServerConnection, StreamOwned};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Serves each connection so, and passes on the heads of requests.
fn server(serve: impl Fn(TcpStream) -> Option<String> + Send + 'static) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), mpsc::channel());
    let accept = move || {
        for stream in listener.incoming().flatten() {
            if let Some(head) = serve(stream) {
                let _ = tell.send(head);
            }
        }
    };
    std::thread::Builder::new().name("server".to_owned()).spawn(accept).unwrap();
    (address, told)
}

fn tls(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    certificates::serve(stream, &[])
}

fn head(stream: impl std::io::Read) -> Option<String> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn encrypted() -> (SocketAddr, mpsc::Receiver<String>) {
    server(|stream| {
        let mut stream = tls(stream);
        let head = head(&mut stream)?;
        stream.write_all(ANSWER).ok()?;
        Some(head)
    })
}

fn plain() -> (SocketAddr, mpsc::Receiver<String>) {
    server(|mut stream| {
        let head = head(&stream)?;
        stream.write_all(ANSWER).ok()?;
        Some(head)
    })
}

async fn get(options: HttpOptions, address: &str) -> Result<String, SendFailure> {
    let request = http::Request::get(address).header("Authorization", "sesame").body(longshore_http::empty()).unwrap();
    let answer = options.build().unwrap().send(request).await?;
    Ok(String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec()).unwrap())
}

fn is_unsent(failure: &SendFailure, kind: FailureKind, hint: &str) {
    assert_eq!(failure.kind(), kind, "{failure}");
    let error = failure.to_error();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(failure.to_string().contains(hint), "{failure}");
    assert!(!format!("{failure} {failure:?} {error} {error:?}").contains("sesame"), "{failure:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_until_it_is_given() {
    let (address, requests) = encrypted();
    let address = format!("https://{address}/sesame");
    let failure = get(HttpOptions::default(), &address).await.unwrap_err();
    is_unsent(&failure, FailureKind::Certificate, "give its CA certificate");
    assert!(requests.try_recv().is_err(), "nothing is sent to whom we do not know");
    let trusting = HttpOptions::default().with_root_certificate(AUTHORITY);
    assert_eq!(get(trusting.clone(), &address).await.unwrap(), "hello");
    assert!(requests.recv().unwrap().contains("sesame"));
    assert!(!format!("{trusting:?}").contains("CERTIFICATE"));
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let (address, requests) = encrypted();
    let address = format!("https://[::ffff:127.0.0.1]:{}/sesame", address.port());
    let trusting = HttpOptions::default().with_root_certificate(AUTHORITY);
    let failure = get(trusting, &address).await.unwrap_err();
    is_unsent(&failure, FailureKind::CertificateName, "does not match the host name");
    // The authority is known: another one would not help.
    assert!(!failure.to_string().contains("CA certificate"), "{failure}");
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn tls_to_a_port_for_plain_text_says_so() {
    let (address, requests) = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        None
    });
    let failure = get(HttpOptions::default(), &format!("https://{address}/sesame")).await.unwrap_err();
    is_unsent(&failure, FailureKind::Tls, "is this an http address");
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn plain_text_to_a_port_for_tls_says_so() {
    let (address, _requests) = encrypted();
    let failure = get(HttpOptions::default(), &format!("http://{address}/sesame")).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotHttp, "{failure}");
    assert!(failure.to_string().contains("https"), "{failure}");
    assert!(!format!("{failure} {failure:?}").contains("sesame"));
}

/// The handshake went well, and the server read the request; then the line went bad.
#[tokio::test]
async fn tls_that_breaks_later_leaves_an_open_question() {
    let (address, requests) = server(|stream| {
        let mut stream = tls(stream);
        let head = head(&mut stream)?;
        stream.sock.write_all(b"\x17\x03\x03\0\x30 not what this server would have encrypted, by far...").ok()?;
        Some(head)
    });
    let trusting = HttpOptions::default().with_root_certificate(AUTHORITY);
    let failure = get(trusting, &format!("https://{address}/sesame")).await.unwrap_err();
    assert!(requests.recv().unwrap().contains("sesame"));
    assert_eq!(failure.kind(), FailureKind::Broken, "{failure}");
    assert_eq!(failure.to_error().outcome(), Outcome::Unknown, "it was seen");
}

#[tokio::test]
async fn nobody_there_is_told_as_that() {
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    for scheme in ["http", "https"] {
        let failure = get(HttpOptions::default(), &format!("{scheme}://{address}/sesame")).await.unwrap_err();
        is_unsent(&failure, FailureKind::Connect, "cannot be reached");
    }
}

#[tokio::test]
async fn a_proxy_is_used_but_for_hosts_that_are_excepted() {
    let ((proxy, asked), (direct, _requests)) = (plain(), plain());
    let address = format!("http://{direct}/path");
    let through = HttpOptions::default().with_proxy(format!("http://user:open-sesame@{proxy}"));
    assert!(!format!("{through:?}").contains("sesame"));
    assert_eq!(get(through.clone(), &address).await.unwrap(), "hello");
    let head = asked.recv().unwrap();
    assert!(head.starts_with(&format!("GET {address} ")), "{head}");
    assert!(head.to_lowercase().contains("\r\nproxy-authorization: basic "), "{head}");
    assert_eq!(get(through.with_no_proxy("127.0.0.1"), &address).await.unwrap(), "hello");
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn no_secret_is_told_by_settings_or_clients() {
    let options = HttpOptions::default().with_proxy("http://user:sesame@localhost:1").with_root_certificate(AUTHORITY);
    let client = options.clone().build().unwrap();
    let told = format!("{options:?} {client:?}");
    assert!(!told.contains("sesame") && !told.contains("CERTIFICATE"), "{told}");
    let bad = HttpOptions::default().with_proxy("nonsense://user:sesame@host:port:port").build().unwrap_err();
    assert!(!format!("{bad} {bad:?}").contains("sesame"), "{bad:?}");
}

//! A server that asks a function.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use futures::future::select;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

// Made for tests only: a certificate of `127.0.0.1`, and its key.
const CERTIFICATE: &[u8] = include_bytes!("../../tests/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../tests/tls/server-key.pem");

/// What an [`HttpServer`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP in plain text.
    Http,
    /// HTTP within TLS only.
    Https,
}

/// A server on a free port of loopback that answers as a function says, in a thread of its own, until it is dropped.
///
/// ```
/// use std::convert::Infallible;
/// use std::io::{Read as _, Write as _};
///
/// use longshore_http_script::{HttpServer, Scheme};
///
/// let answer = |request: hyper::Request<_>| async move {
///     Ok::<_, Infallible>(hyper::Response::new(request.uri().path().to_owned()))
/// };
/// let server = HttpServer::start(Scheme::Http, answer).unwrap();
/// let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
/// stream.write_all(b"GET /path HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n").unwrap();
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer).unwrap();
/// assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/path"), "{answer}");
/// ```
pub struct HttpServer {
    address: SocketAddr,
    scheme: Scheme,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// The authority, in PEM, that signed the certificate of those with TLS. No machine trusts it.
    pub const AUTHORITY: &'static str = include_str!("../../tests/tls/authority.pem");

    /// Starts one.
    pub fn start<A, R, B, E>(scheme: Scheme, answer: A) -> io::Result<Self>
    where
        A: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let tls = match scheme {
            Scheme::Http => None,
            Scheme::Https => Some(acceptor()?),
        };
        let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = async move { drop(select(pin!(serve(socket, tls, answer)), stopped).await) };
        let thread = Builder::new().name("http-server".to_owned()).spawn(move || runtime.block_on(serving))?;
        Ok(Self { address, scheme, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, as `http://127.0.0.1:port`, or `https` if it speaks TLS.
    pub fn origin(&self) -> String {
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpServer").field(&self.origin()).finish()
    }
}

fn acceptor() -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::from_pem_slice(CERTIFICATE).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(io::Error::other)?)))
}

async fn serve<A, R, B, E>(socket: std::net::TcpListener, tls: Option<TlsAcceptor>, answer: A)
where
    A: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Ok(listener) = TcpListener::from_std(socket) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, tls) = (answer.clone(), tls.clone());
        // An answer in two packets would wait for the client's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, answer).await,
                Some(tls) => {
                    // Who does not trust us goes away.
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, answer).await;
                    }
                }
            }
        });
    }
}

async fn converse<A, R, B, E>(stream: impl AsyncRead + AsyncWrite + Unpin, answer: A)
where
    A: Fn(Request<Incoming>) -> R,
    R: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // A client may go at any moment.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await);
}

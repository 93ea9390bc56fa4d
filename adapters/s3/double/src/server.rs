//! The socket, and the thread behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::objects::{Kind, Objects};
use crate::request;

// Made for tests only: a certificate of `127.0.0.1`, and its key.
const CERTIFICATE: &[u8] = include_bytes!("../../../http/tests/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../http/tests/tls/server-key.pem");

/// A running server.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    scheme: &'static str,
    objects: Arc<Objects>,
    // Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Double {
    /// The only bucket.
    pub const BUCKET: &'static str = "test";
    /// The only access key. Its secret may be anything: no signature is checked.
    pub const ACCESS_KEY: &'static str = "double";
    /// Where the bucket is, as it says when it refuses with `PermanentRedirect`.
    pub const OTHER_REGION: &'static str = "eu-west-3";
    /// The authority, in PEM, that signed the certificate of those with TLS. No machine trusts it.
    pub const AUTHORITY: &'static str = include_str!("../../../http/tests/tls/authority.pem");

    /// Starts one on a free port.
    pub fn start(kind: Kind) -> io::Result<Self> {
        Self::begin(kind, None)
    }

    /// Starts one on a free port, which speaks TLS only.
    pub fn start_with_tls(kind: Kind) -> io::Result<Self> {
        let chain = CertificateDer::from_pem_slice(CERTIFICATE).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key);
        Self::begin(kind, Some(TlsAcceptor::from(Arc::new(config.map_err(io::Error::other)?))))
    }

    fn begin(kind: Kind, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (stop, stopped) = oneshot::channel();
        let objects = Arc::new(Objects::new(kind));
        let served = Arc::clone(&objects);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("s3-double".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(socket) else { return };
                let serving = std::pin::pin!(serve(listener, tls, served));
                futures::future::select(serving, stopped).await;
            });
        })?;
        Ok(Self { address, scheme, objects, _stop: stop })
    }

    /// Answers this many more requests, and then its bucket is gone, with all that was in it.
    pub fn drop_bucket_after(&self, requests: u64) {
        self.objects.trouble().bucket_left = Some(requests);
    }

    /// Its bucket is there again, and empty if it was gone.
    pub fn make_bucket(&self) {
        self.objects.trouble().bucket_left = None;
    }

    /// Refuses each write with this status and, unless it is empty, this code, and applies none: a server that is full, or
    /// does not let us write.
    pub fn fail_writes(&self, status: u16, code: &str) {
        self.objects.trouble().writes = Some((status, code.to_owned()));
    }

    /// Takes writes again.
    pub fn take_writes(&self) {
        self.objects.trouble().writes = None;
    }

    /// Refuses each request with this status and this code.
    pub fn fail_all(&self, status: u16, code: &str) {
        self.objects.trouble().all = Some((status, code.to_owned()));
    }

    /// Answers requests again.
    pub fn fail_none(&self) {
        self.objects.trouble().all = None;
    }

    /// Keeps nothing of the parts of uploads from now on, which may be of any size then: their objects are empty.
    pub fn forget_parts(&self) {
        self.objects.trouble().forgets_parts = true;
    }

    /// How many bytes of bodies have come.
    pub fn received(&self) -> u64 {
        self.objects.received()
    }

    /// The keys of all objects, ascending.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.objects.keys("", "", |key, _| {
            keys.push(key.to_owned());
            true
        });
        keys
    }

    /// Stores an object, as another program would.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.objects.store(key, bytes.into());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many uploads in parts have begun, and are neither complete nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.objects.open_uploads()
    }

    /// Its endpoint, as `http://127.0.0.1:port`, or `https` if it speaks TLS.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, objects: Arc<Objects>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (objects, tls) = (Arc::clone(&objects), tls.clone());
        // An answer in two packets would wait for the client's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, objects).await,
                Some(tls) => {
                    // Who does not trust us goes away.
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, objects).await;
                    }
                }
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, objects: Arc<Objects>) {
    let service = service_fn(move |request| {
        let objects = Arc::clone(&objects);
        async move { request::answer(&objects, request).await }
    });
    // A connection that breaks is the client's to notice.
    drop(http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await);
}

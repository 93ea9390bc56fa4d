//! The socket, and the thread behind it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use futures::future::select;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::answer::Served;

// Made for tests only: a certificate of `127.0.0.1`, and its key.
const CERTIFICATE: &[u8] = include_bytes!("../../../http/tests/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../http/tests/tls/server-key.pem");

/// A running server.
pub struct Double {
    address: SocketAddr,
    scheme: &'static str,
    served: Arc<Served>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// The only user.
    pub const USER: &'static str = "dav";
    /// The user's password.
    pub const PASSWORD: &'static str = "dav-pass-1";
    /// The authority, in PEM, that signed the certificate of those with TLS. No machine trusts it.
    pub const AUTHORITY: &'static str = include_str!("../../../http/tests/tls/authority.pem");

    /// Starts one on a free port.
    pub fn start() -> io::Result<Self> {
        Self::begin(None)
    }

    /// Starts one on a free port, which speaks TLS only.
    pub fn start_with_tls() -> io::Result<Self> {
        let chain = CertificateDer::from_pem_slice(CERTIFICATE).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key);
        Self::begin(Some(TlsAcceptor::from(Arc::new(config.map_err(io::Error::other)?))))
    }

    fn begin(tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("store"))?;
        let served = Arc::new(Served::new(folder.path()));
        let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = {
            let served = Arc::clone(&served);
            async move { drop(select(pin!(serve(socket, tls, served)), stopped).await) }
        };
        let thread = Builder::new().name("webdav-double".to_owned()).spawn(move || runtime.block_on(serving))?;
        Ok(Self { address, scheme, served, folder, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of something in the folder that it serves.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.address)
    }

    /// The folder that it serves.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Answers every request with this status and this page for people, as a login form does in a server's place.
    pub fn show_page(&self, status: u16, page: &str) {
        self.served.trouble().page = Some((status, page.to_owned()));
    }

    /// Answers every request that would alter something with this status, and alters nothing.
    pub fn refuse_writes(&self, status: u16) {
        self.served.trouble().writes = Some(status);
    }

    /// Does again what it is asked.
    pub fn recover(&self) {
        *self.served.trouble() = crate::answer::Trouble::default();
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(socket: std::net::TcpListener, tls: Option<TlsAcceptor>, served: Arc<Served>) {
    let Ok(listener) = TcpListener::from_std(socket) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let (served, tls) = (Arc::clone(&served), tls.clone());
        // An answer in two packets would wait for the client's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, served).await,
                Some(tls) => {
                    // Who does not trust us goes away.
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, served).await;
                    }
                }
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, served: Arc<Served>) {
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        async move { Ok::<_, Infallible>(served.answer(request).await) }
    });
    // A client may go at any moment.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

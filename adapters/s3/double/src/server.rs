//! The socket, and the thread behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::objects::{Kind, Objects};
use crate::request;

/// A running server.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    objects: Arc<Objects>,
    // Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Double {
    /// The only bucket.
    pub const BUCKET: &'static str = "test";
    /// The only access key. Its secret may be anything: no signature is checked.
    pub const ACCESS_KEY: &'static str = "double";

    /// Starts one on a free port.
    pub fn start(kind: Kind) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let objects = Arc::new(Objects::new(kind));
        let served = Arc::clone(&objects);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("s3-double".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(socket) else { return };
                let serving = std::pin::pin!(serve(listener, served));
                futures::future::select(serving, stopped).await;
            });
        })?;
        Ok(Self { address, objects, _stop: stop })
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

    /// Its endpoint, as `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(listener: TcpListener, objects: Arc<Objects>) {
    while let Ok((stream, _)) = listener.accept().await {
        let objects = Arc::clone(&objects);
        // An answer in two packets would wait for the client's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let objects = Arc::clone(&objects);
                async move { request::answer(&objects, request).await }
            });
            // A connection that breaks is the client's to notice.
            drop(http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

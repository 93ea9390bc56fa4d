//! A WebDAV server in this process: the crate dav-server over a folder, behind a password.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::thread::{Builder, JoinHandle};

use dav_server::DavHandler;
use dav_server::fakels::FakeLs;
use dav_server::localfs::LocalFs;
use futures::future::select;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) const USER: &str = "dav";
pub(crate) const PASSWORD: &str = "dav-pass-1";
/// The value of `Authorization` that goes with them.
const BASIC: &str = "Basic ZGF2OmRhdi1wYXNzLTE=";

/// It runs in a thread of its own, in real time, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("store"))?;
        let handler = DavHandler::builder()
            .filesystem(LocalFs::new(folder.path(), false, false, false))
            .locksystem(FakeLs::new())
            .build_handler();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = async move {
            drop(select(pin!(serve(listener, handler)), stopped).await);
        };
        let thread = Builder::new().name("dav-server".to_owned()).spawn(move || runtime.block_on(serving))?;
        Ok(Self { address, _folder: folder, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(listener: std::net::TcpListener, handler: DavHandler) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let handler = handler.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let handler = handler.clone();
            async move {
                let told = request.headers().get("authorization").is_some_and(|value| value == BASIC);
                let response = if told {
                    handler.handle(request).await
                } else {
                    let mut response = Response::new(dav_server::body::Body::from("who are you?"));
                    *response.status_mut() = StatusCode::UNAUTHORIZED;
                    response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Basic realm=\"dav\""));
                    response
                };
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(async move {
            // A client may go at any moment.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

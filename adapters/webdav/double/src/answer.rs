//! From a request to an answer.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dav_server::DavHandler;
use dav_server::body::Body;
use dav_server::fakels::FakeLs;
use dav_server::localfs::LocalFs;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, SERVER, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};

/// The value of `Authorization` that goes with user and password.
const BASIC: &str = "Basic ZGF2OmRhdi1wYXNzLTE=";

/// What answers.
pub(crate) struct Served {
    handler: DavHandler,
    trouble: Mutex<Trouble>,
}

/// What stands in the server's way.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Every request is answered so: a status, and a page.
    pub(crate) page: Option<(u16, String)>,
    /// Every request that would alter something is answered with this status.
    pub(crate) writes: Option<u16>,
}

impl Served {
    pub(crate) fn new(folder: &Path) -> Self {
        let files = LocalFs::new(folder, false, false, false);
        let handler = DavHandler::builder().filesystem(files).locksystem(FakeLs::new()).build_handler();
        Self { handler, trouble: Mutex::default() }
    }

    pub(crate) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut answer = self.decide(request).await;
        answer.headers_mut().insert(SERVER, HeaderValue::from_static("webdav-double/1.0 (any)"));
        answer
    }

    async fn decide(&self, request: Request<Incoming>) -> Response<Body> {
        if let Some(answer) = self.in_the_way(request.method()) {
            return answer;
        }
        if request.headers().get(AUTHORIZATION).is_none_or(|value| value != BASIC) {
            let mut answer = of(401, "who are you?");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"dav\""));
            return answer;
        }
        self.handler.handle(request).await
    }

    fn in_the_way(&self, method: &Method) -> Option<Response<Body>> {
        let trouble = self.trouble();
        if let Some((status, page)) = &trouble.page {
            let mut answer = of(*status, page);
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            return Some(answer);
        }
        let reads = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND");
        trouble.writes.filter(|_| !reads).map(|status| of(status, "no"))
    }
}

fn of(status: u16, text: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(text.to_owned()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

//! From a request to an answer.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dav_server::DavHandler;
use dav_server::body::Body;
use dav_server::fakels::FakeLs;
use dav_server::localfs::LocalFs;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, SERVER, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};

use crate::moves::{Mover, Moves};

/// The value of `Authorization` that goes with user and password.
const BASIC: &str = "Basic ZGF2OmRhdi1wYXNzLTE=";

/// What answers.
pub(crate) struct Served {
    handler: DavHandler,
    mover: Mover,
    trouble: Mutex<Trouble>,
    wrong_logins: AtomicUsize,
}

/// What stands in the server's way.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Every request is answered so: a status, and a page.
    pub(crate) page: Option<(u16, String)>,
    /// Every request that would alter something is answered with this status.
    pub(crate) writes: Option<u16>,
    /// How it moves.
    pub(crate) moves: Moves,
}

impl Served {
    pub(crate) fn new(folder: &Path) -> Self {
        let files = LocalFs::new(folder, false, false, false);
        let handler = DavHandler::builder().filesystem(files).locksystem(FakeLs::new()).build_handler();
        Self { handler, mover: Mover::new(folder), trouble: Mutex::default(), wrong_logins: AtomicUsize::new(0) }
    }

    /// How often somebody showed another password.
    pub(crate) fn wrong_logins(&self) -> usize {
        self.wrong_logins.load(Ordering::SeqCst)
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
        let shown = request.headers().get(AUTHORIZATION);
        if shown.is_none_or(|value| value != BASIC) {
            self.wrong_logins.fetch_add(usize::from(shown.is_some()), Ordering::SeqCst);
            let mut answer = of(401, "who are you?");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"dav\""));
            return answer;
        }
        let moves = self.trouble().moves;
        if moves == Moves::Sound {
            return self.handler.handle(request).await;
        }
        let uri = request.uri().clone();
        if request.method().as_str() == "MOVE" {
            return of(self.mover.carry_out(moves, &request).await, "");
        }
        let reads = matches!(request.method().as_str(), "GET" | "HEAD");
        if reads && self.mover.hides(&uri) {
            return of(404, "not yet");
        }
        let answer = self.handler.handle(request).await;
        if reads {
            self.mover.was_read(&uri);
        }
        answer
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

//! One request after another: who we are, where it is redirected to, how fast it may go.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use longshore_core::{Error, ErrorKind, Outcome, Result, ServerTime};
use longshore_http::{FailureKind, Http, Incoming, SendFailure};
use tokio::time::sleep;
use url::Url;

use crate::auth::Auth;
use crate::errors;
use crate::place::{Base, Place};
use crate::root::Root;
use crate::throttle::Throttle;
use crate::upload::Upload;

/// How often a request is sent because of what its answer asks for: a login, or another address.
const TRIES: usize = 6;
/// How often one is sent again that met a lock which nobody holds.
const LOCKED: u32 = 5;
/// How often one is sent again whose connection broke before there was an answer.
pub(crate) const BROKEN: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(30);
/// The most bytes of an answer's body that are read to free the connection.
const MOST: usize = 64 * 1024;

/// The way to one server.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) http: Http,
    pub(crate) base: Base,
    pub(crate) auth: Auth,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) root: Root,
}

/// A request.
pub(crate) struct Ask {
    method: Method,
    address: String,
    headers: HeaderMap,
    upload: Upload,
    /// Whether it may be sent again if its connection closed before there was an answer.
    repeatable: bool,
    /// Whether it goes over a connection of its own.
    anew: bool,
}

impl Ask {
    pub(crate) fn new(method: &'static str, address: String) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        Self { method, address, headers: HeaderMap::new(), upload: Upload::NONE, repeatable: true, anew: false }
    }

    /// Is sent once: what a second time would mean, the caller has to find out.
    pub(crate) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// Goes over a connection of its own, since its first try broke with a kept-alive one: a busy server closes all of those at once.
    pub(crate) fn anew(mut self) -> Self {
        self.anew = true;
        self
    }

    /// A header; one that is malformed is left out, which no address of ours is.
    pub(crate) fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(crate) fn with_upload(mut self, upload: Upload) -> Self {
        self.upload = upload;
        self
    }

    /// The same again; `None` if its body is a stream.
    fn again(&self) -> Option<Self> {
        let (method, address, headers) = (self.method.clone(), self.address.clone(), self.headers.clone());
        let upload = self.upload.again()?;
        Some(Self { method, address, headers, upload, repeatable: self.repeatable, anew: self.anew })
    }
}

/// What the server said, whatever it was.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The server's clock, unless a cache answered.
    pub(crate) time: Option<ServerTime>,
    pub(crate) retry_after: Option<Duration>,
    /// The request was sent again after its connection closed: the server may have carried it out before this answer.
    pub(crate) repeated: bool,
    pub(crate) body: Incoming,
}

impl Answer {
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it is a page for people, as a login form or a hotel's network sends whatever it is asked.
    pub(crate) fn is_page(&self) -> bool {
        self.header(CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.trim_start().to_ascii_lowercase();
            kind.starts_with("text/html") || kind.starts_with("application/xhtml")
        })
    }

    /// Whether its bytes are others than those that are stored.
    pub(crate) fn is_encoded(&self) -> bool {
        self.header(CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
    }

    /// Whether the server says of its own that this is a success, and not with a page for people.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.status, 200 | 201 | 204) && !(self.status == 200 && self.is_page())
    }

    /// What this answer means as an error.
    pub(crate) fn error(&self) -> Error {
        errors::of_answer(self)
    }

    /// Reads what is left, so that the connection can be used again.
    pub(crate) async fn finish(self) {
        let _ = self.bytes(MOST).await;
    }

    /// The whole body; an error if it is larger than that many bytes.
    pub(crate) async fn bytes(self, most: usize) -> Result<Bytes> {
        let mut body = self.body;
        let hint = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX).min(most);
        let mut all = BytesMut::with_capacity(hint);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|failure| failure.to_error())?;
            let Ok(bytes) = frame.into_data() else { continue };
            if all.len() + bytes.len() > most {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the server's answer is longer than any that is awaited",
                ));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }
}

impl Client {
    /// The address of a file.
    pub(crate) fn file(&self, place: &Place) -> String {
        self.base.file(place)
    }

    /// The address of a collection.
    pub(crate) fn collection(&self, place: &Place) -> String {
        self.base.collection(place)
    }

    /// Sends a request, and again where the server asks for a login, for another address on the same host, or says that somebody
    /// holds a lock, which several say of their own requests.
    ///
    /// Errors: no answer at all, or one that asks for what cannot be given.
    pub(crate) async fn send(&self, ask: Ask) -> Result<Answer> {
        let mut repeated = false;
        let sent = self.send_until_free(ask, &mut repeated).await;
        match sent {
            Ok(answer) => Ok(Answer { repeated, ..answer }),
            // What was lost on the way may have been carried out, whatever became of the last try.
            Err(error) if repeated => Err(error.with_outcome(Outcome::Unknown)),
            Err(error) => Err(error),
        }
    }

    async fn send_until_free(&self, mut ask: Ask, repeated: &mut bool) -> Result<Answer> {
        for paused in 0..LOCKED {
            let again = ask.again();
            let answer = self.send_known(ask, repeated).await?;
            let Some(again) = again.filter(|_| answer.status == 423) else { return Ok(answer) };
            answer.finish().await;
            sleep(FIRST_PAUSE * (1 << paused)).await;
            ask = again;
        }
        self.send_known(ask, repeated).await
    }

    /// Sends it with a login, if one is asked for, and to where it is redirected.
    async fn send_known(&self, mut ask: Ask, repeated: &mut bool) -> Result<Answer> {
        for tried in 0..TRIES {
            if let Some(throttle) = &self.throttle {
                throttle.take().await?;
            }
            let turn = self.auth.turn().await.map_err(not_applied)?;
            let target = target_of(&ask.address);
            let (header, shown) = self.auth.header(&ask.method, &target).await.map_err(not_applied)?;
            let again = ask.again();
            let address = ask.address.clone();
            let answer = self.send_over(ask, header, repeated).await?;
            if answer.status == 401 {
                // The bodies of streams are gone, but what the challenge said is not: the caller comes again.
                let told = self.auth.refused(shown, &answer.headers, tried).await.map_err(not_applied);
                drop(turn);
                answer.finish().await;
                told?;
                ask = again.ok_or_else(|| {
                    not_applied(Error::new(ErrorKind::Unavailable, "the server asked for a new login"))
                })?;
                continue;
            }
            self.auth.accepted(shown);
            drop(turn);
            if !matches!(answer.status, 301 | 302 | 307 | 308) {
                return Ok(answer);
            }
            let address = self.redirected(&address, &answer)?;
            answer.finish().await;
            ask = again.ok_or_else(|| {
                not_applied(Error::new(ErrorKind::Unavailable, "the server moved the request elsewhere"))
            })?;
            ask.address = address;
        }
        Err(not_applied(Error::new(
            ErrorKind::Unavailable,
            "the server asks for a login, or moves the request, again and again",
        )))
    }

    /// Sends a request, and again over a new connection if a kept-alive one broke: servers close those at any moment, and a busy one all
    /// of them at once.
    async fn send_over(&self, mut ask: Ask, authorization: Option<String>, repeated: &mut bool) -> Result<Answer> {
        let mut broken = 0;
        loop {
            let again = if broken < BROKEN { ask.again() } else { None };
            let failure = match self.send_once(ask, authorization.as_deref()).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match (failure.kind(), again) {
                // The server says that it has not begun.
                (FailureKind::Refused, Some(again)) => ask = again,
                (FailureKind::Broken, Some(again)) if again.repeatable => {
                    *repeated = true;
                    ask = again.anew();
                }
                _ => return Err(failure.to_error()),
            }
            if broken > 0 {
                sleep(FIRST_PAUSE).await;
            }
            broken += 1;
        }
    }

    async fn send_once(&self, ask: Ask, authorization: Option<&str>) -> Result<Result<Answer, SendFailure>> {
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.address);
        if let Some(headers) = request.headers_mut() {
            *headers = ask.headers;
            // No cache on the way may answer for the server.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // Left to itself, the client says nothing of an empty body, which some servers take for none.
            if ask.method == Method::PUT && ask.upload.size_hint().exact() == Some(0) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            if let Some(mut value) = authorization.and_then(|text| HeaderValue::from_str(text).ok()) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
        }
        let anew = ask.anew;
        let request =
            request.body(ask.upload).map_err(|_| Error::new(ErrorKind::Invalid, "the address is malformed"))?;
        let sent = if anew { self.http.send_anew(request).await } else { self.http.send(request).await };
        let response = match sent {
            Ok(response) => response,
            Err(failure) => return Ok(Err(failure)),
        };
        let (parts, body) = response.into_parts();
        let told = longshore_http::Answer::of(parts.status, &parts.headers);
        Ok(Ok(Answer {
            status: told.status,
            headers: parts.headers,
            time: told.time,
            retry_after: told.retry_after,
            repeated: false,
            body,
        }))
    }

    /// Where a redirection leads, if it stays on the host: to no other are credentials and documents sent.
    fn redirected(&self, from: &str, answer: &Answer) -> Result<String> {
        let elsewhere = |what: String| not_applied(Error::new(ErrorKind::Invalid, what));
        let target = answer
            .header(LOCATION)
            .and_then(|location| Url::parse(from).ok()?.join(location).ok())
            .ok_or_else(|| elsewhere("the server moves the request, and does not say where to".to_owned()))?;
        let base = self.base.url();
        let here = target.scheme() == base.scheme()
            && target.host_str() == base.host_str()
            && target.port_or_known_default() == base.port_or_known_default();
        if here {
            return Ok(target.to_string());
        }
        let origin = target.origin().ascii_serialization();
        if target.host_str() == base.host_str() {
            return Err(elsewhere(format!(
                "the server sends us to {origin}, where no password is sent unasked; if that is right, use its address"
            )));
        }
        // As a hotel's network answers whatever is asked, until somebody has logged in.
        Err(not_applied(Error::new(
            ErrorKind::Unavailable,
            format!(
                "the server sends us to {origin}, where no password is sent unasked; log in to the network or, if that is right, \
                 use its address"
            ),
        )))
    }
}

/// Whether this is what became of a request whose connection broke before there was an answer.
pub(crate) fn is_lost(error: &Error) -> bool {
    let failure = error.source().and_then(|source| source.downcast_ref::<SendFailure>());
    failure.is_some_and(|failure| failure.kind() == FailureKind::Broken)
}

/// What the request's line shows of an address.
fn target_of(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) => url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        Err(_) => "/".to_owned(),
    }
}

fn not_applied(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}

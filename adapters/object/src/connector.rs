//! How an answer is seen: a connector that gives `object_store` our own HTTP client.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use http::header::CACHE_CONTROL;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method};
use longshore_core::{Error, ErrorKind};
use longshore_http::{Answer, Http, Incoming, SendFailure};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::clock;
use crate::credentials;
use crate::errors::of_answer;
use crate::exchange::{Answered, Exchange, Seen};
use crate::page;

/// The most bytes of an error's body that are read.
const MOST: usize = 64 * 1024;
/// The most bytes of a page of a listing: a thousand keys of 1,024 bytes, each of them escaped, and more. What is longer is cut,
/// and no listing then.
const PAGE: usize = 32 * 1024 * 1024;

/// Gives `object_store` an HTTP client of ours: one pool, each request sent once, idle timeouts, and an eye on every answer.
///
/// ```
/// use longshore_http::HttpOptions;
/// use longshore_object::Connector;
/// use object_store::client::HttpConnector;
///
/// let connector = Connector::new(HttpOptions::default().build()?);
/// assert!(connector.connect(&object_store::ClientOptions::new()).is_ok());
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connector(Http);

impl Connector {
    /// Sends all requests through this client.
    pub fn new(http: Http) -> Self {
        Self(http)
    }
}

impl HttpConnector for Connector {
    // What the options say of timeouts, certificates and proxies, the client was told already. Whether plain text is allowed
    // differs between a store and what gives its credentials.
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain_text = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|flag| is_true(&flag));
        Ok(HttpClient::new(Watched { http: self.0.clone(), plain_text }))
    }
}

/// Whether a flag is set, in the words that `object_store` knows.
///
/// ```
/// use longshore_object::is_true;
///
/// assert!(["1", "true", "on", "yes", "Y"].into_iter().all(is_true));
/// assert!(!["0", "false", "off", "no", "n", "", "maybe"].into_iter().any(is_true));
/// ```
pub fn is_true(flag: &str) -> bool {
    ["1", "true", "on", "yes", "y"].iter().any(|word| flag.eq_ignore_ascii_case(word))
}

#[derive(Debug)]
struct Watched {
    http: Http,
    /// Whether requests may go without TLS.
    plain_text: bool,
}

#[async_trait]
impl HttpService for Watched {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.plain_text && request.uri().scheme() != Some(&Scheme::HTTPS) {
            return Err(without_tls());
        }
        let (asked, signed) = (Asked::by(&request), clock::signed(request.headers()));
        // No cache on the way may answer for the server. A signature covers the headers that it names, and this is none of them; of a
        // write it would be kept with the object.
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            request.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let response = self.http.send(request).await.map_err(failed)?;
        let (parts, body) = response.into_parts();
        let mut answered = Answered { signed, ..head(parts.status, &parts.headers) };
        let body = match (parts.status.is_success(), asked) {
            (true, Asked::Other) if overflows(&parts.headers) => return Err(no_answer(&answered)),
            (true, Asked::Other) => {
                Exchange::note(Seen::Answered(answered));
                HttpResponseBody::new(http_body_util::BodyExt::map_err(body, http_error))
            }
            (true, Asked::Page) => {
                let (xml, whole) = read(body, PAGE).await;
                whole.map_err(failed)?;
                let page = page::checked(xml.freeze()).ok_or_else(|| no_answer(&answered))?;
                Exchange::note(Seen::Answered(answered));
                page.into()
            }
            (true, Asked::Write) => {
                let (bytes, whole) = read(body, MOST).await;
                whole.map_err(failed)?;
                if !bytes.trim_ascii().is_empty() {
                    return Err(no_answer(&answered));
                }
                Exchange::note(Seen::Answered(answered));
                Bytes::new().into()
            }
            (true, Asked::Completion) => {
                let (bytes, whole) = read(body, MOST).await;
                whole.map_err(failed)?;
                answered.code = code(&bytes);
                if answered.code.is_some() {
                    return Err(no_answer(&answered));
                }
                Exchange::note(Seen::Answered(answered));
                bytes.freeze().into()
            }
            (true, Asked::Word) => {
                let (bytes, whole) = read(body, MOST).await;
                whole.map_err(failed)?;
                let word = bytes.trim_ascii();
                if !word.iter().all(u8::is_ascii_graphic) {
                    return Err(no_answer(&answered));
                }
                Exchange::note(Seen::Answered(answered));
                Bytes::copy_from_slice(word).into()
            }
            (false, _) => {
                let (bytes, whole) = read(body, MOST).await;
                answered.code = code(&bytes);
                // Of a server that dies in the middle of its answer, the status alone says too little: 404 may be of the
                // object, of the bucket or of the dying. A failed condition needs no more words.
                if answered.code.is_none() && !matches!(answered.status, 304 | 412) {
                    whole.map_err(failed)?;
                }
                Exchange::note(Seen::Answered(answered));
                // `object_store` wants text.
                String::from_utf8_lossy(&bytes).into_owned().into()
            }
        };
        Ok(HttpResponse::from_parts(parts, body))
    }
}

/// What a request asks for, as far as its answer is looked into.
#[derive(Clone, Copy)]
enum Asked {
    /// To store something. No object store answers that with a body: a page of another server, such as a hotel's, does.
    Write,
    /// A page of a listing.
    Page,
    /// That the parts of an upload become an object. The server says 200 before it has done that, and may say that it failed
    /// after all: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>.
    Completion,
    /// A token or a name of the machine's metadata service, which becomes a part of the next request to it. `object_store` panics
    /// where it does not fit into one, as a page of another server does not.
    Word,
    Other,
}

impl Asked {
    fn by(request: &HttpRequest) -> Self {
        // A metadata service gives its token in answer to a PUT, and its role where a folder is asked for.
        if credentials::are_asked_for() {
            let path = request.uri().path();
            let word = *request.method() == Method::PUT || path.ends_with("/iam/security-credentials/");
            return if word { Self::Word } else { Self::Other };
        }
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
        match *request.method() {
            Method::PUT => Self::Write,
            Method::GET if has("list-type=2") => Self::Page,
            Method::POST if has("uploadId=") => Self::Completion,
            _ => Self::Other,
        }
    }
}

/// Notes a failure.
fn failed(failure: SendFailure) -> HttpError {
    Exchange::note(Seen::Failed(failure.to_error()));
    http_error(failure)
}

fn without_tls() -> HttpError {
    let error =
        || Error::new(ErrorKind::Invalid, "its address has no TLS, and plain text is not allowed there; write https");
    Exchange::note(Seen::Failed(error()));
    HttpError::new(HttpErrorKind::Unknown, error())
}

fn no_answer(answered: &Answered) -> HttpError {
    Exchange::note(Seen::Failed(of_answer(answered)));
    HttpError::new(HttpErrorKind::Decode, of_answer(answered))
}

fn head(status: http::StatusCode, headers: &HeaderMap) -> Answered {
    let answer = Answer::of(status, headers);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Answered {
        status: answer.status,
        time: answer.time,
        retry_after: answer.retry_after,
        signed: None,
        code: None,
        region: text("x-amz-bucket-region").filter(|name| is_plain(name)).map(str::to_owned),
        size: text("content-range").and_then(|range| range.strip_prefix("bytes */")?.parse().ok()),
    }
}

/// Whether a range ends at the last number there is: `object_store` counts on from it.
fn overflows(headers: &HeaderMap) -> bool {
    let range = headers.get(http::header::CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    range.split(['-', '/']).any(|number| number.trim().parse() == Ok(u64::MAX))
}

/// What may be repeated in a message: nothing that a server could make up to mislead.
fn is_plain(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// The first bytes of a body, and whether it broke off before them.
async fn read(body: Incoming, most: usize) -> (BytesMut, Result<(), SendFailure>) {
    let mut stream = http_body_util::BodyDataStream::new(body);
    let mut all = BytesMut::new();
    loop {
        match stream.try_next().await {
            Ok(Some(bytes)) => all.extend_from_slice(&bytes[..bytes.len().min(most - all.len())]),
            Ok(None) => return (all, Ok(())),
            Err(failure) => return (all, Err(failure)),
        }
        if all.len() == most {
            return (all, Ok(()));
        }
    }
}

/// The `Code` of an error's XML body, as S3 and Azure send it.
fn code(body: &[u8]) -> Option<String> {
    let mut reader = Reader::from_reader(body);
    let mut within = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => within = tag.local_name().as_ref() == b"Code",
            Event::Text(text) if within => {
                let text = text.decode().ok()?;
                return is_plain(text.trim()).then(|| text.trim().to_owned());
            }
            Event::End(_) => within = false,
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn http_error(failure: SendFailure) -> HttpError {
    let kind = if failure.is_sent() { HttpErrorKind::Interrupted } else { HttpErrorKind::Connect };
    HttpError::new(kind, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_from_xml_only() {
        let xml = br#"<?xml version="1.0"?><Error xmlns="x"><Code> SlowDown </Code><Message>Code</Message></Error>"#;
        assert_eq!(code(xml).as_deref(), Some("SlowDown"));
        for other in [
            "",
            "<html><body>Code",
            "<Code></Code>",
            "<Code>a b</Code>",
            "<Error><Code",
            "\u{0}\u{1}",
            "<Code>\u{1b}[2J</Code>",
        ] {
            assert_eq!(code(other.as_bytes()), None, "{other:?}");
        }
    }
}

//! From a request to an answer.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_RANGE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use crate::listing;
use crate::objects::{Decided, Objects};
use crate::server::Double;

type Answer = Response<Full<Bytes>>;

/// Answers one request.
pub(crate) async fn answer(objects: &Objects, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let (body, whole) = read(objects, body).await;
    if !is_known(&parts.headers) {
        return Ok(error(StatusCode::FORBIDDEN, "InvalidAccessKeyId"));
    }
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    if bucket != Double::BUCKET || !objects.has_bucket() {
        return Ok(error(StatusCode::NOT_FOUND, "NoSuchBucket"));
    }
    if let Some(refused) = refused(objects, &parts.method) {
        return Ok(refused);
    }
    let query = query(parts.uri.query().unwrap_or_default());
    let only_new = parts.headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*");
    Ok(match (&parts.method, key.is_empty()) {
        (&Method::GET, true) => xml(listing::page(objects, &query)),
        (&Method::GET | &Method::HEAD, false) => object(objects, key, &parts.headers, parts.method == Method::HEAD),
        (&Method::PUT, false) if !whole && !objects.keeps_half() => error(StatusCode::BAD_REQUEST, "IncompleteBody"),
        (&Method::PUT, false) if query.contains_key("uploadId") => part(objects, &query, body),
        (&Method::PUT, false) => match objects.put(key.to_owned(), body, only_new).await {
            Decided::Written => tagged(Response::new(Full::default())),
            Decided::Exists => error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        },
        (&Method::POST, false) if query.contains_key("uploads") => {
            let id = objects.begin_upload();
            xml(format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"))
        }
        (&Method::POST, false) => complete(objects, key, &query).await,
        (&Method::DELETE, false) => {
            match upload_id(&query) {
                Some(id) => drop(objects.end_upload(id)),
                None => objects.delete(key),
            }
            status(StatusCode::NO_CONTENT)
        }
        _ => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    })
}

/// The body, and whether it came to its end.
async fn read(objects: &Objects, mut body: Incoming) -> (Bytes, bool) {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Some(bytes) = frame.data_ref() {
                    objects.receive(bytes.len());
                    all.extend_from_slice(bytes);
                }
            }
            Err(_) => return (all.freeze(), false),
        }
    }
    (all.freeze(), true)
}

/// The answer to a request that a test wants to be refused.
fn refused(objects: &Objects, method: &Method) -> Option<Answer> {
    let writes = matches!(*method, Method::PUT | Method::POST);
    let trouble = objects.trouble();
    let (code, name) = trouble.all.as_ref().or_else(|| trouble.writes.as_ref().filter(|_| writes))?;
    let mut answer = error(StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), name);
    if name == "PermanentRedirect" {
        insert(&mut answer, http::HeaderName::from_static("x-amz-bucket-region"), Double::OTHER_REGION);
    }
    Some(answer)
}

/// Whether the request is signed with the one key.
fn is_known(headers: &HeaderMap) -> bool {
    let signature = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    signature.contains(&format!("Credential={}/", Double::ACCESS_KEY))
}

fn query(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn upload_id(query: &BTreeMap<String, String>) -> Option<u64> {
    query.get("uploadId")?.parse().ok()
}

fn part(objects: &Objects, query: &BTreeMap<String, String>, body: Bytes) -> Answer {
    let number = query.get("partNumber").and_then(|number| number.parse().ok()).unwrap_or(0);
    if upload_id(query).is_some_and(|id| objects.add_part(id, number, body)) {
        tagged(Response::new(Full::default()))
    } else {
        error(StatusCode::NOT_FOUND, "NoSuchUpload")
    }
}

async fn complete(objects: &Objects, key: &str, query: &BTreeMap<String, String>) -> Answer {
    let Some(bytes) = upload_id(query).and_then(|id| objects.end_upload(id)) else {
        return error(StatusCode::NOT_FOUND, "NoSuchUpload");
    };
    objects.put(key.to_owned(), bytes, false).await;
    xml("<CompleteMultipartUploadResult><ETag>&quot;0-1&quot;</ETag></CompleteMultipartUploadResult>".to_owned())
}

fn object(objects: &Objects, key: &str, headers: &HeaderMap, head: bool) -> Answer {
    let Some(bytes) = objects.get(key) else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    let size = bytes.len();
    let asked = headers.get(RANGE).and_then(|value| range(value.to_str().ok()?));
    let (code, body, at) = match asked {
        Some((start, _)) if start >= size => {
            let mut answer = error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
            insert(&mut answer, CONTENT_RANGE, &format!("bytes */{size}"));
            return answer;
        }
        Some((start, last)) => {
            let last = last.min(size - 1);
            let at = format!("bytes {start}-{last}/{size}");
            (StatusCode::PARTIAL_CONTENT, bytes.slice(start..=last), Some(at))
        }
        None => (StatusCode::OK, bytes, None),
    };
    let len = body.len().to_string();
    let mut answer = Response::new(Full::new(if head { Bytes::new() } else { body }));
    *answer.status_mut() = code;
    if head {
        insert(&mut answer, http::header::CONTENT_LENGTH, &len);
    }
    insert(&mut answer, LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT");
    if let Some(at) = at {
        insert(&mut answer, CONTENT_RANGE, &at);
    }
    tagged(answer)
}

/// The first and the last byte of `bytes=first-last`.
fn range(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let last = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
    Some((first.parse().ok()?, last))
}

fn insert(answer: &mut Answer, name: http::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
}

fn tagged(mut answer: Answer) -> Answer {
    insert(&mut answer, ETAG, "\"0\"");
    answer
}

fn status(code: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = code;
    answer
}

fn xml(text: String) -> Answer {
    Response::new(Full::new(text.into()))
}

fn error(code: StatusCode, name: &str) -> Answer {
    let mut answer = xml(format!("<?xml version=\"1.0\"?><Error><Code>{name}</Code></Error>"));
    *answer.status_mut() = code;
    answer
}

//! A storage over that server, right or wrong in one way.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, Object, ObjectKey, Outcome, Payload, Reply,
    Result, Storage,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long the client waits for a byte.
const IDLE: Duration = Duration::from_millis(400);

/// In which one way a client is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    SendsCreatesAgain,
    TakesShortBodies,
    LostIsNotApplied,
    LostIsDone,
    ErrorIsNotApplied,
    ErrorIsFinal,
    BusyIsDone,
    BusyIsMissing,
    IgnoresDates,
    WaitsForEver,
    UnreadableIsDone,
    AnythingIsListing,
    RemembersFailures,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) wrong: Wrong,
    failed: Arc<Mutex<BTreeSet<ObjectKey>>>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self { status, head: String::new(), body: Vec::new() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn lost(what: &'static str, outcome: Outcome) -> Error {
    Error::new(ErrorKind::Unavailable, what).with_outcome(outcome)
}

impl Client {
    pub(crate) fn new(address: SocketAddr, wrong: Wrong) -> Self {
        Self { address, wrong, failed: Arc::default() }
    }

    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    /// Sends one request, and reads its answer.
    async fn send(&self, method: &str, path: &str, condition: &str, body: &[u8]) -> Result<Answer> {
        let refused = |_| lost("the server cannot be reached", Outcome::NotApplied);
        let mut stream = TcpStream::connect(self.address).await.map_err(refused)?;
        let head =
            format!("{method} /{path} HTTP/1.1\r\nHost: objects\r\nContent-Length: {}\r\n{condition}\r\n", body.len());
        let exchange = async {
            stream.write_all(&[head.as_bytes(), body].concat()).await?;
            self.answer(&mut stream).await
        };
        match exchange.await {
            Ok(answer) => Ok(answer),
            Err(_) if self.is(Wrong::LostIsDone) && method != "GET" => Ok(Answer::new(200)),
            Err(_) if self.is(Wrong::LostIsNotApplied) => Err(lost("the connection broke", Outcome::NotApplied)),
            Err(_) => Err(lost("the connection broke", Outcome::Unknown)),
        }
    }

    async fn answer(&self, stream: &mut TcpStream) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let mut more = [0];
            if self.read(stream, &mut more).await? == 0 {
                if self.is(Wrong::UnreadableIsDone) && !bytes.is_empty() && !bytes.starts_with(b"H") {
                    return Ok(Answer::new(200));
                }
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.push(more[0]);
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let mut answer = Answer { status, head, body: Vec::new() };
        let len: usize = answer.header("Content-Length").and_then(|len| len.parse().ok()).unwrap_or(0);
        while answer.body.len() < len {
            let mut more = vec![0; len - answer.body.len()];
            let read = match self.read(stream, &mut more).await {
                Ok(0) | Err(_) if self.is(Wrong::TakesShortBodies) => return Ok(answer),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => read?,
            };
            answer.body.extend_from_slice(&more[..read]);
        }
        Ok(answer)
    }

    async fn read(&self, stream: &mut TcpStream, into: &mut [u8]) -> io::Result<usize> {
        if self.is(Wrong::WaitsForEver) {
            return stream.read(into).await;
        }
        tokio::time::timeout(IDLE, stream.read(into)).await?
    }

    /// The error that an answer is.
    fn failed(&self, answer: &Answer) -> Error {
        let error = |kind| Error::new(kind, format!("the server answered {}", answer.status));
        match answer.status {
            429 | 503 => {
                let busy = error(ErrorKind::Unavailable).with_throttled();
                match self.retry_after(answer) {
                    Some(after) => busy.with_retry_after(after),
                    None => busy,
                }
            }
            500.. if self.is(Wrong::ErrorIsFinal) => error(ErrorKind::Internal).with_outcome(Outcome::Unknown),
            500.. if self.is(Wrong::ErrorIsNotApplied) => {
                error(ErrorKind::Unavailable).with_outcome(Outcome::NotApplied)
            }
            400..500 => error(ErrorKind::Invalid),
            _ => error(ErrorKind::Unavailable),
        }
    }

    fn retry_after(&self, answer: &Answer) -> Option<Duration> {
        let text = answer.header("Retry-After")?;
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = |text: &str| httpdate::parse_http_date(text).ok();
        if self.is(Wrong::IgnoresDates) {
            return None;
        }
        date(text)?.duration_since(date(answer.header("Date")?)?).ok()
    }

    /// Whether a write was done.
    fn is_done(&self, answer: &Answer) -> bool {
        matches!(answer.status, 200..300) || (answer.status == 429 && self.is(Wrong::BusyIsDone))
    }

    fn is_missing(&self, answer: &Answer) -> bool {
        answer.status == 404 || (answer.status == 503 && self.is(Wrong::BusyIsMissing))
    }
}

#[async_trait]
impl Storage for Client {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let send = || self.send("PUT", key.as_str(), "If-None-Match: *\r\n", &bytes);
        let mut answer = send().await;
        let failed = answer.as_ref().map_or(true, |answer| answer.status >= 500);
        if failed && self.is(Wrong::SendsCreatesAgain) {
            answer = send().await;
        }
        if answer.as_ref().map_or(true, |answer| answer.status >= 500) {
            self.failed.lock().unwrap().insert(key.clone());
        }
        match answer? {
            answer if self.is_done(&answer) => Ok(Reply::new(Created::Created)),
            answer if answer.status == 412 => Ok(Reply::new(Created::Exists)),
            answer => Err(self.failed(&answer)),
        }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let parts: Vec<Bytes> = payload.into_stream().try_collect().await?;
        let answer = self.send("PUT", key.as_str(), "", &parts.concat()).await?;
        if self.is_done(&answer) { Ok(Reply::new(())) } else { Err(self.failed(&answer)) }
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        if self.is(Wrong::RemembersFailures) && self.failed.lock().unwrap().contains(key) {
            return Ok(Reply::new(None));
        }
        let answer = self.send("GET", key.as_str(), "", &[]).await?;
        if self.is_missing(&answer) {
            return Ok(Reply::new(None));
        }
        if answer.status != 200 {
            return Err(self.failed(&answer));
        }
        let size = answer.body.len() as u64;
        let within = range.within(size);
        let bytes = &answer.body[usize::try_from(within.start).unwrap()..usize::try_from(within.end).unwrap()];
        let (len, bytes) = (bytes.len() as u64, Bytes::copy_from_slice(bytes));
        Ok(Reply::new(Some(Object::new(size, len, stream::iter([Ok(bytes)]).boxed()))))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let path = if folder.as_str().is_empty() { String::new() } else { format!("{folder}/") };
        let answer = self.send("GET", &path, "", &[]).await?;
        if self.is_missing(&answer) {
            return Ok(Reply::new(Listing::default()));
        }
        if answer.status != 200 {
            return Err(self.failed(&answer));
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let (head, names) = text.split_once('\n').unwrap_or((&text, ""));
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        let lenient = self.is(Wrong::AnythingIsListing) || self.is(Wrong::TakesShortBodies);
        if head != format!("names {}", names.len()) && !lenient {
            return Err(lost("the server sent no listing", Outcome::NotApplied));
        }
        names.retain(|name| after.is_none_or(|after| name.as_str() > after));
        Ok(Reply::new(Listing { names, more: false }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let answer = self.send("DELETE", key.as_str(), "", &[]).await?;
        if self.is_done(&answer) { Ok(Reply::new(())) } else { Err(self.failed(&answer)) }
    }
}

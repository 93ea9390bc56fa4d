//! A server that says what it was told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::ObjectKey;
use longshore_s3::{HttpOptions, S3};

/// What one request meets.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes; then the connection goes on.
    Keep(Vec<u8>),
    /// These bytes; then the connection ends.
    Close(Vec<u8>),
    /// These bytes; then nothing, while the connection stays.
    Hold(Vec<u8>),
    /// These bytes; then zeros for as long as anybody takes them.
    Flood(Vec<u8>),
}

/// A response with a body, and the length of that.
pub(crate) fn response(status: u16, headers: &str, body: &str) -> Answer {
    Answer::Keep(raw(status, &format!("{headers}Content-Length: {}\r\n", body.len()), body))
}

/// A response as S3 gives it to a request that it refuses.
pub(crate) fn refusal(status: u16, headers: &str, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>sesame</Message></Error>");
    response(status, &format!("{headers}Content-Type: application/xml\r\n"), &body)
}

/// A response whose length is another's to say.
pub(crate) fn raw(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Planned\r\nDate: Thu, 01 Jan 1970 00:01:00 GMT\r\n{headers}\r\n{body}").into_bytes()
}

/// The server. What no answer is left for is refused with 418.
#[derive(Debug)]
pub(crate) struct Script {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<String>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(State::default()));
        state.answers.lock().unwrap().extend(answers);
        let serving = Arc::clone(&state);
        start(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                start(move || serve(&state, &stream));
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many answers nobody has asked for.
    pub(crate) fn left(&self) -> usize {
        self.state.answers.lock().unwrap().len()
    }

    /// A bucket on it, whose key, secret and token all hold the word `sesame`.
    pub(crate) fn bucket(&self) -> S3 {
        bucket(self.address, Duration::from_secs(20))
    }

    /// The same, for a server that stands still.
    pub(crate) fn impatient(&self) -> S3 {
        bucket(self.address, Duration::from_millis(300))
    }
}

fn bucket(address: SocketAddr, idle: Duration) -> S3 {
    S3::builder("test")
        .with_prefix("notes")
        .with_endpoint(format!("http://{address}"))
        .with_allow_http(true)
        .with_credentials("key-sesame", "secret-sesame", Some("token-sesame".to_owned()))
        .with_http(HttpOptions::default().with_idle_timeout(idle))
        .build()
        .unwrap()
}

fn start(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name("script".to_owned()).spawn(work).unwrap();
}

/// Until the client goes, or an answer ends the connection.
fn serve(state: &State, stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(head) = request(&mut reader) {
        state.requests.lock().unwrap().push(head);
        let answer = state.answers.lock().unwrap().pop_front();
        let mut writer = stream;
        let (bytes, goes_on) = match answer.unwrap_or_else(|| response(418, "", "")) {
            Answer::Keep(bytes) => (bytes, true),
            Answer::Close(bytes) => (bytes, false),
            Answer::Hold(bytes) => {
                let _ = writer.write_all(&bytes);
                // It ends when the client gives up.
                let _ = reader.read(&mut [0]);
                return;
            }
            Answer::Flood(bytes) => {
                let _ = writer.write_all(&bytes);
                let zeros = vec![b'0'; 65_536];
                while writer.write_all(&zeros).is_ok() {}
                return;
            }
        };
        if writer.write_all(&bytes).is_err() || !goes_on {
            return;
        }
    }
}

/// The head of the next request; its body is read and dropped.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(head)
}

pub(crate) fn record() -> ObjectKey {
    ObjectKey::new("domains/main/log/0000000000000000/0000000000000001/data").unwrap()
}

pub(crate) fn segment() -> ObjectKey {
    ObjectKey::new("domains/main/segments/one").unwrap()
}

//! Servers for tests: [`Script`] says what it was told to, and remembers what it was asked; [`HttpServer`] asks a function, also within
//! TLS. And [`Log`], which hears all that is logged meanwhile.
//!
//! ```
//! use longshore_http_script::{Script, response};
//! use std::io::{Read as _, Write as _};
//!
//! let server = Script::new([response(200, "", "hello")]).unwrap();
//! let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
//! stream.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
//! let mut answer = [0; 12];
//! stream.read_exact(&mut answer).unwrap();
//! assert_eq!(&answer, b"HTTP/1.1 200");
//! assert!(server.requests()[0].starts_with("GET / "));
//! ```

mod log;
mod server;

pub use crate::log::Log;
pub use crate::server::{HttpServer, Scheme};

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one request meets.
#[derive(Clone, Debug)]
pub enum Answer {
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
pub fn response(status: u16, headers: &str, body: &str) -> Answer {
    Answer::Keep(raw(status, &format!("{headers}Content-Length: {}\r\n", body.len()), body))
}

/// A response whose length is another's to say. It is of one minute after the epoch, unless its headers have another `Date`.
pub fn raw(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let dated = headers.lines().any(|line| line.to_ascii_lowercase().starts_with("date:"));
    let date = if dated { "" } else { "Date: Thu, 01 Jan 1970 00:01:00 GMT\r\n" };
    format!("HTTP/1.1 {status} Planned\r\n{date}{headers}\r\n{body}").into_bytes()
}

/// The server. What no answer is left for is refused with 418.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<String>>,
}

impl Script {
    /// A server that listens on loopback, in threads of its own, as long as the program runs. It answers in this order.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, state) = (listener.local_addr()?, Arc::new(State::default()));
        locked(&state.answers).extend(answers);
        let serving = Arc::clone(&state);
        start(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                // Without a thread there is no answer, and the test that waits for it says so.
                drop(start(move || serve(&state, &stream)));
            }
        })?;
        Ok(Self { address, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests, in the order in which they came.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.state.requests).clone()
    }

    /// How many answers nobody has asked for.
    pub fn left(&self) -> usize {
        locked(&self.state.answers).len()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name("script".to_owned()).spawn(work).map(drop)
}

/// Until the client goes, or an answer ends the connection.
fn serve(state: &State, stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(head) = request(&mut reader) {
        locked(&state.requests).push(head);
        let answer = locked(&state.answers).pop_front();
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

//! Objects in memory behind HTTP/1.1, one request to a connection.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Right,
    /// Whether a create may write is decided by its head.
    DecidesAtStart,
    /// Of a body that breaks off it keeps what came.
    KeepsHalf,
}

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Starts one, in a thread of its own, which ends with the process.
pub(crate) fn start(kind: Kind) -> SocketAddr {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serve = async move {
        let (listener, objects) = (TcpListener::from_std(socket).unwrap(), Objects::default());
        while let Ok((stream, _)) = listener.accept().await {
            let objects = Arc::clone(&objects);
            // A connection that breaks is the client's to notice.
            tokio::spawn(async move { drop(answer(stream, &objects, kind).await) });
        }
    };
    std::thread::Builder::new().name("objects".to_owned()).spawn(move || runtime.block_on(serve)).unwrap();
    address
}

struct Head {
    method: String,
    path: String,
    only_new: bool,
    len: usize,
}

/// Reads up to the empty line, byte by byte; none if the connection ends before.
async fn head(stream: &mut TcpStream) -> io::Result<Head> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut words = text.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Ok(Head {
        method: method.to_owned(),
        path: path.trim_start_matches('/').to_owned(),
        only_new: value("If-None-Match: ").is_some(),
        len: value("Content-Length: ").and_then(|len| len.parse().ok()).unwrap_or(0),
    })
}

async fn answer(mut stream: TcpStream, objects: &Objects, kind: Kind) -> io::Result<()> {
    let head = head(&mut stream).await?;
    let taken = || objects.lock().unwrap().contains_key(&head.path);
    let decided = (kind == Kind::DecidesAtStart).then(taken);
    let mut body = Vec::new();
    let read = (&mut stream).take(head.len as u64).read_to_end(&mut body).await;
    if body.len() < head.len && kind != Kind::KeepsHalf {
        return read.map(drop);
    }
    let (status, body) = match head.method.as_str() {
        "PUT" => {
            let mut objects = objects.lock().unwrap();
            let taken = decided.unwrap_or_else(|| objects.contains_key(&head.path));
            if head.only_new && taken {
                (412, Vec::new())
            } else {
                objects.insert(head.path, body);
                (200, Vec::new())
            }
        }
        "DELETE" => {
            objects.lock().unwrap().remove(&head.path);
            (204, Vec::new())
        }
        _ if head.path.is_empty() || head.path.ends_with('/') => (200, listing(objects, &head.path)),
        _ => objects.lock().unwrap().get(&head.path).map_or((404, Vec::new()), |bytes| (200, bytes.clone())),
    };
    let head = format!("HTTP/1.1 {status} OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    stream.shutdown().await
}

/// How many names there are, and each on a line of its own.
fn listing(objects: &Objects, folder: &str) -> Vec<u8> {
    let objects = objects.lock().unwrap();
    let inside = objects.keys().filter_map(|key| key.strip_prefix(folder));
    let names: BTreeSet<&str> = inside.filter_map(|rest| rest.split('/').next()).collect();
    let mut text = format!("names {}\n", names.len());
    for name in names {
        text.extend([name, "\n"]);
    }
    text.into_bytes()
}

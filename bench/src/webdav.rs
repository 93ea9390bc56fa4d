//! The library on a WebDAV server at the end of a long line: requests at the socket, round trips, and the time that they take.
//!
//! The server is one in this process, behind a proxy that holds each answer back for 50 ms: what is measured is how many round trips lie
//! one behind another, and what the library adds to them. Opening a connection costs nothing here, as it does not where one is kept.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use longshore::{
    Change, Client, Document, DomainName, HttpOptions, MemoryReplica, StoredServer, SyncReport, TokioRuntime, WebDav,
};
use longshore_conformance::meter::Meter;
use longshore_webdav_double::Double;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::Line;
use crate::library::tokio;
use crate::set::{median, seconds};

/// How often everything is measured; the middle one counts.
const ROUNDS: usize = 5;
/// What an answer takes.
const DELAY: Duration = Duration::from_millis(50);
/// What the first push and the first sync may take, in seconds.
const BAR: f64 = 1.0;
const COUNT: usize = 1000;
const LEN: usize = 490;

/// A proxy that holds answers back.
async fn long_line(target: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, target));
        }
    });
    Ok(address)
}

async fn relay(client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.into_split(), server.into_split());
    tokio::spawn(late(from_server, to_client));
    tokio::io::copy(&mut from_client, &mut to_server).await?;
    to_server.shutdown().await
}

/// Passes on what comes, later: as much may be on its way as likes to.
async fn late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let (send, mut receive) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = receive.recv().await {
            sleep_until(due).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    });
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 || send.send((Instant::now() + DELAY, buffer[..read].to_vec())).is_err() {
            return Ok(());
        }
    }
}

/// A store at the other end.
struct Far {
    meter: Meter,
    _server: Double,
}

impl Far {
    fn new() -> Self {
        let server = Double::start().expect("a server");
        let meter = tokio().block_on(async { Meter::start(long_line(server.address()).await?).await });
        Self { meter: meter.expect("a proxy"), _server: server }
    }

    /// A process of a device, with connections of its own.
    fn client(&self, replica: &MemoryReplica) -> Client {
        let address = format!("http://{}/store", self.meter.address());
        let storage = WebDav::builder(address).with_password(Double::USER, Double::PASSWORD);
        let storage = storage.with_http(HttpOptions::default()).build().expect("a folder");
        let server = StoredServer::new(Arc::new(storage), Arc::new(TokioRuntime), &DomainName::default());
        Client::builder(Arc::new(server.expect("a server")), Arc::new(replica.clone())).build()
    }

    /// Seconds of a sync with opening; with `told`, what it sent is told too.
    fn sync(&self, what: &str, client: &Client, told: bool) -> (SyncReport, f64) {
        self.meter.take();
        let mut report = None;
        let time = seconds(|| report = Some(tokio().block_on(client.sync()).expect("a sync")));
        let tally = self.meter.take();
        if told {
            let (requests, trips, connections) = (tally.requests(), tally.round_trips(), tally.connections());
            println!("| {what} | {requests} | {trips} | {connections} | {:.0} ms |", time * 1000.0);
        }
        (report.expect("a report"), time)
    }
}

fn documents() -> Vec<Change> {
    let mut random = blake3::Hasher::new().update(b"notes").finalize_xof();
    let mut document = |number| {
        let mut body = vec![0; LEN];
        random.fill(&mut body);
        Change::put(Document::new(format!("note/{number}"), body).expect("a good id"))
    };
    (0..COUNT).map(&mut document).collect()
}

/// Seconds of the first push and of the first sync, the store initialised.
fn round(changes: &[Change], told: bool) -> [f64; 2] {
    let far = Far::new();
    let replica = MemoryReplica::new();
    tokio().block_on(far.client(&replica).sync()).expect("a sync");
    tokio().block_on(replica.write(changes.to_vec())).expect("a write");
    let (report, push) = far.sync("first push, with opening", &far.client(&replica), told);
    assert_eq!(report.pushed, COUNT as u64);
    let other = MemoryReplica::new();
    let (report, pull) = far.sync("first sync of another device", &far.client(&other), told);
    assert_eq!(report.pulled, COUNT as u64);
    far.sync("nothing new, with opening", &far.client(&other), told);
    [push, pull]
}

pub(crate) fn measure() -> Vec<Line> {
    println!("| 1,000 documents of 490 bytes, 50 ms an answer | requests | round trips | connections | time |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let changes = documents();
    let times: Vec<[f64; 2]> = (0..ROUNDS).map(|number| round(&changes, number == 0)).collect();
    println!();
    let of = |which: usize| median(times.iter().map(|times| times[which]).collect());
    vec![
        Line::limit("webdav: 1,000 documents at 50 ms an answer, first push", of(0), "s", BAR),
        Line::limit("webdav: 1,000 documents at 50 ms an answer, first sync", of(1), "s", BAR),
    ]
}

//! The library on a real S3-compatible server: requests at the socket, throughput beside `object_store` alone, memory.
//!
//! Bodies are random: nothing of them compresses, so what compression costs stands on our side, and what it saves does not.
//! The library is as an app has it, with the replica in memory, so that no disk is measured.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use longshore::{
    Change, Client, Document, DomainName, MemoryReplica, S3, S3Builder, StoredServer, SyncReport, TokioRuntime,
};
use longshore_conformance::meter::{Meter, Tally};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

use crate::library::{peak_memory, tokio};
use crate::set::seconds;
use crate::{Line, MIB};

/// How often each side runs.
const ROUNDS: usize = 5;
/// Documents of the throughput, of 1 MiB each.
const COUNT: usize = 1024;
/// Documents to an object of the other side, which makes objects of 8 MiB.
const TOGETHER: usize = 8;
/// Objects that the library has on their way at once, up and down: the other side gets the same.
const UP: usize = 3;
const DOWN: usize = 4;
/// What the library may take beside the replica's documents, in MiB.
const MEMORY: f64 = 200.0;

/// How to come by a server.
pub(crate) const HOW: &str = "DEVICE_GIB=8 scripts/servers/with-s3.sh ceph-rgw just bench -- s3";

/// The server that the environment names, as the suite of the S3 adapter finds it.
pub(crate) struct Bucket {
    /// `s3://bucket/prefix`.
    address: String,
    endpoint: String,
    /// Places given out.
    places: AtomicUsize,
}

impl Bucket {
    pub(crate) fn from_environment() -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        let (address, endpoint) = (variable("LONGSHORE_S3")?, variable("AWS_ENDPOINT")?);
        Some(Self { address, endpoint, places: AtomicUsize::new(0) })
    }

    /// A prefix that nothing lies under.
    fn place(&self) -> String {
        format!("bench-{}/{}", std::process::id(), self.places.fetch_add(1, Ordering::Relaxed))
    }

    fn builder(&self) -> S3Builder {
        S3::builder_from(&self.address).expect("LONGSHORE_S3 is an s3:// address")
    }

    fn storage(&self, place: &str) -> S3 {
        self.builder().with_prefix(place).build().expect("a bucket")
    }

    /// The same bucket without the library.
    fn bare(&self) -> AmazonS3 {
        let bucket = self.address.trim_start_matches("s3://").split('/').next().expect("a bucket's name");
        AmazonS3Builder::from_env().with_bucket_name(bucket).build().expect("a bucket")
    }

    /// Where the server listens.
    fn socket(&self) -> SocketAddr {
        let host = self.endpoint.strip_prefix("http://").expect("an endpoint without TLS, which cannot be counted");
        host.trim_end_matches('/').to_socket_addrs().expect("a host and a port").next().expect("an address")
    }

    /// Removes all that lies there, so that a server in memory does not fill up.
    fn clear(&self, place: &str) {
        tokio().block_on(async {
            let bare = self.bare();
            let found = bare.list(Some(&Path::from(place))).map_ok(|object| object.location).boxed();
            bare.delete_stream(found).try_for_each(|_| async { Ok(()) }).await.expect("objects that can be deleted");
        });
    }
}

fn client(storage: S3, replica: &MemoryReplica) -> Client {
    let server = StoredServer::new(Arc::new(storage), Arc::new(TokioRuntime), &DomainName::default());
    Client::builder(Arc::new(server.expect("a server")), Arc::new(replica.clone())).build()
}

fn sync(client: &Client) -> SyncReport {
    tokio().block_on(client.sync()).expect("a sync")
}

fn write(replica: &MemoryReplica, documents: &[Document]) {
    let changes = documents.iter().cloned().map(Change::put).collect();
    tokio().block_on(replica.write(changes)).expect("a write");
}

/// An open client of an initialised store, so that no probe is measured.
fn initialised(storage: S3) -> (MemoryReplica, Client) {
    let replica = MemoryReplica::new();
    let client = client(storage, &replica);
    sync(&client);
    (replica, client)
}

/// Documents of random bytes.
fn documents(name: &str, count: usize, len: usize) -> Vec<Document> {
    let mut random = blake3::Hasher::new().update(name.as_bytes()).finalize_xof();
    let mut document = |number| {
        let mut body = vec![0; len];
        random.fill(&mut body);
        Document::new(format!("{name}/{number}"), body).expect("a good id")
    };
    (0..count).map(&mut document).collect()
}

/// Requests, bytes and round trips of each piece of work on a thousand documents of 490 bytes, as a table; and the requests beside
/// what they may be.
fn count(bucket: &Bucket) -> Vec<Line> {
    let meter = tokio().block_on(Meter::start(bucket.socket())).expect("a proxy");
    let place = bucket.place();
    let endpoint = format!("http://{}", meter.address());
    let storage = bucket.builder().with_prefix(&place).with_endpoint(endpoint).build().expect("a bucket");
    let (replica, _) = initialised(storage.clone());
    let mut connections = meter.take().connections();
    let mut lines = Vec::new();
    println!("| 1,000 documents of 490 bytes | requests | round trips | bytes up | bytes down |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    // What opens sends three requests, which count as side by side if none is answered before all have begun.
    let mut line = |what: &'static str, client: &Client, side_by_side: usize, most: u32| {
        meter.gather(&[side_by_side]);
        sync(client);
        let tally: Tally = meter.take();
        connections += tally.connections();
        let (requests, trips) = (tally.requests(), tally.round_trips());
        println!("| {what} | {requests} | {trips} | {} | {} |", tally.bytes_up(), tally.bytes_down());
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        lines.push(Line::limit(what, requests as f64, "requests", f64::from(most)));
    };
    let process = || client(storage.clone(), &replica);
    write(&replica, &documents("note", 1000, 490));
    line("s3: 1,000 documents, first push, with opening", &process(), 3, 4);
    line("s3: 1,000 documents, first sync of another device", &client(storage.clone(), &MemoryReplica::new()), 3, 8);
    line("s3: nothing new, with opening", &process(), 3, 3);
    let open = process();
    sync(&open);
    meter.take();
    line("s3: nothing new", &open, 1, 1);
    // A client that has just pushed polls before its next push, so that others have their turn: each of these opened for itself.
    for (what, count) in [("s3: push of 1 document", 1), ("s3: push of 100 documents", 100)] {
        let open = process();
        sync(&open);
        meter.take();
        write(&replica, &documents("more", count, 490));
        line(what, &open, 1, 1);
    }
    println!("\n{connections} connections in all\n");
    drop(meter);
    bucket.clear(&place);
    lines
}

fn push(client: &Client) -> f64 {
    seconds(|| assert!(sync(client).pushed > 0))
}

fn pull(bucket: &Bucket, place: &str) -> f64 {
    let replica = MemoryReplica::new();
    let client = client(bucket.storage(place), &replica);
    seconds(|| assert_eq!(sync(&client).pulled, COUNT as u64))
}

fn name(place: &str, number: usize) -> Path {
    Path::from(format!("{place}/{number}"))
}

fn put_bare(bare: &AmazonS3, place: &str, documents: &[Document]) -> f64 {
    let put = |(number, together): (usize, &[Document])| {
        let payload: PutPayload = together.iter().map(|document| document.body.clone()).collect();
        let path = name(place, number);
        async move { bare.put(&path, payload).await }
    };
    let all = futures::stream::iter(documents.chunks(TOGETHER).enumerate().map(put).collect::<Vec<_>>());
    seconds(|| {
        tokio().block_on(all.buffered(UP).try_for_each(|_| async { Ok(()) })).expect("puts");
    })
}

fn get_bare(bare: &AmazonS3, place: &str) -> f64 {
    let get = |number| {
        let path = name(place, number);
        async move { bare.get(&path).await?.bytes().await }
    };
    let all = futures::stream::iter((0..COUNT / TOGETHER).map(get).collect::<Vec<_>>()).buffered(DOWN);
    // All is kept, as a replica keeps it.
    let mut kept: Vec<Bytes> = Vec::new();
    let time = seconds(|| kept = tokio().block_on(all.try_collect()).expect("gets"));
    assert_eq!(kept.iter().map(Bytes::len).sum::<usize>(), COUNT * MIB);
    time
}

/// Each side once: our push, their put, our pull, their get.
fn round(bucket: &Bucket, documents: &[Document]) -> [f64; 4] {
    let (ours, theirs, bare) = (bucket.place(), bucket.place(), bucket.bare());
    let (replica, pushing) = initialised(bucket.storage(&ours));
    write(&replica, documents);
    let times = [push(&pushing), put_bare(&bare, &theirs, documents), pull(bucket, &ours), get_bare(&bare, &theirs)];
    eprintln!("seconds of push, put, pull and get: {times:.2?}");
    bucket.clear(&ours);
    bucket.clear(&theirs);
    times
}

/// In a process of its own: pushes there, or pulls what was pushed; then prints the peak of its memory beyond the documents.
pub(crate) fn memory_of_one_run(bucket: &Bucket, way: &str, place: &str) {
    if way == "push" {
        let (replica, client) = initialised(bucket.storage(place));
        write(&replica, &documents("large", COUNT, MIB));
        push(&client);
    } else {
        pull(bucket, place);
    }
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let beyond = peak_memory().map(|peak| peak - ((COUNT * MIB) >> 20) as f64);
    println!("{}", beyond.map_or(String::new(), |beyond| beyond.to_string()));
}

fn memory_of_a_child(way: &str, place: &str) -> Option<f64> {
    let this = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(this).args(["s3-memory", way, place]).output().expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

pub(crate) fn measure(bucket: &Bucket) -> Vec<Line> {
    let mut lines = count(bucket);
    let place = bucket.place();
    let peaks = ["push", "pull"].map(|way| memory_of_a_child(way, &place));
    bucket.clear(&place);
    let documents = documents("large", COUNT, MIB);
    let times: Vec<[f64; 4]> = (0..ROUNDS).map(|_| round(bucket, &documents)).collect();
    let of = |ours: usize| times.iter().map(|times| [times[ours], times[ours + 1]]).collect::<Vec<_>>();
    lines.extend([
        Line::ratio("s3: 1 GiB in documents of 1 MiB, push; beside objects of 8 MiB", &of(0), 1.25),
        Line::ratio("s3: 1 GiB in documents of 1 MiB, pull; beside objects of 8 MiB", &of(2), 1.25),
    ]);
    let names = ["s3: 1 GiB, push, memory beyond the documents", "s3: 1 GiB, pull, memory beyond the documents"];
    let known = names.into_iter().zip(peaks).filter_map(|(name, peak)| Some((name, peak?)));
    lines.extend(known.map(|(name, peak)| Line::limit(name, peak, "MiB", MEMORY)));
    lines
}

//! The library on a folder: first push, first sync, nothing new.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{Change, Client, Document, SqliteReplica, SyncReport};
use tokio::runtime::Runtime;

use crate::platform::processor_millis;
use crate::set::{documents, folder, rounds, seconds};
use crate::{Line, parts};

/// How often each side runs.
const ROUNDS: usize = 15;

fn client(replica: &Path, store: &Path) -> (Arc<SqliteReplica>, Client) {
    let replica = tokio().block_on(SqliteReplica::open(replica)).expect("a replica");
    let replica = Arc::new(replica);
    let server = longshore::create(&longshore::file_url(store)).expect("a store");
    (replica.clone(), Client::builder(server, replica).build())
}

pub(crate) fn tokio() -> &'static Runtime {
    static TOKIO: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    TOKIO.get_or_init(|| Runtime::new().expect("a runtime"))
}

fn sync(client: &Client) -> SyncReport {
    tokio().block_on(client.sync()).expect("a sync")
}

/// An initialised store, so that no probe is measured.
fn initialised(folder: &Path) {
    let (_, client) = client(&folder.join("first.db"), &folder.join("store"));
    sync(&client);
}

pub(crate) fn push(documents: &[Document]) -> (PathBuf, f64) {
    let folder = folder();
    initialised(&folder);
    let (replica, client) = client(&folder.join("a.db"), &folder.join("store"));
    let changes: Vec<Change> = documents.iter().cloned().map(Change::put).collect();
    let time = seconds(|| {
        tokio().block_on(replica.write(changes)).expect("a write");
        assert_eq!(sync(&client).pushed, documents.len() as u64);
    });
    (folder, time)
}

fn push_parts(documents: &[Document]) -> f64 {
    let folder = folder();
    seconds(|| {
        let database = folder.join("a.db");
        parts::insert(&database, documents);
        let packed = parts::pack(&parts::select(&database));
        parts::store(&folder, "store/domains/main/segments/0/0-1", &packed);
        parts::store(&folder, "store/domains/main/log/0/1/data", b"an entry");
    })
}

fn first_sync(store: &Path, expected: usize) -> f64 {
    let folder = folder();
    let (_replica, client) = client(&folder.join("b.db"), store);
    seconds(|| assert_eq!(sync(&client).pulled, expected as u64))
}

fn first_sync_parts(object: &Path, len: usize, documents: &[Document]) -> f64 {
    let folder = folder();
    seconds(|| {
        let packed = fs::read(object).expect("an object");
        std::hint::black_box(parts::unpack(&packed, len));
        parts::insert(&folder.join("b.db"), documents);
    })
}

/// The most memory this process ever had, in MiB; none where the system does not tell.
pub(crate) fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// One push and one first sync in a process of its own: its peak memory.
pub(crate) fn memory_of_one_run() {
    let documents = documents();
    let (folder, _) = push(&documents);
    let count = documents.len();
    drop(documents);
    first_sync(&folder.join("store"), count);
    println!("{}", peak_memory().map_or(String::new(), |peak| peak.to_string()));
}

fn peak_memory_of_a_child() -> Option<f64> {
    let this = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(this).arg("memory").output().expect("a child");
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

pub(crate) fn measure() -> Vec<Line> {
    let documents = documents();
    let pushes = rounds(ROUNDS, [&mut || push(&documents).1, &mut || push_parts(&documents)]);
    let mut lines = vec![Line::ratio("library: 20,000 documents, write and first push", &pushes, 1.5)];

    let (folder, _) = push(&documents);
    let store = folder.join("store");
    let all: Vec<u8> = documents.iter().flat_map(|d| [d.id.as_str().as_bytes(), &d.body].concat()).collect();
    parts::store(&folder, "object", &parts::pack(&all));
    let parts = &mut || first_sync_parts(&folder.join("object"), all.len(), &documents);
    let syncs = rounds(ROUNDS, [&mut || first_sync(&store, documents.len()), parts]);
    lines.push(Line::ratio("library: 20,000 documents, first sync", &syncs, 1.5));

    let (_replica, client) = client(&folder.join("a.db"), &store);
    sync(&client);
    let before = processor_millis();
    let report = sync(&client);
    let spent = processor_millis().zip(before).map(|(after, before)| after - before);
    lines.extend(spent.map(|spent| Line::limit("library: nothing new, processor", spent, "ms", 20.0)));
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    lines.push(Line::limit("library: nothing new, storage calls", report.requests as f64, "calls", 2.0));
    let peak = peak_memory_of_a_child();
    lines
        .extend(peak.map(|peak| Line::limit("library: peak memory of write, push and first sync", peak, "MiB", 100.0)));
    lines
}

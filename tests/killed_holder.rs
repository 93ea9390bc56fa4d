//! A process is killed (SIGKILL) while it holds the lease: with nothing else to do, and at every storage call of a sync under it.
//! Others wait for one time-to-live after their first look, not less and not for ever, and nothing is lost (I2, I3, I7, I9).
//!
//! The processes are real, and so is the time: no upper bound is tested but that it does not hang.

#![cfg(all(feature = "fs", feature = "sqlite"))]

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use longshore::{
    ByteRange, Capabilities, Client, Created, Document, DomainName, Folder, Hash, Held, Lease, Listing, LockPolicy,
    LockRequest, Locked, Object, ObjectKey, Payload, Reply, Result, Runtime as _, Sequence, Server, SqliteReplica,
    Storage, StoredServer, TokioRuntime,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

const TTL: Duration = Duration::from_secs(2);
/// The time-to-live of a sync's own lease.
const SYNC_TTL: Duration = Duration::from_secs(30);
const ROUNDS: usize = 5;
/// After this long something hangs; a busy machine needs a small part of it.
const HANG: Duration = Duration::from_secs(300);

async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, work).await.expect("it hangs")
}

// The child processes.

/// One test of this program in a process of its own, which says what it does. It does not outlive this.
struct Holder {
    process: std::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    fn spawn(test: &str, folder: &Path, place: usize) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut process = Command::new(this)
            .args(["--exact", test, "--nocapture"])
            .env("LONGSHORE_HOLDER", folder)
            .env("LONGSHORE_HOLDER_PLACE", place.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        Self { process, lines }
    }

    /// What it says next.
    fn says(&mut self) -> String {
        let said = |line: std::io::Result<String>| Some(line.ok()?.split_once("holder: ")?.1.to_owned());
        self.lines.find_map(said).expect("a process that says what it does")
    }

    fn kill(mut self) {
        assert!(self.process.try_wait().expect("its state").is_none(), "it ended before it was killed");
        self.process.kill().expect("a kill");
        let ended = self.process.wait().expect("its end");
        assert!(!ended.success(), "{ended}");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It fails if the process ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// In such a process: the folder to work in, and the place to be killed at.
fn orders() -> Option<(PathBuf, usize)> {
    let folder = std::env::var_os("LONGSHORE_HOLDER")?;
    let place = std::env::var("LONGSHORE_HOLDER_PLACE").ok()?;
    Some((folder.into(), place.parse().ok()?))
}

fn say(what: impl fmt::Display) {
    println!("holder: {what}");
}

/// In a child: takes the lease, says its token, and waits to be killed.
#[tokio::test]
async fn holder_of_the_lease() {
    let Some((folder, _)) = orders() else { return };
    let (_, client) = device(&folder, "first").await;
    let request = LockRequest::new("dying").with_ttl(TTL);
    say(granted(client.lock(&request).await.unwrap()).token.get());
    bounded(pending::<()>()).await;
}

/// In a child: syncs, and waits to be killed at one place of the part under the lease. Says which, or that there is none.
#[tokio::test]
async fn holder_in_a_sync() {
    let Some((folder, place)) = orders() else { return };
    let inner = longshore::open_storage(&url(&folder)).unwrap();
    let storage = DeadlyStorage { inner, place, leases: AtomicUsize::new(0), places: AtomicUsize::new(0) };
    let server = StoredServer::new(Arc::new(storage), Arc::new(TokioRuntime), &DomainName::default()).unwrap();
    let (_, client) = device_on(Arc::new(server), &folder, "first").await;
    bounded(client.sync()).await.unwrap();
    say("synced");
}

/// A storage whose calls have two places each, before it and after it, while the lease is held. At one of them it stops for good.
#[derive(Debug)]
struct DeadlyStorage {
    inner: Arc<dyn Storage>,
    place: usize,
    /// Records of the lease created so far: the grant, then the release.
    leases: AtomicUsize,
    places: AtomicUsize,
}

impl DeadlyStorage {
    async fn place(&self, when: &str, call: &str, object: &(impl fmt::Display + Sync)) {
        let holds = self.leases.load(Ordering::SeqCst) == 1;
        if holds && self.places.fetch_add(1, Ordering::SeqCst) == self.place {
            say(format_args!("{when} {call} {object}"));
            pending::<()>().await;
        }
    }

    async fn call<T: Send>(
        &self,
        call: &'static str,
        object: &(impl fmt::Display + Sync),
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.place("before", call, object).await;
        let result = work.await;
        if call == "create" && object.to_string().contains("/lease/") {
            self.leases.fetch_add(1, Ordering::SeqCst);
        }
        self.place("after", call, object).await;
        result
    }
}

#[async_trait]
impl Storage for DeadlyStorage {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.inner.adopt(method)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.call("create", key, self.inner.create(key, bytes)).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.call("put", key, self.inner.put(key, payload)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.call("get", key, self.inner.get(key, range)).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.call("list", folder, self.inner.list(folder, after)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.call("delete", key, self.inner.delete(key)).await
    }
}

// Devices.

fn url(folder: &Path) -> String {
    longshore::file_url(&folder.join("store"))
}

/// A device of that name on the folder's store. It syncs under the lease.
async fn device(folder: &Path, name: &str) -> (Arc<SqliteReplica>, Client) {
    let server = longshore::create(&url(folder)).expect("a store");
    device_on(server, folder, name).await
}

async fn device_on(server: Arc<dyn Server>, folder: &Path, name: &str) -> (Arc<SqliteReplica>, Client) {
    let replica = SqliteReplica::open(folder.join(name).with_extension("db")).await;
    let replica = Arc::new(replica.expect("a replica"));
    let client = Client::builder(server, replica.clone()).lock_policy(LockPolicy::Always).build();
    (replica, client)
}

async fn put(replica: &SqliteReplica, id: &str, body: impl Into<Bytes>) {
    let document = Document::new(id, body.into()).expect("a document");
    replica.put(document).await.expect("a write");
}

/// A replica's documents, each with the hash of its body.
async fn documents(replica: &SqliteReplica) -> BTreeMap<String, Hash> {
    let mut found = BTreeMap::new();
    for id in replica.list(None, 100).await.expect("a listing") {
        let document = replica.get(&id).await.expect("a read").expect("what was listed");
        found.insert(id.as_str().to_owned(), Hash::of(&document.body));
    }
    found
}

/// How many entries the log has.
async fn committed(folder: &Path) -> usize {
    let server = longshore::open(&url(folder)).expect("the store");
    let entries = server.changes_read(Sequence::FIRST, 10).await.expect("the log");
    entries.iter().filter(|entry| entry.value.is_some()).count()
}

fn granted(locked: Locked) -> Lease {
    match locked {
        Locked::Granted(lease) => lease,
        Locked::Held(held) => panic!("{held:?}"),
    }
}

fn held(locked: Locked) -> Held {
    match locked {
        Locked::Held(held) => held,
        Locked::Granted(lease) => panic!("{lease:?} overlaps"),
    }
}

// The tests.

/// Asks again and again until the lease is granted, as an app would.
async fn wait_for_lease(client: &Client, mut seen: Held) -> Lease {
    loop {
        TokioRuntime.sleep(seen.remaining.min(Duration::from_millis(100))).await;
        let request = LockRequest::new("waiting").with_sighting(Some(seen.sighting));
        match client.lock(&request).await.expect("an answer") {
            Locked::Granted(lease) => return lease,
            Locked::Held(held) => seen = held,
        }
    }
}

#[tokio::test]
async fn a_dead_holder_is_followed_after_its_time_to_live() {
    let folder = tempfile::tempdir().unwrap();
    let (_, client) = device(folder.path(), "second").await;
    client.sync().await.unwrap();
    let mut newest = 0;
    for _ in 0..ROUNDS {
        let mut holder = Holder::spawn("holder_of_the_lease", folder.path(), 0);
        let token: u64 = holder.says().parse().unwrap();
        assert!(token > newest, "{token} came after {newest}");
        holder.kill();

        let first_look = TokioRuntime.now();
        let seen = held(client.lock(&LockRequest::new("waiting")).await.unwrap());
        assert_eq!((seen.purpose.as_str(), seen.ttl, seen.remaining), ("dying", TTL, TTL));
        let lease = bounded(wait_for_lease(&client, seen)).await;
        let waited = TokioRuntime.now().since(first_look);
        assert!(waited >= TTL, "granted after {waited:?}");
        assert!(lease.token.get() > token, "{lease:?} came after {token}");
        newest = lease.token.get();
        client.unlock(&lease).await.unwrap();
    }
}

/// A store with one entry, and a device with a change to push that is too large for an entry.
async fn before_the_sync() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, client) = device(folder.path(), "first").await;
    put(&first, "old", "old").await;
    client.sync().await.expect("a sync");
    let noise: Vec<u8> = (0_u32..1 << 16).flat_map(|n| *Hash::of(&n.to_le_bytes()).as_bytes()).collect();
    put(&first, "first", noise).await;
    folder
}

/// What follows once the first device was killed there: the second syncs, the first is started anew, the second syncs again.
async fn others_go_on(folder: TempDir, died: String) {
    let folder = folder.path();
    let entries = committed(folder).await;
    let (second, other) = device(folder, "second").await;
    put(&second, "second", "second").await;
    let started = TokioRuntime.now();
    other.sync().await.unwrap_or_else(|error| panic!("died {died}: {error}"));
    let waited = TokioRuntime.now().since(started);
    assert!(waited >= SYNC_TTL, "died {died}: the lease was taken after {waited:?}");

    let (first, client) = device(folder, "first").await;
    let all = documents(&first).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["first", "old"], "died {died}: what was not synced is there");
    let mut expected = documents(&second).await;
    assert_eq!(expected.remove("first").is_some(), entries == 2, "died {died}: what was committed, and no more");
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["old", "second"], "died {died}");

    client.sync().await.unwrap_or_else(|error| panic!("died {died}: {error}"));
    other.sync().await.unwrap_or_else(|error| panic!("died {died}: {error}"));
    expected.extend(all);
    for replica in [&first, &second] {
        assert_eq!(documents(replica).await, expected, "died {died}");
    }
    assert_eq!(committed(folder).await, 3, "died {died}: each change is committed once");
}

/// One store for each place, and all wait at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_died_under_the_lease_is_followed_after_its_time_to_live() {
    let mut waiting = JoinSet::new();
    for place in 0.. {
        let folder = before_the_sync().await;
        let mut holder = Holder::spawn("holder_in_a_sync", folder.path(), place);
        let died = holder.says();
        if died == "synced" {
            break;
        }
        holder.kill();
        eprintln!("died {died}");
        waiting.spawn(others_go_on(folder, died));
    }
    assert!(waiting.len() >= ROUNDS, "only {} places to die", waiting.len());
    bounded(waiting.join_all()).await;
}

//! Somebody asks whether a store is safe: the answer has the reasons that the first use of the store would give, and comes in
//! time however slow the store is.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

#[allow(dead_code, reason = "the matrix is another test's")]
mod broken;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use broken::wrong;
use bytes::Bytes;
use futures::future::BoxFuture;
use longshore_conformance::Harness;
use longshore_conformance::doctor::{Finding, Health, examine};
use longshore_core::{
    ByteRange, Capabilities, Created, DomainName, Error, ErrorKind, Flaw, Folder, Listing, MemoryStorage, Object,
    ObjectKey, Payload, Reply, Result, Server as _, Storage, StoreOptions, StoredServer, TokioRuntime,
};
use tokio::time::{Instant, sleep};

type Opened = BoxFuture<'static, Result<Arc<dyn Storage>>>;

fn opener(harness: Harness) -> impl Fn() -> Opened + Send + Sync {
    move || {
        let harness = harness.clone();
        Box::pin(async move { harness.open_storage("unused").await.unwrap() })
    }
}

fn worst(findings: &[Finding]) -> Health {
    findings.iter().map(|finding| finding.health).max().unwrap()
}

/// What the core refuses this storage for at its first use.
async fn refused(name: &str, harness: Harness) -> Option<Flaw> {
    let storage = harness.open_storage("unused").await.unwrap().unwrap();
    let server = StoredServer::new(storage, Arc::new(TokioRuntime), &DomainName::default()).unwrap();
    // Some of them bear only names as deep as the cases'.
    let used = if name.contains("listing") {
        server.initialize(&StoreOptions::default()).await.map(drop)
    } else {
        server.probe().await
    };
    let message = used.err()?.to_string();
    Flaw::ALL.into_iter().find(|flaw| message.contains(&flaw.to_string()))
}

#[tokio::test(start_paused = true)]
async fn what_the_first_use_refuses_the_doctor_refuses_for_the_same_reason() {
    let mut seen = BTreeSet::new();
    for broken in broken::storage::table() {
        let Some(flaw) = refused(broken.name, (broken.harness)()).await else { continue };
        let findings = examine(&opener((broken.harness)())).await;
        let says_so = |finding: &Finding| finding.health == Health::Bad && finding.text.contains(&flaw.to_string());
        assert!(findings.iter().any(says_so), "{}: {flaw}: {findings:#?}", broken.name);
        seen.insert(flaw);
    }
    assert_eq!(seen, BTreeSet::from(Flaw::ALL), "a flaw that no storage here has is not shown");
}

/// The first use of a store races with a few bytes; the doctor has the time for more.
#[tokio::test(start_paused = true)]
async fn a_storage_that_decides_late_for_large_bodies_is_unsafe() {
    let decides_late = |broken: &broken::runs::Broken| broken.name == "create of more than 64 KiB checks, then writes";
    let harness = (broken::storage::table().iter().find(|broken| decides_late(broken)).unwrap().harness)();
    let findings = examine(&opener(harness)).await;
    let raced = findings.iter().find(|finding| finding.topic == "creates once, raced").unwrap();
    assert_eq!(raced.health, Health::Bad, "{raced}");
}

#[tokio::test(start_paused = true)]
async fn a_sound_storage_is_good() {
    let findings = examine(&opener(wrong::sound())).await;
    // Its clock stands in the past.
    assert!(findings.iter().all(|finding| finding.health < Health::Unknown), "{findings:#?}");
}

/// A storage whose calls take this long, or for ever.
#[derive(Clone, Debug)]
struct Slow {
    right: MemoryStorage,
    each: Duration,
    hangs: fn(&str) -> bool,
}

impl Slow {
    fn new(millis: u64) -> Self {
        Self { right: MemoryStorage::new(), each: Duration::from_millis(millis), hangs: |_| false }
    }

    fn hanging(hangs: fn(&str) -> bool) -> Self {
        Self { hangs, ..Self::new(1) }
    }

    async fn wait(&self, call: &str) {
        if (self.hangs)(call) {
            std::future::pending::<()>().await;
        }
        sleep(self.each).await;
    }

    /// The answers, and that they came in time.
    async fn examined(&self) -> Vec<Finding> {
        let begun = Instant::now();
        let this = self.clone();
        let findings = examine(&move || {
            let storage = this.clone();
            Box::pin(async move {
                storage.wait("open").await;
                Ok(Arc::new(storage) as Arc<dyn Storage>)
            })
        })
        .await;
        assert!(begun.elapsed() < Duration::from_millis(9500), "{:?}: {findings:#?}", begun.elapsed());
        findings
    }
}

#[async_trait]
impl Storage for Slow {
    fn capabilities(&self) -> Capabilities {
        self.right.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.wait("create").await;
        self.right.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.wait("put").await;
        self.right.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.wait("get").await;
        self.right.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.wait("list").await;
        self.right.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.wait("delete").await;
        self.right.delete(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_storage_is_examined_in_time() {
    for millis in [50, 100, 200, 300] {
        let slow = Slow::new(millis);
        let findings = slow.examined().await;
        assert!(worst(&findings) < Health::Unknown, "{millis} ms: {findings:#?}");
        assert!(slow.right.objects().is_empty(), "{millis} ms");
        let speed = findings.iter().find(|finding| finding.topic == "speed").unwrap();
        let told = speed.text.contains(&format!("a read takes {millis}.0 ms"));
        assert!(told || speed.health == Health::Warning, "{speed}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_storage_too_slow_to_tell_the_doctor_says_so() {
    for millis in [700, 900, 1500, 3000, 60_000] {
        let slow = Slow::new(millis);
        let findings = slow.examined().await;
        assert_eq!(worst(&findings), Health::Unknown, "{millis} ms: {findings:#?}");
        let warned = findings.iter().any(|finding| finding.topic == "cleaning up");
        assert!(warned || slow.right.objects().is_empty(), "{millis} ms: {findings:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_never_answers_is_given_up() {
    let calls: [fn(&str) -> bool; 5] =
        [|_| true, |call| call == "open", |call| call == "list", |call| call == "create", |call| call == "get"];
    for hangs in calls {
        let slow = Slow::hanging(hangs);
        let findings = slow.examined().await;
        assert_eq!(worst(&findings), Health::Unknown, "{findings:#?}");
        assert!(slow.right.objects().is_empty(), "{findings:#?}");
    }
    // Nothing can be removed, and that is said; what was asked was answered.
    let slow = Slow::hanging(|call| call == "delete");
    let findings = slow.examined().await;
    assert!(findings.iter().any(|finding| finding.topic == "cleaning up"), "{findings:#?}");
}

/// A storage whose second client to create gets no answer: what it sent lands so long after.
#[derive(Clone, Debug)]
struct Lands {
    right: MemoryStorage,
    after: Duration,
    landed: Arc<AtomicBool>,
}

#[async_trait]
impl Storage for Lands {
    fn capabilities(&self) -> Capabilities {
        self.right.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if key.as_str().contains("records/writable") {
            return self.right.create(key, bytes).await;
        }
        let (this, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            sleep(this.after).await;
            this.right.create(&key, bytes).await.unwrap();
            this.landed.store(true, Ordering::SeqCst);
        });
        std::future::pending().await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.right.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.right.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.right.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.right.delete(key).await
    }
}

/// Calls that were given up land: within the time for tidying, or when nobody looks any more.
#[tokio::test(start_paused = true)]
async fn what_lands_after_the_time_is_up_goes_or_is_told() {
    for (after, goes) in [(5500, true), (6500, true), (60_000, false)] {
        let (right, landed) = (MemoryStorage::new(), Arc::<AtomicBool>::default());
        let lands = Lands { right: right.clone(), after: Duration::from_millis(after), landed: landed.clone() };
        let begun = Instant::now();
        let findings = examine(&move || -> Opened {
            let storage = lands.clone();
            Box::pin(async move { Ok(Arc::new(storage) as Arc<dyn Storage>) })
        })
        .await;
        assert!(begun.elapsed() < Duration::from_millis(9500), "{:?}", begun.elapsed());
        assert_eq!(landed.load(Ordering::SeqCst), goes, "{after} ms");
        let told = findings.iter().find(|finding| finding.topic == "cleaning up").unwrap();
        assert_eq!(told.health, Health::Warning);
        assert!(right.objects().is_empty(), "{after} ms: {:?}", right.objects().keys());
        sleep(Duration::from_millis(after)).await;
        let left = right.objects().keys().next().map(|key| key.parts().next().unwrap().to_owned());
        assert_eq!(left.is_none(), goes, "{after} ms");
        assert!(left.is_none_or(|place| told.text.contains(&place)), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_does_not_end_is_a_warning() {
    // The marks of the listing are put too.
    let slow = Slow::hanging(|call| call == "put");
    assert_eq!(worst(&slow.examined().await), Health::Unknown);
}

#[tokio::test(start_paused = true)]
async fn what_passes_says_nothing_of_the_store() {
    for (kind, health) in [(ErrorKind::Unavailable, Health::Unknown), (ErrorKind::Missing, Health::Bad)] {
        let open = move || -> Opened { Box::pin(async move { Err(Error::new(kind, "no")) }) };
        assert_eq!(worst(&examine(&open).await), health);
    }
}

/// A storage that lets nobody write.
#[derive(Debug, Default)]
struct ReadOnly(MemoryStorage);

#[async_trait]
impl Storage for ReadOnly {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn create(&self, _key: &ObjectKey, _bytes: Bytes) -> Result<Reply<Created>> {
        Err(Error::new(ErrorKind::Denied, "read only"))
    }

    async fn put(&self, _key: &ObjectKey, _payload: Payload) -> Result<Reply<()>> {
        Err(Error::new(ErrorKind::Denied, "read only"))
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.0.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.0.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.0.delete(key).await
    }
}

/// Of a store that was not reached, or in which nothing can be written, nothing good is said that was not seen.
#[tokio::test(start_paused = true)]
async fn after_what_is_bad_the_rest_is_said_to_be_not_examined() {
    let missing = || -> Opened { Box::pin(async { Err(Error::new(ErrorKind::Missing, "no such bucket")) }) };
    let findings = examine(&missing).await;
    let topics: Vec<_> = findings.iter().map(|finding| (finding.topic, finding.health)).collect();
    assert_eq!(topics, [("reachable", Health::Bad), ("not examined", Health::Note)]);
    assert!(findings[1].text.starts_with("writable; creates once; "), "{}", findings[1]);

    let read_only = || -> Opened { Box::pin(async { Ok(Arc::new(ReadOnly::default()) as Arc<dyn Storage>) }) };
    let findings = examine(&read_only).await;
    let topics: Vec<_> = findings.iter().map(|finding| (finding.topic, finding.health)).collect();
    assert_eq!(topics, [("reachable", Health::Good), ("writable", Health::Bad), ("not examined", Health::Note)]);
    assert!(findings[1].text.ends_with("; let this user write there, or give another"), "{}", findings[1]);
    let last = &findings[2].text;
    assert!(!last.contains("writable") && last.starts_with("creates once; "), "{last}");
    assert!(last.contains("large objects: after what was found above"), "{last}");
}

/// A storage whose usual method replaces what is there, and which knows one that does not.
#[derive(Debug)]
struct TwoMethods {
    shared: MemoryStorage,
    second: AtomicBool,
}

#[async_trait]
impl Storage for TwoMethods {
    fn capabilities(&self) -> Capabilities {
        let second = self.second.load(Ordering::SeqCst);
        self.shared.capabilities().with_methods(second.then_some("second"), (!second).then_some("second"))
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if !self.second.load(Ordering::SeqCst) {
            self.shared.delete(key).await?;
        }
        self.shared.create(key, bytes).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.shared.put(key, payload).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.shared.get(key, range).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.shared.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.shared.delete(key).await
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.second.store(method == Some("second"), Ordering::SeqCst);
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_another_method_makes_safe_is_safe() {
    let shared = MemoryStorage::new();
    let at = shared.clone();
    let open = move || -> Opened {
        let storage = TwoMethods { shared: at.clone(), second: AtomicBool::default() };
        Box::pin(async move { Ok(Arc::new(storage) as Arc<dyn Storage>) })
    };
    let findings = examine(&open).await;
    assert!(worst(&findings) < Health::Warning, "{findings:#?}");
    let method = findings.iter().find(|finding| finding.topic == "method").unwrap();
    assert!(method.text.contains("creates a name that is taken"), "{method}");
    assert!(method.text.ends_with("a new store is made by second"), "{method}");
    assert!(shared.objects().is_empty());
}

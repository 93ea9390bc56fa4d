//! A folder is not always on a large disk: in memory, on a small disk that fills up in the middle of a sync, and on one that is
//! frozen meanwhile, as a snapshot of a virtual machine does. Each shows as ignored, with the reason, where this machine cannot.
//!
//! What is mounted here nobody else sees, and it goes with this process, also if that is killed.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "folder_elsewhere/apart.rs"]
mod apart;
#[path = "folder_elsewhere/at_call.rs"]
mod at_call;
#[path = "folder_elsewhere/disk.rs"]
mod disk;

use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, Mutex};

use at_call::AtCall;
use disk::Disk;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use longshore_conformance::clock::VirtualClock;
use longshore_conformance::suite::unshown;
use longshore_conformance::{Group, Harness, Scratch, Size, Suite, Verdict};
use longshore_core::{
    Change, Client, Document, DomainName, ErrorKind, MemoryReplica, Result, Server, Storage, StoredServer,
};
use longshore_fs::Fs;

/// Soon full.
const SMALL: u64 = 24 << 20;
/// Enough for a sync and its second try at each of its calls.
const LARGE: u64 = 96 << 20;
/// More calls than a sync makes.
const CALLS: usize = 100;
/// A process with this variable runs the suite, and so do those that it kills.
const SUITE: &str = "LONGSHORE_ELSEWHERE_SUITE";

const NO_DISK: &str = "this user may not mount a disk image";

fn main() -> ExitCode {
    if std::env::var_os(SUITE).is_some() {
        return suite();
    }
    if let Some(code) = apart::again() {
        return code;
    }
    let trials = vec![
        Trial::ignorable_test("folder::in_memory_passes_the_suite", in_memory_passes_the_suite),
        Trial::ignorable_test("folder::a_full_disk_is_said_and_loses_nothing", || {
            Ok(a_full_disk_is_said_and_loses_nothing())
        }),
        Trial::ignorable_test("folder::a_disk_that_fills_up_meanwhile_loses_nothing", || {
            Ok(a_disk_that_fills_up_meanwhile_loses_nothing())
        }),
        Trial::ignorable_test("folder::a_disk_frozen_meanwhile_delays_and_loses_nothing", || {
            Ok(a_disk_frozen_meanwhile_delays_and_loses_nothing())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The whole suite in a process whose temporary folder is in memory: there its stores lie.
fn in_memory_passes_the_suite() -> std::result::Result<Completion, Failed> {
    let Some(memory) = apart::memory() else {
        return Ok(Completion::ignored_with("there is no tmpfs at /dev/shm"));
    };
    let output = Command::new(std::env::current_exe()?).env(SUITE, "1").env("TMPDIR", memory).output()?;
    if output.status.success() {
        return Ok(Completion::Completed);
    }
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{said}{errors}").into())
}

/// Runs the suite, and tells of what failed.
fn suite() -> ExitCode {
    let open = |scratch: Scratch| async move {
        let storage = Fs::create_root(scratch.path().join("store"))?;
        Ok(Arc::new(storage) as Arc<dyn Storage>)
    };
    let tell = |report: &longshore_conformance::CaseReport| {
        if let Verdict::Failed { seen, .. } = &report.verdict {
            println!("{}: {seen}", report.case.name());
        }
    };
    let reports = Suite::new(Harness::storage("tmpfs", open)).size(Size::Quick).run_with(tell);
    let passed = reports.is_ok_and(|reports| {
        // Ignored ones would show nothing.
        let killed = unshown(&reports, &[Group::Crash]).is_empty();
        killed && !reports.iter().any(|report| report.verdict.is_failed())
    });
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn client(store: &Path, replica: &MemoryReplica) -> Result<Client> {
    client_on(Fs::create_root(store)?, replica)
}

fn client_on(storage: impl Storage + 'static, replica: &MemoryReplica) -> Result<Client> {
    let runtime = VirtualClock::new().runtime();
    let server = StoredServer::new(Arc::new(storage), runtime.clone(), &DomainName::default())?;
    let server: Arc<dyn Server> = Arc::new(server);
    Ok(Client::builder_on(runtime, server, Arc::new(replica.clone())).build())
}

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

fn documents(name: &str, count: u64, len: usize) -> Vec<Change> {
    let document = |n| Document::new(format!("{name}/{n}"), noise(n + 1, len)).unwrap();
    (0..count).map(|n| Change::put(document(n))).collect()
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Every document that the device has, another one gets.
async fn everybody_has_all(store: &Path, device: &MemoryReplica, count: usize) {
    let other = MemoryReplica::new();
    client(store, &other).unwrap().sync().await.unwrap();
    let ids = device.list(None, usize::MAX).await.unwrap();
    assert_eq!((ids.len(), &ids), (count, &other.list(None, usize::MAX).await.unwrap()));
    for id in &ids {
        assert_eq!(device.get(id).await.unwrap(), other.get(id).await.unwrap());
    }
}

fn a_full_disk_is_said_and_loses_nothing() -> Completion {
    let Some(disk) = Disk::new(SMALL) else { return Completion::ignored_with(NO_DISK) };
    let (store, device) = (disk.at.join("store"), MemoryReplica::new());
    tokio().block_on(async {
        let client = client(&store, &device).unwrap();
        device.write(documents("before", 10, 1000)).await.unwrap();
        client.sync().await.unwrap();

        // More than the disk has: the sync fills it up, and then small commits find no room either.
        device.write(documents("too-much", 30, 1 << 20)).await.unwrap();
        let error = client.sync().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert_eq!(device.list(None, usize::MAX).await.unwrap().len(), 40);

        let other = MemoryReplica::new();
        sync(&store, &other).await;
        assert_eq!(other.list(None, usize::MAX).await.unwrap().len(), 10, "others see nothing of it");

        // The user deletes them again and makes room: what the failed sync left is litter of a known place.
        let ids: Vec<_> = documents("too-much", 30, 1).into_iter().map(|change| Change::delete(change.id)).collect();
        device.write(ids).await.unwrap();
        std::fs::remove_dir_all(store.join("domains/main/segments")).unwrap();
        device.write(documents("after", 5, 1000)).await.unwrap();
        client.sync().await.unwrap();
        everybody_has_all(&store, &device, 15).await;
    });
    Completion::Completed
}

/// A reader needs no room.
async fn sync(store: &Path, replica: &MemoryReplica) {
    client(store, replica).unwrap().sync().await.unwrap();
}

/// Two devices that have synced before; the first has more to push than fits into an entry.
struct Devices {
    first: MemoryReplica,
    second: MemoryReplica,
    written: usize,
}

impl Devices {
    async fn begin(store: &Path) -> Self {
        let mut devices = Self { first: MemoryReplica::new(), second: MemoryReplica::new(), written: 0 };
        devices.write().await;
        sync(store, &devices.first).await;
        sync(store, &devices.second).await;
        devices
    }

    async fn write(&mut self) {
        let documents = documents(&format!("turn-{}", self.written), 6, 100_000);
        self.written += documents.len();
        self.first.write(documents).await.unwrap();
    }

    /// The first syncs, and before this call something happens. What became of it, and whether it made so many calls.
    async fn sync_with<T: Send + 'static>(
        &self,
        store: &Path,
        call: usize,
        act: impl Fn() -> T + Send + Sync + 'static,
    ) -> (Result<()>, Option<T>) {
        let done = Arc::new(Mutex::new(None));
        let note = Arc::clone(&done);
        let storage = AtCall::new(Fs::create_root(store).unwrap(), call, move || *note.lock().unwrap() = Some(act()));
        let ended = client_on(storage, &self.first).unwrap().sync().await.map(drop);
        let done = done.lock().unwrap().take();
        (ended, done)
    }

    async fn agree(&self, store: &Path) {
        sync(store, &self.second).await;
        everybody_has_all(store, &self.first, self.written).await;
        everybody_has_all(store, &self.second, self.written).await;
    }
}

/// At each call of a sync in turn the disk becomes full, and then has room again.
fn a_disk_that_fills_up_meanwhile_loses_nothing() -> Completion {
    let Some(disk) = Disk::new(LARGE) else { return Completion::ignored_with(NO_DISK) };
    let (store, mut refused) = (disk.at.join("store"), 0);
    tokio().block_on(async {
        let mut devices = Devices::begin(&store).await;
        for call in 0..CALLS {
            devices.write().await;
            let at = disk.at.clone();
            let (ended, filled) = devices.sync_with(&store, call, move || disk::fill(&at)).await;
            let Some(fill) = filled else {
                ended.unwrap();
                assert!(refused > 1, "only {refused} syncs found the disk full, of {call}");
                return devices.agree(&store).await;
            };
            if let Err(error) = &ended {
                assert_eq!(error.kind(), ErrorKind::Full, "full at call {call}: {error}");
                refused += 1;
            }
            // A reader needs no room, and sees all of a commit or nothing.
            sync(&store, &devices.second).await;
            let seen = devices.second.list(None, usize::MAX).await.unwrap().len();
            let whole = if ended.is_ok() { devices.written } else { devices.written - 6 };
            assert_eq!(seen, whole, "full at call {call}");

            std::fs::remove_file(fill).unwrap();
            sync(&store, &devices.first).await;
            devices.agree(&store).await;
        }
        panic!("a sync makes more than {CALLS} calls");
    });
    Completion::Completed
}

/// At each call of a sync in turn the disk freezes, and goes on a moment later: however long that takes, the sync waits for it.
fn a_disk_frozen_meanwhile_delays_and_loses_nothing() -> Completion {
    let Some(disk) = Disk::new(LARGE) else { return Completion::ignored_with(NO_DISK) };
    let store = disk.at.join("store");
    let possible = tokio().block_on(async {
        let mut devices = Devices::begin(&store).await;
        for call in 0..CALLS {
            devices.write().await;
            let at = disk.at.clone();
            let (ended, frozen) = devices.sync_with(&store, call, move || disk::freeze(&at)).await;
            ended.unwrap_or_else(|error| panic!("frozen at call {call}: {error}"));
            let Some(thawing) = frozen else {
                devices.agree(&store).await;
                return true;
            };
            let Some(mut thawing): Option<Child> = thawing else { return false };
            assert!(thawing.wait().unwrap().success());
            devices.agree(&store).await;
        }
        panic!("a sync makes more than {CALLS} calls");
    });
    if possible { Completion::Completed } else { Completion::ignored_with("this system cannot freeze a disk") }
}

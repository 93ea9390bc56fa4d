//! A folder is not always on a large disk: in memory, on a small disk that fills up in the middle of a sync, and on one that is
//! frozen meanwhile, as a snapshot of a virtual machine does. Each shows as ignored, with the reason, where this machine cannot.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use longshore_conformance::clock::VirtualClock;
use longshore_conformance::{Harness, Scratch, Size, Suite, Verdict};
use longshore_core::{Change, Client, Document, DomainName, ErrorKind, MemoryReplica, Result, Server, Storage};
use longshore_fs::Fs;

/// Enough for a few syncs, soon full.
const IMAGE: u64 = 24 << 20;

fn main() -> ExitCode {
    let trials = vec![
        Trial::ignorable_test("folder::in_memory_passes_the_suite", in_memory_passes_the_suite),
        Trial::ignorable_test("folder::a_full_disk_is_said_and_loses_nothing", || {
            Ok(a_full_disk_is_said_and_loses_nothing())
        }),
        Trial::ignorable_test("folder::a_frozen_disk_delays_and_loses_nothing", || {
            Ok(a_frozen_disk_delays_and_loses_nothing())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Whether the table of mounts says that a folder is of this kind.
fn is_mounted_as(folder: &str, kind: &str) -> bool {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').skip(1).take(2).eq([folder, kind]))
}

fn in_memory_passes_the_suite() -> std::result::Result<Completion, Failed> {
    if !is_mounted_as("/dev/shm", "tmpfs") {
        return Ok(Completion::ignored_with("there is no tmpfs at /dev/shm"));
    }
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = folder.path().join("store");
    let open = move |_: Scratch| {
        let opened = Fs::create_root(&root);
        async move { opened.map(|storage| Arc::new(storage) as Arc<dyn Storage>) }
    };
    // What kills processes needs the same folder in each; it is the same on any file system.
    let groups = ["storage::", "server::", "sync::", "interruption::"];
    let suite = Suite::new(Harness::storage("tmpfs", open)).size(Size::Quick);
    let reports = groups.into_iter().fold(suite, Suite::only).run()?;
    let failed: Vec<String> = reports
        .iter()
        .filter_map(|report| match &report.verdict {
            Verdict::Failed { seen, .. } => Some(format!("{}: {seen}", report.case.name())),
            _ => None,
        })
        .collect();
    if failed.is_empty() { Ok(Completion::Completed) } else { Err(failed.join("\n").into()) }
}

/// A disk of its own in a file, unfrozen and gone when this is dropped.
struct Disk {
    at: PathBuf,
    _folder: tempfile::TempDir,
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Disk {
    /// Makes and mounts one; `None` where that is not allowed.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let (image, at) = (folder.path().join("image"), folder.path().join("disk"));
        fs::File::create(&image).ok()?.set_len(IMAGE).ok()?;
        fs::create_dir(&at).ok()?;
        let made = succeeds(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let mounted = made && succeeds(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        mounted.then_some(Self { at, _folder: folder })
    }

    fn freeze(&self) -> bool {
        succeeds(Command::new("fsfreeze").arg("-f").arg(&self.at))
    }

    fn thaw(at: &Path) -> bool {
        succeeds(Command::new("fsfreeze").arg("-u").arg(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Self::thaw(&self.at);
        succeeds(Command::new("umount").arg(&self.at));
    }
}

fn client(store: &Path, replica: &MemoryReplica) -> Result<Client> {
    let runtime = VirtualClock::new().runtime();
    let server: Arc<dyn Server> = Arc::new(Fs::create_root(store)?.server(runtime.clone(), &DomainName::default())?);
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
    let Some(disk) = Disk::new() else { return Completion::ignored_with("this user may not mount a disk image") };
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
        fs::remove_dir_all(store.join("domains/main/segments")).unwrap();
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

fn a_frozen_disk_delays_and_loses_nothing() -> Completion {
    let Some(disk) = Disk::new() else { return Completion::ignored_with("this user may not mount a disk image") };
    let (store, device) = (disk.at.join("store"), MemoryReplica::new());
    let frozen = tokio().block_on(async {
        let client = client(&store, &device).unwrap();
        device.write(documents("before", 10, 1000)).await.unwrap();
        client.sync().await.unwrap();
        device.write(documents("meanwhile", 10, 100_000)).await.unwrap();
        if !disk.freeze() {
            return false;
        }
        // However long it takes until the disk goes on: the sync waits for it.
        let mut thaw = Command::new("sh");
        let mut thawing = thaw.args(["-c", "sleep 0.5; fsfreeze -u \"$0\""]).arg(&disk.at).spawn().unwrap();
        client.sync().await.unwrap();
        assert!(thawing.wait().unwrap().success());
        everybody_has_all(&store, &device, 20).await;
        true
    });
    if frozen { Completion::Completed } else { Completion::ignored_with("this system cannot freeze a disk") }
}

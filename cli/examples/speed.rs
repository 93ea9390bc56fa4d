//! How fast the command is, beside the least that any program would have to do.
//!
//! `cargo run --release -p longshore-cli --example speed [files [rounds]]`, after `cargo build --release -p longshore-cli`.

#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use longshore::{Bodies, Change, Client, Document, Runtime as _, SqliteReplica, TokioRuntime};

const BYTES: usize = 500;

fn main() {
    let files: usize = std::env::args().nth(1).map_or(20_000, |text| text.parse().unwrap());
    let rounds: usize = std::env::args().nth(2).map_or(5, |text| text.parse().unwrap());
    println!("{files} files of {BYTES} bytes, medians of {rounds} rounds");
    let rounds: Vec<_> = (0..rounds).map(|_| round(files)).collect();
    let median = |pick: fn(&Round) -> Duration| {
        let mut times: Vec<_> = rounds.iter().map(pick).collect();
        times.sort();
        times[times.len() / 2]
    };
    let line = |what: &str, command: Duration, bare: Duration| {
        println!("{what}: {command:.1?}, bare {bare:.1?}: {:.2} times", command.as_secs_f64() / bare.as_secs_f64());
    };
    line("first push (bare: scan, read, the library's push)", median(|r| r.push), median(|r| r.bare_push));
    line("first sync (bare: temporary and rename)", median(|r| r.first_sync), median(|r| r.bare_write));
    line("nothing new (bare: stat of all)", median(|r| r.nothing), median(|r| r.bare_scan));
    println!(
        "an empty command: {:.1?}; nothing new in an empty folder: {:.1?}",
        median(|r| r.empty),
        median(|r| r.none)
    );
}

struct Round {
    push: Duration,
    bare_push: Duration,
    first_sync: Duration,
    bare_write: Duration,
    nothing: Duration,
    bare_scan: Duration,
    empty: Duration,
    none: Duration,
}

fn round(files: usize) -> Round {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let url = longshore::file_url(&at("store"));
    make(&at("one"), files);
    fs::create_dir(at("two")).unwrap();
    fs::create_dir(at("three")).unwrap();
    let (list, _) = timed(|| scan(&at("one")));
    let (bodies, read) = timed(|| scan(&at("one")).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>());
    let library = library_push(place.path(), &list, &bodies);
    let ((), bare_write) = timed(|| write(&at("bare"), &list, &bodies));
    run(&["init".as_ref(), at("one").as_ref(), url.as_ref()]);
    let ((), push) = timed(|| run(&["sync".as_ref(), at("one").as_ref()]));
    run(&["init".as_ref(), at("two").as_ref(), url.as_ref()]);
    let ((), first_sync) = timed(|| run(&["sync".as_ref(), at("two").as_ref()]));
    run(&["sync".as_ref(), at("two").as_ref()]);
    let (_, bare_scan) = timed(|| scan(&at("two")));
    let ((), nothing) = timed(|| run(&["sync".as_ref(), at("two").as_ref()]));
    let ((), empty) = timed(|| run(&["--version".as_ref()]));
    let other = longshore::file_url(&at("other"));
    run(&["init".as_ref(), at("three").as_ref(), other.as_ref()]);
    run(&["sync".as_ref(), at("three").as_ref()]);
    let ((), none) = timed(|| run(&["sync".as_ref(), at("three").as_ref()]));
    Round { push, bare_push: read + library, first_sync, bare_write, nothing, bare_scan, empty, none }
}

fn timed<T>(job: impl FnOnce() -> T) -> (T, Duration) {
    // Ticks are milliseconds: fine for what is measured here.
    let start = TokioRuntime.now();
    let result = job();
    (result, TokioRuntime.now().since(start))
}

/// Files in folders of a hundred, no two alike, and old enough that their times vouch for them.
fn make(folder: &Path, files: usize) {
    let old = filetime::FileTime::from_unix_time(1_700_000_000, 0);
    for number in 0..files {
        let path = folder.join(format!("{:04}/{number:06}.txt", number / 100));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut text = String::new();
        let mut state = number as u64 + 1;
        while text.len() < BYTES {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(text, "{state:016x}").unwrap();
        }
        fs::write(&path, &text[..BYTES]).unwrap();
        filetime::set_file_mtime(&path, old).unwrap();
    }
}

/// Lists the folder and looks at every file.
fn scan(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                entry.metadata().unwrap();
                found.push(entry.path());
            }
        }
    }
    found
}

fn write(folder: &Path, list: &[PathBuf], bodies: &[Vec<u8>]) {
    for (path, body) in list.iter().zip(bodies) {
        let name = path.components().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect::<PathBuf>();
        let target = folder.join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let temporary = target.with_extension("new");
        fs::write(&temporary, body).unwrap();
        fs::rename(temporary, target).unwrap();
    }
}

/// The documents into the outbox, and a sync, without any folder.
fn library_push(place: &Path, list: &[PathBuf], bodies: &[Vec<u8>]) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let builder = SqliteReplica::builder(place.join("library.db")).bodies(Bodies::WhilePending);
        let replica = Arc::new(builder.open().await.unwrap());
        let url = longshore::file_url(&place.join("library"));
        let client = Client::builder(longshore::create(&url).unwrap(), replica.clone()).build();
        client.sync().await.unwrap();
        let start = TokioRuntime.now();
        let changes = list
            .iter()
            .zip(bodies)
            .map(|(path, body)| Change::put(Document::new(path.to_string_lossy(), body.clone()).unwrap()));
        replica.write(changes.collect()).await.unwrap();
        client.sync().await.unwrap();
        TokioRuntime.now().since(start)
    })
}

fn run(arguments: &[&std::ffi::OsStr]) {
    let program = std::env::current_exe().unwrap();
    let program = program.parent().unwrap().parent().unwrap().join("longshore");
    let output = Command::new(program).arg("--json").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

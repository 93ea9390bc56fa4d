//! The command on a folder of files: first push, first sync, nothing new.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore::Document;

use crate::set::{documents, folder, rounds, seconds};
use crate::{Line, library};

/// How often each side runs.
const ROUNDS: usize = 5;

/// The release build of the command, beside this program.
fn command() -> PathBuf {
    let path = std::env::current_exe().expect("this program").with_file_name("longshore");
    assert!(path.exists(), "build the command first: cargo build --release -p longshore-cli");
    path
}

fn run(arguments: &[&str]) {
    let output = Command::new(command()).args(arguments).output().expect("the command runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// The documents as files.
fn files(documents: &[Document]) -> PathBuf {
    let folder = folder();
    for document in documents {
        let path = folder.join("files").join(document.id.as_str());
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, &document.body).expect("a file");
    }
    folder
}

fn attach(folder: &Path, store: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    run(&["init", text(folder), &longshore::file_url(store)]);
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, fs::Metadata)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() {
            walk(&entry.path(), visit);
        } else {
            visit(&entry.path(), metadata);
        }
    }
}

fn scan(folder: &Path) -> u64 {
    let mut bytes = 0;
    walk(folder, &mut |_, metadata| bytes += metadata.len());
    bytes
}

fn read_all(folder: &Path) {
    walk(folder, &mut |path, _| drop(std::hint::black_box(fs::read(path).expect("a file"))));
}

/// Writes each file by temporary and rename.
fn write_all(documents: &[Document]) -> f64 {
    let folder = folder();
    seconds(|| {
        for document in documents {
            let path = folder.join(document.id.as_str());
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            let temporary = path.with_extension("tmp");
            fs::write(&temporary, &document.body).expect("a file");
            fs::rename(&temporary, &path).expect("a rename");
        }
    })
}

fn push(documents: &[Document]) -> (PathBuf, f64) {
    let folder = files(documents);
    let (files, store) = (folder.join("files"), folder.join("store"));
    attach(&files, &store);
    let time = seconds(|| run(&["sync", text(&files)]));
    (folder, time)
}

fn first_sync(store: &Path) -> f64 {
    let folder = folder();
    let files = folder.join("files");
    attach(&files, store);
    seconds(|| run(&["sync", text(&files)]))
}

pub(crate) fn measure() -> Vec<Line> {
    let documents = documents();
    let bare = files(&documents);
    let parts = &mut || seconds(|| read_all(&bare)) + library::push(&documents).1;
    let pushes = rounds(ROUNDS, [&mut || push(&documents).1, parts]);
    let what = "command: 20,000 files, first push; beside a bare read and the library's push";
    let mut lines = vec![Line::ratio(what, &pushes, 2.0)];

    let (folder, _) = push(&documents);
    let store = folder.join("store");
    let syncs = rounds(ROUNDS, [&mut || first_sync(&store), &mut || write_all(&documents)]);
    lines.push(Line::ratio("command: 20,000 files, first sync; beside writing them", &syncs, 2.0));

    let synced = folder.join("files");
    run(&["sync", text(&synced)]);
    let bare = &mut || {
        seconds(|| {
            std::hint::black_box(scan(&synced));
        })
    };
    let quiet = rounds(4 * ROUNDS, [&mut || seconds(|| run(&["sync", text(&synced)])), bare]);
    lines.push(Line::ratio("command: 20,000 files, nothing new; beside a bare scan", &quiet, 2.0));
    lines
}

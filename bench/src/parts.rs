//! What the parts alone cost: rows in SQLite, bytes through zstd and BLAKE3, objects written and synced.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use longshore::Document;
use rusqlite::{Connection, params};

/// The level at which longshore compresses.
const LEVEL: i32 = 3;

fn database(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    let pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
                   CREATE TABLE IF NOT EXISTS document (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;";
    connection.execute_batch(pragmas).expect("a schema");
    connection
}

/// All rows in one transaction.
pub(crate) fn insert(path: &Path, documents: &[Document]) {
    let mut connection = database(path);
    let transaction = connection.transaction().expect("a transaction");
    {
        let mut statement = transaction.prepare("INSERT INTO document VALUES (?1, ?2)").expect("a statement");
        for document in documents {
            statement.execute(params![document.id.as_str(), document.body.as_ref()]).expect("a row");
        }
    }
    transaction.commit().expect("a commit");
}

/// All rows, in order.
pub(crate) fn select(path: &Path) -> Vec<u8> {
    let connection = database(path);
    let mut statement = connection.prepare("SELECT id, body FROM document").expect("a statement");
    let mut rows = statement.query([]).expect("rows");
    let mut all = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        all.extend_from_slice(row.get_ref(0).and_then(|id| Ok(id.as_bytes()?)).expect("an id"));
        all.extend_from_slice(row.get_ref(1).and_then(|body| Ok(body.as_blob()?)).expect("a body"));
    }
    all
}

/// Compresses and hashes.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let packed = zstd::bulk::compress(bytes, LEVEL).expect("compression");
    std::hint::black_box((blake3::hash(bytes), blake3::hash(&packed)));
    packed
}

/// Hashes and decompresses.
pub(crate) fn unpack(packed: &[u8], len: usize) -> Vec<u8> {
    std::hint::black_box(blake3::hash(packed));
    zstd::bulk::decompress(packed, len).expect("decompression")
}

/// Writes one object under `root` and syncs it, its folder, and the name of every folder that was not there.
pub(crate) fn store(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    let folder = path.parent().expect("a folder");
    make(folder);
    let mut file = File::create(&path).expect("a file");
    file.write_all(bytes).and_then(|()| file.sync_all()).expect("a synced file");
    sync(folder);
}

fn make(folder: &Path) {
    if folder.exists() {
        return;
    }
    let above = folder.parent().expect("a folder above");
    make(above);
    fs::create_dir(folder).expect("a folder");
    sync(above);
}

fn sync(folder: &Path) {
    File::open(folder).and_then(|folder| folder.sync_all()).expect("a synced folder");
}

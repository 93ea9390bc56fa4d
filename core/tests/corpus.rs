//! Bytes on a server are others' bytes. The fuzzer's corpus is replayed in every run of the tests: each of its inputs gives a
//! value or an error. Its seeds are real objects, one of each kind, and some damaged ones.
//!
//! `LONGSHORE_SEEDS=write cargo test -p longshore-core --test corpus` writes the seeds anew, after a change of the format.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "../../fuzz/check.rs"]
mod check;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_core::format::{Frame, Kind};
use longshore_core::{
    Attempt, AttemptNumber, Change, ClientId, Document, DocumentId, DomainName, Hash, LockRequest, Locked,
    MemoryStorage, MetadataName, RowNumber, Sequence, Server, ServerExt, StoreOptions, StoredServer, Tip, TokioRuntime,
};
use serde_json::json;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/frame")
}

fn author(attempt: u64) -> longshore_core::Author {
    longshore_core::Author {
        client: ClientId::from_bytes([7; 16]),
        attempt: AttemptNumber::new(attempt).unwrap(),
        lease: None,
        time: None,
    }
}

/// A store with an object of each kind that the code writes, by what it is.
async fn written() -> longshore_core::Result<BTreeMap<&'static str, Bytes>> {
    let storage = MemoryStorage::new();
    let server = StoredServer::new(Arc::new(storage.clone()), Arc::new(TokioRuntime), &DomainName::default())?;
    let info = server.initialize(&StoreOptions::default()).await?;
    let first = Tip::beginning(&info);
    let changes = vec![Change::put(Document::new("note", "milk")?), Change::delete(DocumentId::new("ol\u{7}d")?)];
    server.commit(&first, &author(1), changes).await?;
    let bulk: String = (0..80_000).map(|n| Hash::of(&u32::to_le_bytes(n)).to_string()).collect();
    let second = server.changes_read(Sequence::FIRST, 1).await?.remove(0).value.expect("it was committed").tip();
    server.commit(&second, &author(2), vec![Change::put(Document::new("bulk", bulk)?)]).await?;
    let Locked::Granted(lease) = server.lock(&LockRequest::new("seed").with_ttl(Duration::from_secs(60))).await? else {
        panic!("nobody else is here");
    };
    let lease = server.renew(&lease).await?;
    server.unlock(&lease).await?;
    server.metadata_write(&MetadataName::new("schema")?, None, "3".into()).await?;
    let object = |ending: &str| {
        let found = storage.objects().into_iter().find(|(key, _)| key.as_str().ends_with(ending));
        found.unwrap_or_else(|| panic!("no {ending}")).1
    };
    let number = |n: u64| format!("{n:016}/data");
    Ok(BTreeMap::from([
        ("format", object("format/data")),
        ("entry-changes", object(&format!("log/{:016}/{}", 0, number(1)))),
        ("entry-segments", object(&format!("log/{:016}/{}", 0, number(2)))),
        ("lease-grant", object(&format!("lease/{}", number(1)))),
        ("lease-renew", object(&format!("lease/{}", number(2)))),
        ("lease-release", object(&format!("lease/{}", number(3)))),
        ("metadata", object(&format!("schema/{}", number(1)))),
    ]))
}

/// A dozen and some small real inputs.
fn seeds() -> BTreeMap<&'static str, Bytes> {
    let mut seeds = tokio::runtime::Runtime::new().unwrap().block_on(written()).unwrap();
    let frame = |kind, header: serde_json::Value, bodies: &[&[u8]]| Frame::encode(kind, &header, bodies).unwrap();
    let (hash, entry) = (Hash::of(b"e"), seeds["entry-changes"].clone());
    let change = json!({ "id": "a", "action": "put", "length": 3 });
    let key = format!("domains/main/segments/{:016}/{:016}-{}", 0, 0, "ab".repeat(16));
    seeds.insert("segment", frame(Kind::Segment, json!({ "key": key, "changes": [change] }), &[b"abc"]));
    let snapshot = json!({
        "key": "domains/main/snapshot/0000000000000001/data",
        "entry": { "sequence": 1, "hash": hash }, "marks": [], "documents": 0, "bytes": 0, "digest": hash,
        "clients": [{ "client": ClientId::from_bytes([7; 16]), "attempt": 1, "sequence": 1, "hash": hash }],
        "time": 1, "segments": [],
    });
    seeds.insert("snapshot", frame(Kind::Snapshot, snapshot, &[]));
    seeds.insert("needs-a-feature", frame(Kind::Format, json!({ "key": "format/data", "requires": ["new"] }), &[]));
    seeds.insert("no-json", frame(Kind::Entry, json!("text"), &[b"body", b""]));
    seeds.insert("cut", entry.slice(..entry.len() - 7));
    seeds.insert("prefix-alone", entry.slice(..64));
    let attempt = Attempt {
        number: AttemptNumber::FIRST,
        sequence: Sequence::FIRST,
        hash: Hash::of(&entry),
        bytes: entry,
        rows: [1, 2, 9].into_iter().map(|row| RowNumber::new(row).unwrap()).collect(),
    };
    seeds.insert("attempt", attempt.encode().unwrap());
    seeds
}

#[test]
fn every_seed_is_there_and_still_what_it_was() {
    let seeds = seeds();
    if std::env::var("LONGSHORE_SEEDS").is_ok_and(|value| value == "write") {
        for (name, bytes) in &seeds {
            std::fs::write(folder().join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in seeds {
        let stored = std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = |bytes: &[u8]| Frame::decode(bytes).map(|frame| frame.kind()).map_err(|error| error.kind());
        assert_eq!(kind(&stored), kind(&bytes), "{name}");
    }
}

#[test]
fn every_input_of_the_corpus_gives_a_value_or_an_error() {
    let inputs: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() >= 12, "the corpus is empty");
    for input in inputs {
        check::check(&std::fs::read(&input).unwrap());
    }
}

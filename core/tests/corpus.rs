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
    Action, Attempt, AttemptNumber, Change, ClientId, Content, Document, DocumentId, DomainName, ErrorKind, Hash,
    LockRequest, Locked, MemoryStorage, MetadataName, RowNumber, Sequence, Server, ServerExt, StoreOptions,
    StoredServer, Tip,
};
use proptest::prelude::*;
use serde_json::{Value, json};

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
    let server = StoredServer::new(Arc::new(storage.clone()), check::Still::runtime(), &DomainName::default())?;
    let info = server.initialize(&StoreOptions::default().with_probe(false)).await?;
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
    let mut seeds = check::block_on(written()).unwrap();
    let frame = |kind, header: serde_json::Value, bodies: &[&[u8]]| Frame::encode(kind, &header, bodies).unwrap();
    let (hash, entry) = (Hash::of(b"e"), seeds["entry-changes"].clone());
    let change = json!({ "id": "a", "action": "put", "length": 3 });
    let segment = json!({ "key": check::SEGMENT, "changes": [change, { "id": "b", "action": "delete" }] });
    seeds.insert("segment", frame(Kind::Segment, segment.clone(), &[b"abc"]));
    seeds.insert("segment-plain", plain(3, &segment, b"abc"));
    seeds.insert("entry-plain", plain(2, &entry_header(&json!({ "changes": [change] })), b"abc"));
    let named = json!({ "name": check::SEGMENT, "length": 3, "hash": hash });
    seeds.insert("entry-segments-plain", plain(2, &entry_header(&json!({ "segments": [named] })), b""));
    let client = json!({ "client": ClientId::from_bytes([7; 16]), "attempt": 1, "sequence": 1, "hash": hash });
    let mut snapshot = json!({
        "key": check::SNAPSHOT, "entry": { "sequence": 1, "hash": hash, "time": 1 },
        "documents": 1, "bytes": 3, "digest": hash, "time": 2, "clients": [client], "segments": [named],
    });
    seeds.insert("snapshot", frame(Kind::Snapshot, snapshot.clone(), &[]));
    seeds.insert("snapshot-plain", plain(4, &snapshot, b""));
    let lists = snapshot.as_object_mut().unwrap();
    lists.retain(|name, _| name != "clients" && name != "segments");
    lists.insert("index".to_owned(), json!([named]));
    seeds.insert("snapshot-index-plain", plain(4, &snapshot, b""));
    let index = json!({ "key": check::SEGMENT, "marks": [{ "sequence": 1, "hash": hash }], "segments": [named] });
    seeds.insert("index-plain", plain(7, &index, b""));
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

/// An object whose payload is not compressed: there a mutation meets the header and the bodies.
fn plain(kind: u8, header: &Value, bodies: &[u8]) -> Bytes {
    let mut stored = vec![0; 64];
    let header = serde_json::to_vec(header).unwrap();
    stored[10] = kind;
    stored[12..16].copy_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
    stored[16..24].copy_from_slice(&((header.len() + bodies.len()) as u64).to_le_bytes());
    stored.extend_from_slice(&header);
    stored.extend_from_slice(bodies);
    check::sealed(&stored).into()
}

/// The header of an entry 1 with this besides.
fn entry_header(extra: &Value) -> Value {
    let mut header = json!({
        "key": check::ENTRIES[0].1, "client": ClientId::from_bytes([7; 16]), "attempt": 1, "previous": Hash::of(b"f"),
        "kind": "changes",
    });
    header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    header
}

/// What an object says. What depends on the bytes that a version of zstd makes is left out.
fn value(stored: &[u8]) -> Result<(Kind, Value, Bytes), (ErrorKind, String)> {
    let frame = Frame::decode(stored).map_err(|error| (error.kind(), error.to_string()))?;
    let mut header: Value = serde_json::from_slice(frame.header_json()).unwrap();
    if let Some(fields) = header.as_object_mut() {
        fields.remove("previous");
    }
    for segment in header.get_mut("segments").and_then(Value::as_array_mut).into_iter().flatten() {
        let fields = segment.as_object_mut().unwrap();
        fields.remove("hash");
        fields.remove("length");
    }
    Ok((frame.kind(), header, frame.bodies().clone()))
}

fn same_attempt(stored: &[u8], expected: &[u8]) {
    let (stored, expected) = (Attempt::decode(stored).unwrap(), Attempt::decode(expected).unwrap());
    assert_eq!((stored.number, stored.sequence, stored.rows), (expected.number, expected.sequence, expected.rows));
    assert_eq!((stored.hash, value(&stored.bytes)), (Hash::of(&stored.bytes), value(&expected.bytes)));
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
        match name {
            "attempt" => same_attempt(&stored, &bytes),
            // How long they should be depends on zstd, too.
            "cut" | "prefix-alone" => assert_eq!(value(&stored).unwrap_err().0, value(&bytes).unwrap_err().0, "{name}"),
            _ => assert_eq!(value(&stored), value(&bytes), "{name}"),
        }
    }
}

/// The seeds get as far as a client would take them: the fuzzer starts behind the last check, not before the first.
#[test]
fn seeds_are_read_to_their_changes() {
    let seeds = seeds();
    let body = |change: &Change| change.action.clone();
    for name in ["segment", "segment-plain"] {
        let changes = check::segment(&seeds[name]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(changes.iter().map(body).collect::<Vec<_>>(), [Action::Put("abc".into()), Action::Delete], "{name}");
    }
    for (name, at) in [("entry-changes", 0), ("entry-plain", 0), ("entry-segments", 1), ("entry-segments-plain", 0)] {
        let (number, key) = check::ENTRIES[at];
        let entry = check::entry(number, key, &seeds[name]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(matches!(entry.content, Content::Segments(_)), name.contains("segments"), "{name}");
    }
    for name in ["snapshot", "snapshot-plain"] {
        let snapshot = check::snapshot(&seeds[name]).unwrap_or_else(|error| panic!("{name}: {error}")).unwrap();
        assert_eq!((snapshot.clients.len(), snapshot.segments.len()), (1, 1), "{name}");
    }
    let gone = check::snapshot(&seeds["snapshot-index-plain"]).unwrap_err();
    assert_eq!(gone.key(), Some(check::SEGMENT), "{gone}");
}

#[test]
fn every_input_of_the_corpus_gives_a_value_or_an_error() {
    let inputs: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() >= 12, "the corpus is empty");
    for input in inputs {
        check::check(&std::fs::read(&input).unwrap());
    }
}

/// Changes as a hostile writer may name them: any id, any action, any length.
fn changes() -> impl Strategy<Value = Vec<(String, &'static str, u64)>> {
    let length = prop_oneof![4 => 0_u64..12, 1 => any::<u64>()];
    let action = prop::sample::select(vec!["put", "put", "put", "delete", "touch"]);
    prop::collection::vec(("[a-c]{0,2}", action, length), 0..5)
}

proptest! {
    /// Only lengths that add up to all bodies give changes, and then each gets its own bytes.
    #[test]
    fn any_changes_give_their_bodies_or_are_corrupt(named in changes(), bodies in prop::collection::vec(any::<u8>(), 0..24)) {
        let total = named.iter().try_fold(0_u64, |sum, (_, _, length)| sum.checked_add(*length));
        let fine = total == Some(bodies.len() as u64)
            && named.iter().all(|(id, action, length)| {
                !id.is_empty() && (*action == "put" || (*action == "delete" && *length == 0))
            });
        let list: Vec<Value> = named.iter().map(|(id, action, length)| json!({ "id": id, "action": action, "length": length })).collect();
        let segment = check::segment(&plain(3, &json!({ "key": check::SEGMENT, "changes": list }), &bodies));
        let (number, key) = check::ENTRIES[0];
        let entry = check::entry(number, key, &plain(2, &entry_header(&json!({ "changes": list })), &bodies));
        let inside = entry.map(|entry| match entry.content {
            Content::Changes(changes) => changes,
            other => panic!("{other:?}"),
        });
        for read in [segment, inside] {
            match read {
                Ok(changes) => {
                    prop_assert!(fine);
                    let lengths: Vec<u64> = changes.iter().map(|change| change.action.len() as u64).collect();
                    prop_assert_eq!(lengths, named.iter().map(|(_, _, length)| *length).collect::<Vec<_>>());
                    let all: Vec<u8> = changes.iter().filter_map(|change| change.action.body()).flatten().copied().collect();
                    prop_assert_eq!(&all, &bodies);
                }
                Err(error) => {
                    prop_assert!(!fine, "{error}");
                    prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                }
            }
        }
    }

    /// What the fuzzer does for hours, for a moment.
    #[test]
    fn any_damage_to_a_seed_gives_a_value_or_an_error(
        seed in prop::sample::select(vec![
            "segment", "segment-plain", "entry-plain", "entry-segments-plain", "entry-changes", "snapshot-plain",
            "snapshot-index-plain", "index-plain",
        ]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = std::fs::read(folder().join(seed)).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check::check(&bytes);
    }
}

//! `docs/format.md` dissects one entry to the byte. Another implementation may be written from that page, so the page must not
//! drift: the bytes on it are the bytes that the code writes, and the code reads them as the page says.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::executor::block_on;
use longshore_core::format::{
    FORMAT_VERSION, Frame, Kind, MAX_INLINE, MAX_RECORD, MAX_SEGMENT, SEGMENT_TARGET, SegmentRef,
};
use longshore_core::{
    Author, Base, Change, Content, Document, DomainName, ErrorKind, Hash, LockRequest, MemoryStorage, MetadataName,
    ObjectKey, Prepared, Revision, Sequence, Server, ServerTime, Staged, StoredServer, Tip, TokioRuntime,
};

const PAGE: &str = include_str!("../../docs/format.md");
const KEY: &str = "domains/main/log/0000000000000000/0000000000000002/data";

fn server(storage: &MemoryStorage) -> StoredServer {
    StoredServer::new(Arc::new(storage.clone()), Arc::new(TokioRuntime), &DomainName::default()).unwrap()
}

fn changes() -> Vec<Change> {
    let revision = |text: &str| Some(Revision::new(text).unwrap());
    let base = Base { sequence: Sequence::FIRST, revision: revision("1-a") };
    let milk = Document { id: "shopping".try_into().unwrap(), revision: revision("2-b"), body: "milk, bread".into() };
    vec![
        Change::put(milk).with_base(Some(base.clone())),
        Change::put(Document::new("notes/today", "rain").unwrap()),
        Change::delete("old".try_into().unwrap()).with_base(Some(Base { revision: None, ..base })),
    ]
}

/// The entry of the page: number 2, three changes, written without the lease.
fn example() -> Prepared {
    let time = Some(ServerTime::from_millis(1_700_000_000_000));
    let after = Tip { sequence: Some(Sequence::FIRST), hash: Hash::of(b"entry 1"), time };
    let author = Author {
        client: "00112233445566778899aabbccddeeff".parse().unwrap(),
        attempt: "0000000000000007".parse().unwrap(),
        lease: None,
        time: Some(ServerTime::from_millis(1_700_000_060_000)),
    };
    let staged = Staged { checkpoint: 1, content: Content::Changes(changes()), too_large: Vec::new() };
    server(&MemoryStorage::new()).prepare(&after, &author, &staged).unwrap()
}

/// Lines as `hexdump -C` prints them, without the text column.
fn dump(bytes: &[u8]) -> String {
    let line = |(at, line): (usize, &[u8])| {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:08x}  {}\n", at * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

/// The bytes of the page's hex lines.
fn dumped() -> Vec<u8> {
    let lines = PAGE.lines().filter(|line| line.len() > 10 && line.is_char_boundary(8) && &line[8..10] == "  ");
    let hex = lines.filter(|line| line[..8].bytes().all(|digit| digit.is_ascii_hexdigit())).map(|line| &line[10..]);
    hex.flat_map(|line| line.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap())).collect()
}

#[test]
fn the_page_has_the_bytes_that_the_code_writes() {
    let bytes = example().bytes;
    assert!(PAGE.contains(&dump(&bytes)), "docs/format.md must show\n{}", dump(&bytes));
    let frame = Frame::decode(&bytes).unwrap();
    let header = std::str::from_utf8(frame.header_json()).unwrap();
    assert!(PAGE.contains(header), "docs/format.md must show\n{header}");
    assert!(PAGE.contains(std::str::from_utf8(frame.bodies()).unwrap()));
    assert!(PAGE.contains(&Hash::of(&bytes).to_string()), "docs/format.md must show {}", Hash::of(&bytes));
}

#[test]
fn the_code_reads_the_bytes_of_the_page() {
    let storage = MemoryStorage::new();
    storage.set_objects(BTreeMap::from([(ObjectKey::new(KEY).unwrap(), dumped().into())]));
    let entry = block_on(server(&storage).changes_read(Sequence::new(2).unwrap(), 1)).unwrap().remove(0).value.unwrap();
    assert_eq!(entry.content, Content::Changes(changes()));
    assert_eq!(entry.previous, Hash::of(b"entry 1"));
    assert_eq!(entry.time, Some(ServerTime::from_millis(1_700_000_060_000)));
}

#[test]
fn the_page_has_the_limits_of_the_code() {
    assert_eq!((FORMAT_VERSION, MAX_RECORD, MAX_INLINE, SEGMENT_TARGET), (1, 1_048_576, 524_288, 8_388_608));
    for limit in ["1,048,576", "524,288", "8,388,608"] {
        assert!(PAGE.contains(limit), "docs/format.md must name {limit}");
    }
    assert_eq!(Frame::decode(&dumped()).unwrap().kind(), Kind::Entry);
}

/// A row of the page's table of limits.
#[derive(Debug)]
struct Row {
    kind: &'static str,
    code: u8,
    raw: u64,
    stored: u64,
}

/// The number that a cell ends with: `1 GiB + 128 MiB`, `1,048,576`.
fn number(cell: &str) -> u64 {
    let cell = cell.rsplit(" and ").next().unwrap();
    let term = |term: &str| {
        let (count, unit) = term.trim().split_once(' ').unwrap_or((term.trim(), ""));
        let unit = [("", 1), ("MiB", 1 << 20), ("GiB", 1 << 30)].iter().find(|(name, _)| *name == unit).unwrap().1;
        count.replace(',', "").parse::<u64>().unwrap_or_else(|_| panic!("{cell:?}")) * unit
    };
    cell.split('+').map(term).sum()
}

fn limits() -> Vec<Row> {
    let table = PAGE.lines().skip_while(|line| !line.starts_with("| kind | code |")).skip(2);
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [kind, code, raw, stored] = cells[..] else { panic!("{line}") };
        Row { kind, code: code.parse().unwrap(), raw: number(raw), stored: number(stored) }
    };
    table.take_while(|line| line.starts_with('|')).map(row).collect()
}

fn kind(name: &str) -> Kind {
    match name {
        "format" => Kind::Format,
        "entry" => Kind::Entry,
        "segment" => Kind::Segment,
        "snapshot" => Kind::Snapshot,
        "lease" => Kind::Lease,
        "metadata" => Kind::Metadata,
        "index" => Kind::Index,
        other => panic!("docs/format.md has a kind {other} that the code does not know"),
    }
}

/// Why an object whose prefix declares so many bytes is refused; its checksum is wrong in any case.
fn refusal(code: u8, raw: u64) -> String {
    let mut prefix = dumped()[..64].to_vec();
    prefix[10] = code;
    prefix[16..24].copy_from_slice(&raw.to_le_bytes());
    prefix[24..32].copy_from_slice(&0_u64.to_le_bytes());
    Frame::decode(&prefix).unwrap_err().message().to_owned()
}

#[test]
fn the_page_has_every_kind_and_its_most_bytes() {
    let codes: Vec<u8> = limits().iter().map(|row| row.code).collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7]);
    for row in limits() {
        let sample = Frame::encode(kind(row.kind), &serde_json::json!({}), &[]).unwrap();
        assert_eq!(sample[10], row.code, "{row:?}");
        assert!(refusal(row.code, row.raw).contains("checksum"), "{row:?} may be that large");
        assert!(refusal(row.code, row.raw + 1).contains("declares more bytes"), "{row:?} may not be larger");
    }
    assert!(refusal(8, 1).contains("kind"), "the page has all kinds");
}

/// Why an object of so many stored bytes is refused where the code reads one of this kind; zeros are refused in any case.
fn refusal_of_stored(name: &str, bytes: u64) -> String {
    let key = |name: &str| ObjectKey::new(name).unwrap();
    let at = match name {
        "format" => key("format/data"),
        "entry" => key(KEY),
        "lease" => key("domains/main/lease/0000000000000001/data"),
        "metadata" => key("domains/main/meta/schema/0000000000000001/data"),
        "snapshot" => key("domains/main/snapshot/0000000000000001/data"),
        other => panic!("nothing reads {other} by its name"),
    };
    let storage = MemoryStorage::new();
    storage.set_objects(BTreeMap::from([(at, vec![0; usize::try_from(bytes).unwrap()].into())]));
    let server = server(&storage);
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let error = tokio.block_on(async {
        match name {
            "format" => server.store().await.map(drop),
            "entry" => server.changes_read(Sequence::new(2).unwrap(), 1).await.map(drop),
            "snapshot" => server.snapshot().await.map(drop),
            "lease" => server.lock(&LockRequest::new("test")).await.map(drop),
            _ => server.metadata_read(&MetadataName::new("schema").unwrap()).await.map(drop),
        }
    });
    error.unwrap_err().message().to_owned()
}

#[test]
fn the_page_has_the_most_stored_bytes_of_every_kind() {
    for row in limits() {
        match row.kind {
            // An entry names it, with its length.
            "segment" | "index" => assert_eq!(row.stored, MAX_SEGMENT),
            name => {
                let larger = "larger than any that belongs there";
                assert!(!refusal_of_stored(name, row.stored).contains(larger), "{row:?} may be that large");
                assert!(refusal_of_stored(name, row.stored + 1).contains(larger), "{row:?} may not be larger");
            }
        }
    }
}

/// Entry 1 that names one segment of this length.
fn naming(length: u64) -> MemoryStorage {
    let key = "domains/main/log/0000000000000000/0000000000000001/data";
    let name = format!("domains/main/segments/{:016}/{:016}-{}", 0, 0, "ab".repeat(16));
    let header = serde_json::json!({
        "key": key, "client": "00".repeat(16), "attempt": 1, "previous": "00".repeat(32), "kind": "changes",
        "segments": [{ "name": name, "length": length, "hash": "00".repeat(32) }],
    });
    let storage = MemoryStorage::new();
    let entry = Frame::encode(Kind::Entry, &header, &[]).unwrap();
    storage.set_objects(BTreeMap::from([(ObjectKey::new(key).unwrap(), entry)]));
    storage
}

#[test]
fn a_segment_is_as_long_as_its_entry_says_and_no_longer_than_the_page_says() {
    let read = |length| block_on(server(&naming(length)).changes_read(Sequence::FIRST, 1)).map(drop);
    let limit = limits().iter().find(|row| row.kind == "segment").unwrap().stored;
    assert!(read(limit).is_ok());
    assert_eq!(read(limit + 1).unwrap_err().kind(), ErrorKind::Corrupt);

    let storage = MemoryStorage::new();
    let key = ObjectKey::new(format!("domains/main/segments/{:016}/{:016}-{}", 0, 0, "ab".repeat(16))).unwrap();
    storage.set_objects(BTreeMap::from([(key.clone(), vec![0; 100].into())]));
    let named = SegmentRef { name: key.to_string(), length: 99, hash: Hash::of(&[0; 100]) };
    let error = block_on(server(&storage).segment(&named)).unwrap_err();
    assert!(error.message().contains("larger"), "{error}");
}

/// The last number there is was never reached by counting: a lease could not be taken from it, nor given back.
#[test]
fn numbers_end_where_the_page_says() {
    const LAST: u64 = 9_999_999_999_999_999;
    assert!(PAGE.contains("that client's number for the attempt: 1 to 9,999,999,999,999,999"));
    for (attempt, fine) in [(0, false), (1, true), (LAST, true), (LAST + 1, false)] {
        assert_eq!(longshore_core::AttemptNumber::new(attempt).is_ok(), fine, "{attempt}");
    }
    assert!(PAGE.contains("9,999,999,999,999,999 is `Corrupt`"));
    let key = format!("domains/main/lease/{LAST}/data");
    let header = serde_json::json!({
        "key": key, "token": LAST, "nonce": "00".repeat(16), "kind": "release", "ttl": 1000, "purpose": "",
    });
    let storage = MemoryStorage::new();
    let record = Frame::encode(Kind::Lease, &header, &[]).unwrap();
    storage.set_objects(BTreeMap::from([(ObjectKey::new(key).unwrap(), record)]));
    let error = block_on(server(&storage).lock(&LockRequest::new("test"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

//! `docs/format.md` dissects one entry to the byte. Another implementation may be written from that page, so the page must not
//! drift: the bytes on it are the bytes that the code writes, and the code reads them as the page says.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::executor::block_on;
use longshore_core::format::{FORMAT_VERSION, Frame, Kind, MAX_INLINE, MAX_RECORD, SEGMENT_TARGET};
use longshore_core::{
    Author, Base, Change, Content, Document, DomainName, Hash, MemoryStorage, ObjectKey, Prepared, Revision, Sequence,
    Server, ServerTime, Staged, StoredServer, Tip, TokioRuntime,
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
    let staged = Staged { checkpoint: 1, content: Content::Changes(changes()) };
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

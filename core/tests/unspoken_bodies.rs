//! Documents are their users' own. Logs and crash reports travel: whatever an app formats or traces, no body is in it, neither as
//! text nor as the numbers of its bytes.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::format::{Frame, Kind};
use longshore_core::{
    Action, Answer, Attempt, AttemptNumber, BaseVersion, Batch, Change, Client, Conflict, Content, Document,
    DocumentId, Entry, Hash, Loaded, LockPolicy, MemoryReplica, MemoryStorage, Metadata, MetadataName, MetadataVersion,
    Object, Payload, PendingChange, Prepared, Replica as _, Reply, RowNumber, RowSet, Sequence, Server as _, Staged,
    Step, Storage as _, Version,
};
use support::{Device, Fault, World};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

const MARKER: &str = "MARKED-BODY";

fn marked() -> Bytes {
    Bytes::from(format!("before {MARKER} after"))
}

fn silent(what: &str, text: &str) {
    let numbers: Vec<String> = MARKER.bytes().map(|byte| byte.to_string()).collect();
    let (inline, tall) = (numbers.join(", "), numbers.join(",\n"));
    let packed: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for form in [MARKER, &inline, &tall] {
        assert!(!text.contains(form) && !packed.contains(form), "{what} shows a body:\n{text}");
    }
}

fn quiet(value: &impl Debug) {
    let what = std::any::type_name_of_val(value);
    silent(what, &format!("{value:?}"));
    silent(what, &format!("{value:#?}"));
}

fn document() -> Document {
    Document::new("doc", marked()).unwrap()
}

fn change() -> Change {
    Change::put(document())
}

fn id() -> DocumentId {
    DocumentId::new("doc").unwrap()
}

fn merge() -> Answer {
    Answer::Merge { revision: None, body: marked() }
}

fn attempt() -> Attempt {
    Attempt {
        number: AttemptNumber::FIRST,
        sequence: Sequence::FIRST,
        hash: Hash::of(b"entry"),
        bytes: marked(),
        rows: RowSet::default(),
    }
}

#[test]
fn documents_and_their_changes() {
    quiet(&document());
    quiet(&Action::Put(marked()));
    quiet(&change());
    quiet(&PendingChange { row: RowNumber::FIRST, change: change() });
    quiet(&Version::Present(document()));
    quiet(&BaseVersion::Known(document()));
    quiet(&merge());
    quiet(&Conflict {
        id: id(),
        base: BaseVersion::Known(document()),
        local: Version::Present(document()),
        remote: Version::Present(document()),
        sequence: Sequence::FIRST,
        row: RowNumber::FIRST,
    });
}

#[test]
fn what_a_replica_is_given_and_keeps() {
    let (sequence, row) = (Sequence::FIRST, RowNumber::FIRST);
    let steps = vec![
        Step::State(marked()),
        Step::Store { change: change(), sequence },
        Step::Conflict { change: change(), sequence },
        Step::Answer { id: id(), row, answer: merge() },
        Step::Journal(attempt()),
    ];
    steps.iter().for_each(quiet_step);
    quiet(&Batch { seen: None, steps });
    quiet(&attempt());
    quiet(&Loaded { state: Some(marked()), attempt: Some(attempt()) });
    let replica = MemoryReplica::new();
    block_on(replica.put(document())).unwrap();
    block_on(replica.apply(Batch { seen: None, steps: vec![Step::State(marked()), Step::Journal(attempt())] }))
        .unwrap();
    quiet(&replica);
}

fn quiet_step(step: &Step) {
    quiet(step);
}

#[test]
fn what_goes_to_a_server_and_comes_from_it() {
    let (content, hash) = (Content::Changes(vec![change()]), Hash::of(b"entry"));
    quiet(&content);
    quiet(&Staged { checkpoint: 0, content: content.clone(), too_large: Vec::new() });
    quiet(&Prepared { sequence: Sequence::FIRST, hash, bytes: marked() });
    quiet(&Metadata { version: MetadataVersion::FIRST, bytes: marked() });
    let entry = Entry {
        sequence: Sequence::FIRST,
        hash,
        previous: hash,
        client: longshore_core::ClientId::from_bytes([1; 16]),
        attempt: AttemptNumber::FIRST,
        lease: None,
        time: None,
        size: 1,
        content,
    };
    quiet(&Reply::new(Some(entry)));
}

#[test]
fn what_goes_to_a_storage_and_comes_from_it() {
    quiet(&Payload::from(marked()));
    let storage = MemoryStorage::new();
    let key = longshore_core::ObjectKey::new("a/data").unwrap();
    block_on(storage.create(&key, marked())).unwrap();
    quiet(&storage);
    let object: Option<Object> = block_on(storage.get(&key, longshore_core::ByteRange::ALL)).unwrap().value;
    quiet(&object);
    let stored = Frame::encode(Kind::Entry, &serde_json::json!({ "id": MARKER }), &[&marked()]).unwrap();
    quiet(&Frame::decode(&stored).unwrap());
}

/// What a subscriber writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that is traced while the work is done.
fn traced(work: impl FnOnce()) -> String {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

fn text(of: &str) -> String {
    format!("{of} {MARKER}")
}

/// Pushes inside entries and in segments, pulls, conflicts with each answer, lost calls, a lease, metadata.
fn a_busy_day(world: &World) -> (Device, Device) {
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    a.put("both", &text("base"));
    let large = Bytes::from([support::Rng::new(4).text(80_000), text("large")].concat());
    a.put_many(vec![Document::new("large", large).unwrap()]);
    a.sync();
    b.policy = LockPolicy::Always;
    b.restart();
    b.sync();
    a.put("both", &text("by a"));
    b.put("both", &text("by b"));
    a.arm(a.storage.calls() + 1, Fault::LostAfter);
    a.sync();
    b.arm(b.storage.calls(), Fault::LostBefore);
    b.sync();
    a.sync();
    let name = MetadataName::new("schema").unwrap();
    let write = async {
        let client = a.new_client(false);
        client.metadata_write(&name, None, marked()).await.unwrap();
        client.metadata_read(&name).await.unwrap();
        client.queue_change(Change::put(Document::new("queued", marked()).unwrap())).await.unwrap();
        client.plan().await.unwrap();
        client.status().await.unwrap();
        a.server().get(&DocumentId::new("large").unwrap()).await.unwrap();
    };
    world.sim.run(write, || false).unwrap();
    (a, b)
}

#[test]
fn a_trace_of_a_busy_day_shows_no_body() {
    let world = World::new(45, true);
    let log = traced(|| drop(a_busy_day(&world)));
    for expected in ["sync", "storage", "operation=\"put\"", "trying again"] {
        assert!(log.contains(expected), "the trace lacks {expected}");
    }
    silent("the trace", &log);
}

/// Errors tell of objects, not of what is in them: also those of objects whose bytes are damaged.
#[test]
fn neither_errors_nor_their_traces_show_a_body() {
    let world = World::new(46, true);
    let mut a = world.device("a");
    a.put("doc", &text("body"));
    a.sync();
    let objects = world.storage.objects();
    let entry = objects.keys().find(|key| key.as_str().contains("/log/")).unwrap().clone();
    let header = |extra: serde_json::Value| {
        let mut header = serde_json::json!({ "key": entry.as_str(), "kind": "changes", "attempt": 1 });
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Frame::encode(Kind::Entry, &header, &[&marked()]).unwrap()
    };
    let whole = serde_json::json!({ "client": "00".repeat(16), "previous": "00".repeat(32) });
    let damaged: [Bytes; 4] = [
        objects[&entry].slice(..objects[&entry].len() - 1),
        header(serde_json::json!({})),
        header(whole),
        Frame::encode(Kind::Metadata, &serde_json::json!({}), &[&marked()]).unwrap(),
    ];
    for bytes in damaged {
        let mut changed: BTreeMap<_, _> = objects.clone();
        changed.insert(entry.clone(), bytes);
        world.storage.set_objects(changed);
        let client: Client = world.device("b").new_client(false);
        let log = traced(|| {
            let error = world.sim.run(client.sync(), || false).unwrap().unwrap_err();
            quiet(&error);
            silent("the error", &error.to_string());
            tracing::error!(%error, ?error);
        });
        silent("the trace", &log);
        quiet(&world.sim.run(client.status(), || false).unwrap().unwrap());
    }
}

//! A client that stays open pushes little without a poll before it. What that meets is handled as if it had polled.
#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use longshore_core::{
    ByteRange, Client, Created, Document, DocumentId, DomainName, Error, ErrorKind, MemoryReplica, MemoryStorage,
    Object, ObjectKey, Outcome, Reply, Result, Storage, StoredServer, SyncReport,
};
use support::sim::Sim;
use support::{Bend, Forward};

/// Longer than a client waits for others after its own commit.
const REST: Duration = Duration::from_secs(2);

/// How a store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Well,
    /// No request reaches it.
    Away,
    /// Nothing may be written.
    ReadOnly,
}

#[derive(Clone, Debug)]
struct Moody(Arc<AtomicU8>);

impl Moody {
    fn is(&self, mood: Mood) -> bool {
        self.0.load(Ordering::SeqCst) == mood as u8
    }

    fn reach(&self) -> Result<()> {
        let error = Error::new(ErrorKind::Unavailable, "no network").with_outcome(Outcome::NotApplied);
        if self.is(Mood::Away) { Err(error) } else { Ok(()) }
    }
}

#[async_trait]
impl Bend for Moody {
    async fn create(&self, inner: &dyn Storage, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.reach()?;
        if self.is(Mood::ReadOnly) {
            return Err(Error::new(ErrorKind::Denied, "read only").with_outcome(Outcome::NotApplied));
        }
        inner.create(key, bytes).await
    }

    async fn get(&self, inner: &dyn Storage, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.reach()?;
        inner.get(key, range).await
    }
}

/// A device with a client that stays open, on a store with moods.
struct Open {
    sim: Sim,
    mood: Moody,
    replica: MemoryReplica,
    client: Client,
}

impl Open {
    /// In step with the store.
    fn new(sim: &Sim, store: &MemoryStorage) -> Self {
        let (mood, replica) = (Moody(Arc::new(AtomicU8::new(Mood::Well as u8))), MemoryReplica::new());
        let storage = Arc::new(Forward::new(store.clone(), mood.clone()));
        let server = Arc::new(StoredServer::new(storage, sim.runtime(), &DomainName::default()).unwrap());
        let client = Client::builder_on(sim.runtime(), server, Arc::new(replica.clone())).build();
        Self { sim: sim.clone(), mood, replica, client }
    }

    fn turn(&self, mood: Mood) {
        self.mood.0.store(mood as u8, Ordering::SeqCst);
    }

    fn put(&self, id: &str, body: &str) {
        let document = Document::new(id, body.to_owned()).unwrap();
        block_on(self.replica.put(document)).unwrap();
    }

    fn get(&self, id: &str) -> Option<Bytes> {
        let id = DocumentId::new(id).unwrap();
        block_on(self.replica.get(&id)).unwrap().map(|document| document.body)
    }

    fn try_sync(&self) -> Result<SyncReport> {
        self.sim.run(self.client.sync(), || false).unwrap()
    }

    fn sync(&self) -> SyncReport {
        let report = self.try_sync().unwrap();
        self.sim.advance(REST);
        report
    }
}

fn pair() -> (Open, Open) {
    let (sim, store) = (Sim::new(1), MemoryStorage::new());
    let (a, b) = (Open::new(&sim, &store), Open::new(&sim, &store));
    a.put("doc", "0");
    a.sync();
    b.sync();
    (a, b)
}

/// It was never sent, so nobody holds on to it: what the app makes of it meanwhile goes out, and as one commit.
#[test]
fn what_never_reached_the_store_can_still_be_taken_back() {
    let (a, b) = pair();
    a.turn(Mood::Away);
    a.put("draft", "1");
    a.put("kept", "1");
    assert_eq!(a.try_sync().unwrap_err().kind(), ErrorKind::Unavailable);
    block_on(a.replica.delete(DocumentId::new("draft").unwrap())).unwrap();
    a.put("kept", "2");
    a.turn(Mood::Well);
    let report = a.sync();
    let number = |report: &SyncReport| report.checkpoint.unwrap().get();
    assert_eq!((report.pushed, number(&report)), (2, 2), "the newest of each document, in one entry");
    let report = b.sync();
    assert_eq!((report.pulled, number(&report)), (2, 2));
    assert_eq!((b.get("draft"), b.get("kept")), (None, Some("2".into())));
}

/// Who may not write can still read, and hears at each sync why nothing is pushed.
#[test]
fn who_may_not_write_still_pulls() {
    let (a, b) = pair();
    a.turn(Mood::ReadOnly);
    for n in 1..4 {
        b.put("doc", &format!("{n}"));
        b.sync();
        a.put("mine", &format!("{n}"));
        assert_eq!(a.try_sync().unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(a.get("doc"), Some(format!("{n}").into()));
        a.sim.advance(REST);
    }
    a.turn(Mood::Well);
    assert_eq!(a.sync().pushed, 1);
    b.sync();
    assert_eq!(b.get("mine"), Some("3".into()));
}

/// A store that was put in the place of the known one holds another entry at the next number: that one is no reason to pull.
#[test]
fn a_fork_is_met_at_the_next_number() {
    let (sim, store) = (Sim::new(2), MemoryStorage::new());
    let (a, b) = (Open::new(&sim, &store), Open::new(&sim, &store));
    a.put("doc", "0");
    a.sync();
    let older = store.objects();
    b.sync();
    a.put("doc", "1");
    a.sync();
    // An older copy is brought back, and written to by another.
    store.set_objects(older);
    for n in 0..2 {
        b.put("theirs", &format!("{n}"));
        b.sync();
    }
    let before = store.objects();
    a.put("mine", "1");
    assert_eq!(a.try_sync().unwrap_err().kind(), ErrorKind::Replaced);
    assert_eq!(store.objects(), before, "nothing was written");
    assert_eq!((a.get("theirs"), a.get("mine")), (None, Some("1".into())));
}

/// What the app writes while a sync is under way goes with the next one, however much it is.
#[test]
fn what_is_written_meanwhile_waits() {
    let (a, b) = pair();
    a.put("first", "1");
    let mut polls = 0;
    let mut ended = None;
    while ended.is_none() {
        polls += 1;
        let mut left = polls;
        let stop = || {
            left -= 1;
            if left == 0 {
                a.put("second", &format!("{polls}"));
            }
            false
        };
        let report = a.sim.run(a.client.sync(), stop).unwrap().unwrap();
        ended = (left > 0).then_some(report);
        a.sim.advance(REST);
        a.put("first", &format!("{polls}"));
    }
    a.sync();
    b.sync();
    assert_eq!((a.get("first"), a.get("second")), (b.get("first"), b.get("second")));
}

//! The storage that all clients share, and one device's faulty way to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use longshore_core::format::{self, Frame, LeaseHeader, LeaseKind};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Outcome,
    Payload, Reply, Result, ServerTime, Storage,
};

use super::coverage::Counters;
use super::fault::{Fault, Kind, Planned};
use super::history::History;
use super::mix;
use super::time::{Time, lock};
use crate::dice::Dice;

/// A storage call, complete, so that it can be delivered later or again.
#[derive(Clone, Debug)]
enum Call {
    Create(ObjectKey, Bytes),
    Put(ObjectKey, Bytes),
    Get(ObjectKey, ByteRange),
    List(Folder, Option<String>),
    Delete(ObjectKey),
}

#[derive(Clone, Debug)]
enum Answer {
    Created(Created),
    Done,
    Object(Option<Bytes>),
    /// An object whose reading ends in the middle.
    Cut(Bytes),
    Listing(Listing),
}

/// The storage, beneath all faults.
pub(super) struct Shore {
    storage: Arc<dyn Storage>,
    memory: MemoryStorage,
    time: Time,
    counters: Counters,
    timed: bool,
    latency: u64,
    /// The most bytes of an object, if it takes small ones only.
    limit: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    skew: i64,
    late: Vec<Late>,
    /// When each object came to be: what a stale reply does not show yet.
    births: BTreeMap<ObjectKey, u64>,
    sent: BTreeMap<(ObjectKey, Bytes), u64>,
    leases: Vec<LeaseRecord>,
    trace: Option<Vec<String>>,
}

struct Late {
    due: u64,
    call: Call,
    sender: Arc<Mutex<Life>>,
    life: u64,
}

/// A lease record that was created: when it was sent first, and when it took effect.
#[derive(Clone, Debug)]
pub(super) struct LeaseRecord {
    pub(super) key: ObjectKey,
    pub(super) header: LeaseHeader,
    pub(super) sent: u64,
    pub(super) landed: u64,
    pub(super) device: &'static str,
}

impl Shore {
    pub(super) fn new(
        under_test: impl FnOnce(MemoryStorage) -> Arc<dyn Storage>,
        time: &Time,
        counters: &Counters,
        history: &History,
        traced: bool,
    ) -> Arc<Self> {
        let memory = MemoryStorage::new();
        let state = State { trace: traced.then(Vec::new), ..State::default() };
        Arc::new(Self {
            storage: under_test(memory.clone()),
            memory,
            time: time.clone(),
            counters: counters.clone(),
            timed: history.timed,
            latency: history.latency,
            limit: history.limit,
            state: Mutex::new(state),
        })
    }

    /// What lies there, without any fault.
    pub(super) fn memory(&self) -> &MemoryStorage {
        &self.memory
    }

    pub(super) fn leases(&self) -> Vec<LeaseRecord> {
        lock(&self.state).leases.clone()
    }

    /// Until when a device holds a lease for its own, if it does now.
    pub(super) fn holds_until(&self, device: &str) -> Option<u64> {
        let now = self.time.now();
        let state = lock(&self.state);
        let last = state.leases.iter().rfind(|record| record.device == device)?;
        let until = last.sent.saturating_add(last.header.ttl);
        (last.header.kind != LeaseKind::Release && until > now).then_some(until)
    }

    pub(super) fn jump(&self, by: i64) {
        lock(&self.state).skew += by;
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let now = self.time.now();
        if let Some(trace) = &mut lock(&self.state).trace {
            trace.push(format!("{now} {}", line()));
        }
    }

    pub(super) fn take_trace(&self) -> Vec<String> {
        lock(&self.state).trace.take().unwrap_or_default()
    }

    /// Everything that was sent long ago lands now.
    pub(super) fn land_all(&self) {
        self.land(u64::MAX);
    }

    fn land(&self, calls: u64) {
        let due: Vec<Late> = {
            let mut state = lock(&self.state);
            if state.late.iter().all(|late| late.due > calls) {
                return;
            }
            let (due, later) = std::mem::take(&mut state.late).into_iter().partition(|late| late.due <= calls);
            state.late = later;
            due
        };
        for late in due {
            let (alive, device) = {
                let life = lock(&late.sender);
                (life.number == late.life, life.device)
            };
            self.counters.count(if alive {
                "late: landed while its sender went on"
            } else {
                "late: landed after its sender died"
            });
            let reply = self.perform(&late.call, device);
            let taken = matches!(&reply, Ok(Reply { value: Answer::Created(Created::Exists), .. }));
            self.counters.count_if(taken, "late: landed on a taken name");
            self.note(|| format!("{device} late {} -> {}", late.call, outcome(&reply)));
        }
    }

    /// The call takes effect, now.
    fn perform(&self, call: &Call, device: &'static str) -> Result<Reply<Answer>> {
        self.check_size(call)?;
        let now = self.time.now();
        self.memory.set_time(self.timed.then(|| self.server_time(now)));
        let reply = self.deliver(call).now_or_never().unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Internal, "the storage under test must answer at once, as one in memory does"))
        })?;
        match (call, &reply.value) {
            (Call::Create(key, bytes), Answer::Created(Created::Created)) => self.born(key, bytes, now, device),
            (Call::Put(key, _), _) => {
                lock(&self.state).births.entry(key.clone()).or_insert(now);
            }
            _ => {}
        }
        Ok(reply)
    }

    /// A storage says what it takes, and nobody may send more: no fault explains this error.
    fn check_size(&self, call: &Call) -> Result<()> {
        let (Call::Create(key, bytes) | Call::Put(key, bytes)) = call else { return Ok(()) };
        match self.limit {
            Some(limit) if bytes.len() as u64 > limit => {
                let what = format!("an object of {} bytes was sent to a store that takes {limit}", bytes.len());
                Err(Error::new(ErrorKind::Internal, what).with_key(key))
            }
            _ => Ok(()),
        }
    }

    fn born(&self, key: &ObjectKey, bytes: &Bytes, now: u64, device: &'static str) {
        let mut state = lock(&self.state);
        state.births.entry(key.clone()).or_insert(now);
        if is_in(key, "lease") {
            let sent = state.sent.get(&(key.clone(), bytes.clone())).copied().unwrap_or(now);
            let header = Frame::decode(bytes).and_then(|frame| frame.header(format::Kind::Lease));
            let key = key.clone();
            state.leases.extend(header.map(|header| LeaseRecord { key, header, sent, landed: now, device }));
        }
    }

    fn server_time(&self, at: u64) -> ServerTime {
        ServerTime::from_millis((1_700_000_000_000 + at).saturating_add_signed(lock(&self.state).skew))
    }

    async fn deliver(&self, call: &Call) -> Result<Reply<Answer>> {
        let storage = &self.storage;
        match call.clone() {
            Call::Create(key, bytes) => Ok(storage.create(&key, bytes).await?.map(Answer::Created)),
            Call::Put(key, bytes) => Ok(storage.put(&key, bytes.into()).await?.map(|()| Answer::Done)),
            Call::Delete(key) => Ok(storage.delete(&key).await?.map(|()| Answer::Done)),
            Call::List(folder, after) => Ok(storage.list(&folder, after.as_deref()).await?.map(Answer::Listing)),
            Call::Get(key, range) => {
                let Reply { value, time } = storage.get(&key, range).await?;
                let value = match value {
                    Some(object) => Some(object.read(u64::MAX).await?),
                    None => None,
                };
                Ok(Reply { value: Answer::Object(value), time })
            }
        }
    }

    /// What a reader was shown so long ago. Objects never change, so only what is there differs.
    fn perform_stale(&self, call: &Call, millis: u64, device: &'static str) -> Result<Reply<Answer>> {
        let then = self.time.now().saturating_sub(millis);
        let mut reply = self.perform(call, device)?;
        reply.time = reply.time.map(|_| self.server_time(then));
        let state = lock(&self.state);
        let there = |key: &ObjectKey| state.births.get(key).is_none_or(|born| *born <= then);
        match (call, &mut reply.value) {
            (Call::Get(key, _), value) if !there(key) => *value = Answer::Object(None),
            (Call::List(folder, _), Answer::Listing(listing)) => {
                let inside = if folder.as_str().is_empty() { String::new() } else { format!("{folder}/") };
                listing.names.retain(|name| {
                    let path = format!("{inside}{name}");
                    let below = format!("{path}/");
                    let mut keys =
                        state.births.keys().filter(|key| key.as_str() == path || key.as_str().starts_with(&below));
                    keys.any(there)
                });
            }
            _ => {}
        }
        Ok(reply)
    }
}

/// Whether the object lies in this part of a domain.
pub(super) fn is_in(key: &ObjectKey, part: &str) -> bool {
    key.parts().nth(2) == Some(part)
}

/// One device's running process, as its storage calls show it.
pub(super) struct Life {
    device: &'static str,
    /// The number of its process.
    number: u64,
    dead: bool,
    armed: Vec<Planned>,
    /// How many more calls fall into an outage, and how each ends.
    outage: (u64, Fault),
    dice: Dice,
    /// Creates whose fate its process does not know.
    doubtful: BTreeMap<ObjectKey, Bytes>,
    /// Every create it ever sent: by which process, and what.
    created: BTreeMap<ObjectKey, (u64, Bytes)>,
    last_missing: Option<ObjectKey>,
    formats_read: u64,
    stale: bool,
    fired: u64,
    /// Calls, creates of entries, and looks at the leases, since the last step began.
    calls: u64,
    entries_sent: u64,
    lease_looks: u64,
    /// The entry that the step began with creating, until its first answer came.
    ahead: Option<ObjectKey>,
}

/// One device's way to the shared storage.
#[derive(Clone)]
pub(super) struct Pier {
    shore: Arc<Shore>,
    life: Arc<Mutex<Life>>,
}

impl Pier {
    pub(super) fn new(shore: &Arc<Shore>, device: &'static str, seed: u64) -> Self {
        let life = Life {
            device,
            number: 1,
            dead: false,
            armed: Vec::new(),
            outage: (0, Fault::LostBefore),
            dice: Dice::new(mix(&[seed, 3])),
            doubtful: BTreeMap::new(),
            created: BTreeMap::new(),
            last_missing: None,
            formats_read: 0,
            stale: false,
            fired: 0,
            calls: 0,
            entries_sent: 0,
            lease_looks: 0,
            ahead: None,
        };
        Self { shore: Arc::clone(shore), life: Arc::new(Mutex::new(life)) }
    }

    pub(super) fn arm(&self, faults: &[Planned]) {
        let mut life = lock(&self.life);
        (life.stale, life.fired, life.calls, life.entries_sent, life.lease_looks) = (false, 0, 0, 0, 0);
        life.ahead = None;
        life.armed.extend(faults.iter().filter(|planned| Kind::ALL.iter().any(|kind| planned.fault.befalls(*kind))));
    }

    /// Nothing befalls this device any more.
    pub(super) fn calm(&self) {
        let mut life = lock(&self.life);
        (life.outage.0, life.armed) = (0, Vec::new());
    }

    pub(super) fn dead(&self) -> bool {
        lock(&self.life).dead
    }

    /// Whether a reply since the last [`arm`](Self::arm) came from the past, and whether any call met a fault.
    pub(super) fn met(&self) -> (bool, bool) {
        let life = lock(&self.life);
        (life.stale, life.fired > 0)
    }

    /// How many entries it has sent since the last [`arm`](Self::arm).
    pub(super) fn entries_sent(&self) -> u64 {
        lock(&self.life).entries_sent
    }

    /// Whether the step since the last [`arm`](Self::arm) began with creating an entry, and no answer came to that.
    pub(super) fn went_ahead(&self) -> bool {
        lock(&self.life).ahead.is_some()
    }

    /// Another process runs on this device.
    pub(super) fn restart(&self) {
        let mut life = lock(&self.life);
        (life.dead, life.formats_read) = (false, 0);
        life.number += 1;
        life.doubtful.clear();
    }

    async fn leg(&self) {
        let longest = self.shore.latency;
        let millis = if longest == 0 { 0 } else { lock(&self.life).dice.below(longest + 1) };
        self.shore.time.sleep(millis).await;
    }

    async fn call(&self, call: Call) -> Result<Reply<Answer>> {
        super::time::let_others_run().await;
        let fault = self.enter(&call);
        let result = self.meet(&call, fault).await;
        self.leave(&call, fault, &result);
        result
    }

    async fn meet(&self, call: &Call, fault: Option<Fault>) -> Result<Reply<Answer>> {
        let device = lock(&self.life).device;
        let perform = || self.shore.perform(call, device);
        self.leg().await;
        match fault {
            None => {
                let reply = perform();
                self.leg().await;
                reply
            }
            Some(Fault::LostBefore | Fault::Outage { .. }) => Err(lost()),
            Some(Fault::LostAfter) => perform().and(Err(lost())),
            Some(Fault::Cut) => self.cut(call, device),
            Some(Fault::Late { calls }) => {
                self.give_up(call, calls);
                Err(lost())
            }
            Some(Fault::Twice) => perform().and_then(|_| perform()),
            Some(Fault::Stale { millis }) => self.shore.perform_stale(call, millis, device),
            Some(Fault::Slow { millis }) => {
                self.shore.time.sleep(millis / 2).await;
                let reply = perform();
                self.shore.time.sleep(millis / 2).await;
                reply
            }
            Some(Fault::Refused { seconds }) => Err(refused(seconds)),
            Some(Fault::Offline { .. }) => Err(offline()),
            Some(Fault::DieBefore) => self.die(call, fault).await,
            Some(Fault::DieAfter) => {
                perform()?;
                self.die(call, fault).await
            }
            Some(Fault::Dropped { .. } | Fault::Suspended { .. }) => perform(),
        }
    }

    /// A write that was cut leaves nothing; a read that was cut shows part of an object.
    fn cut(&self, call: &Call, device: &'static str) -> Result<Reply<Answer>> {
        match call {
            Call::Get(..) => Ok(self.shore.perform(call, device)?.map(|answer| match answer {
                Answer::Object(Some(bytes)) if !bytes.is_empty() => Answer::Cut(bytes),
                answer => answer,
            })),
            _ => Err(lost()),
        }
    }

    fn give_up(&self, call: &Call, calls: u64) {
        let life = lock(&self.life).number;
        let mut state = lock(&self.shore.state);
        let due = state.calls + calls;
        state.late.push(Late { due, call: call.clone(), sender: Arc::clone(&self.life), life });
    }

    async fn die<T>(&self, call: &Call, fault: Option<Fault>) -> T {
        let device = {
            let mut life = lock(&self.life);
            life.dead = true;
            life.device
        };
        self.shore.note(|| {
            format!("{device} {call} [{}] -> dead", fault.map_or_else(String::new, |fault| fault.to_string()))
        });
        std::future::pending().await
    }

    /// Counts the call, lands what is due, and says what befalls it.
    fn enter(&self, call: &Call) -> Option<Fault> {
        let calls = {
            let mut state = lock(&self.shore.state);
            state.calls += 1;
            if let Call::Create(key, bytes) = call
                && is_in(key, "lease")
            {
                let now = self.shore.time.now();
                state.sent.entry((key.clone(), bytes.clone())).or_insert(now);
            }
            state.calls
        };
        self.shore.land(calls);
        let mut life = lock(&self.life);
        life.calls += 1;
        let goes_on = life.outage.0 > 0;
        let fault = life.next_fault(call.kind());
        if let Some(fault) = fault {
            life.stale |= matches!(fault, Fault::Stale { .. });
            life.fired += 1;
            // An outage is one fault, counted at its first call.
            self.shore.counters.count_if(!goes_on, fault.name(call.kind()));
        }
        life.watch_request(call, &self.shore.counters);
        fault
    }

    fn leave(&self, call: &Call, fault: Option<Fault>, result: &Result<Reply<Answer>>) {
        let mut life = lock(&self.life);
        life.watch_reply(call, result, &self.shore.counters);
        let device = life.device;
        drop(life);
        self.shore.note(|| match fault {
            None => format!("{device} {call} -> {}", outcome(result)),
            Some(fault) => format!("{device} {call} [{fault}] -> {}", outcome(result)),
        });
    }
}

impl Kind {
    const ALL: [Self; 5] = [Self::Create, Self::Put, Self::Get, Self::List, Self::Delete];
}

impl Call {
    fn kind(&self) -> Kind {
        match self {
            Self::Create(..) => Kind::Create,
            Self::Put(..) => Kind::Put,
            Self::Get(..) => Kind::Get,
            Self::List(..) => Kind::List,
            Self::Delete(..) => Kind::Delete,
        }
    }
}

impl Life {
    fn next_fault(&mut self, kind: Kind) -> Option<Fault> {
        if self.outage.0 > 0 {
            self.outage.0 -= 1;
            return Some(self.outage.1);
        }
        let mut fired = None;
        for (at, planned) in self.armed.iter_mut().enumerate().filter(|(_, planned)| planned.fault.befalls(kind)) {
            if planned.after == 0 {
                fired = fired.or(Some(at));
            } else {
                planned.after -= 1;
            }
        }
        let fault = self.armed.remove(fired?).fault;
        match fault {
            Fault::Outage { calls } => self.outage = (calls, Fault::LostBefore),
            Fault::Offline { calls } => self.outage = (calls, fault),
            _ => {}
        }
        Some(fault)
    }

    fn watch_request(&mut self, call: &Call, counters: &Counters) {
        match call {
            Call::Create(key, bytes) => {
                self.entries_sent += u64::from(is_in(key, "log"));
                if self.calls == 1 && is_in(key, "log") {
                    self.ahead = Some(key.clone());
                }
                if let Some((life, before)) = self.created.insert(key.clone(), (self.number, bytes.clone()))
                    && before == bytes
                {
                    let same = life == self.number;
                    counters.count(if same {
                        "create: repeated by the same process"
                    } else {
                        "create: repeated by a later process"
                    });
                }
            }
            Call::Put(..) => counters.count("push: several segments or one"),
            Call::List(folder, _) => {
                counters.count_if(folder.as_str().ends_with("/snapshot"), "open: floor read");
                self.lease_looks += u64::from(folder.as_str().ends_with("/lease"));
                counters.count_if(self.lease_looks == 2, "lease: waited for");
            }
            Call::Get(key, _) if key.as_str() == "format/data" => {
                self.formats_read += 1;
                counters.count_if(self.formats_read > 1, "open: looked at the checkpoint again");
            }
            _ => {}
        }
    }

    fn watch_reply(&mut self, call: &Call, result: &Result<Reply<Answer>>, counters: &Counters) {
        self.watch_ahead(call, result, counters);
        match (call, result.as_ref().map(|reply| &reply.value)) {
            (Call::Create(_, _), Ok(Answer::Created(Created::Created))) => {}
            (Call::Create(key, bytes), outcome) => {
                counters.count_if(outcome.is_ok() && key.as_str() == "format/data", "create: two initialised at once");
                self.doubtful.insert(key.clone(), bytes.clone());
            }
            (Call::Get(key, _), Ok(Answer::Object(found))) => {
                self.read_back(key, found.as_ref(), counters);
                self.look_for_holes(key, found.is_some(), counters);
            }
            _ => {}
        }
    }

    /// What came of an entry that was created before anything was read.
    fn watch_ahead(&mut self, call: &Call, result: &Result<Reply<Answer>>, counters: &Counters) {
        let Call::Create(key, _) = call else { return };
        let known = |outcome: &Error| outcome.outcome() == Outcome::NotApplied;
        if result.as_ref().is_err_and(known) || self.ahead.take_if(|ahead| ahead == key).is_none() {
            return;
        }
        // Where an answer was lost, what lies there may be its own.
        if let Ok(Reply { value: Answer::Created(created), .. }) = result {
            counters.count(match created {
                Created::Created => "push: ahead of a poll, committed",
                Created::Exists => "push: ahead of a poll, overtaken",
            });
        }
    }

    fn read_back(&mut self, key: &ObjectKey, found: Option<&Bytes>, counters: &Counters) {
        let Some(mine) = self.doubtful.remove(key) else {
            return;
        };
        counters.count(match found {
            Some(there) if *there == mine => "create: read back, mine",
            Some(_) => "create: read back, another's",
            None => "create: read back, absent",
        });
        if found.is_none() {
            self.doubtful.insert(key.clone(), mine);
        }
    }

    fn look_for_holes(&mut self, key: &ObjectKey, found: bool, counters: &Counters) {
        if !is_in(key, "log") {
            return;
        }
        let hole = found && self.last_missing.as_ref().is_some_and(|missing| missing < key);
        counters.count_if(hole, "pull: a hole below a present entry");
        self.last_missing = (!found).then(|| key.clone());
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, "the connection broke").with_outcome(Outcome::Unknown)
}

fn offline() -> Error {
    Error::new(ErrorKind::Unavailable, "there is no network").with_outcome(Outcome::NotApplied)
}

fn refused(seconds: u64) -> Error {
    Error::new(ErrorKind::Unavailable, "the server is busy")
        .with_outcome(Outcome::NotApplied)
        .with_retry_after(Duration::from_secs(seconds))
        .with_throttled()
}

fn outcome(result: &Result<Reply<Answer>>) -> String {
    match result {
        Err(error) => format!("{} ({:?})", error.message(), error.outcome()),
        Ok(Reply { value: Answer::Created(created), .. }) => format!("{created:?}"),
        Ok(Reply { value: Answer::Done, .. }) => "done".to_owned(),
        Ok(Reply { value: Answer::Object(found), .. }) => {
            found.as_ref().map_or_else(|| "nothing".to_owned(), |bytes| format!("{} bytes", bytes.len()))
        }
        Ok(Reply { value: Answer::Cut(bytes), .. }) => format!("a part of {} bytes", bytes.len()),
        Ok(Reply { value: Answer::Listing(listing), .. }) => format!("{:?}", listing.names),
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(key, bytes) => write!(f, "create {key} ({} bytes)", bytes.len()),
            Self::Put(key, bytes) => write!(f, "put {key} ({} bytes)", bytes.len()),
            Self::Get(key, _) => write!(f, "get {key}"),
            Self::List(folder, _) => write!(f, "list {folder}"),
            Self::Delete(key) => write!(f, "delete {key}"),
        }
    }
}

impl fmt::Debug for Pier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pier({})", lock(&self.life).device)
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Internal, "the simulated storage gave the answer of another call")
}

#[async_trait]
impl Storage for Pier {
    fn capabilities(&self) -> Capabilities {
        let capabilities = self.shore.storage.capabilities().with_read_time(self.shore.timed);
        let limit = self.shore.limit.unwrap_or(capabilities.max_object);
        capabilities.with_max_object(limit)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        match self.call(Call::Create(key.clone(), bytes)).await? {
            Reply { value: Answer::Created(value), time } => Ok(Reply { value, time }),
            _ => Err(unexpected()),
        }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let len = payload.len();
        let bytes = Object::new(len, len, payload.into_stream()).read(u64::MAX).await?;
        Ok(self.call(Call::Put(key.clone(), bytes)).await?.map(drop))
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let Reply { value, time } = self.call(Call::Get(key.clone(), range)).await?;
        let object = |len: usize, shown: Bytes| Object::new(len as u64, len as u64, stream::iter([Ok(shown)]).boxed());
        let value = match value {
            Answer::Object(found) => found.map(|bytes| object(bytes.len(), bytes)),
            Answer::Cut(bytes) => Some(object(bytes.len(), bytes.slice(..bytes.len() / 2))),
            _ => return Err(unexpected()),
        };
        Ok(Reply { value, time })
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        match self.call(Call::List(folder.clone(), after.map(str::to_owned))).await? {
            Reply { value: Answer::Listing(value), time } => Ok(Reply { value, time }),
            _ => Err(unexpected()),
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        Ok(self.call(Call::Delete(key.clone())).await?.map(drop))
    }
}

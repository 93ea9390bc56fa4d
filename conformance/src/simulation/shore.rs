//! The storage that all clients share, beneath all faults.

mod call;
mod life;
mod pier;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt as _;
use longshore_core::format::{self, Frame, LeaseHeader, LeaseKind};
use longshore_core::{Created, Error, ErrorKind, MemoryStorage, ObjectKey, Reply, Result, ServerTime, Storage};

use self::call::{Answer, Call, outcome};
use self::life::Life;
pub(super) use self::pier::Pier;
use super::coverage::Counters;
use super::history::History;
use super::time::{Time, lock};

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

//! One device's faulty way to the shared storage.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, Object, ObjectKey, Outcome, Payload, Reply,
    Result, Storage,
};

use super::super::fault::{Fault, Kind, Planned};
use super::super::time::{let_others_run, lock};
use super::call::{Answer, Call, outcome};
use super::life::Life;
use super::{Late, Shore, is_in};

/// One device's way to the shared storage.
#[derive(Clone)]
pub(in super::super) struct Pier {
    shore: Arc<Shore>,
    life: Arc<Mutex<Life>>,
}

impl Pier {
    pub(in super::super) fn new(shore: &Arc<Shore>, device: &'static str, seed: u64) -> Self {
        let life = Life::new(device, seed);
        Self { shore: Arc::clone(shore), life: Arc::new(Mutex::new(life)) }
    }

    pub(in super::super) fn arm(&self, faults: &[Planned]) {
        let mut life = lock(&self.life);
        (life.stale, life.fired, life.calls, life.entries_sent, life.lease_looks) = (false, 0, 0, 0, 0);
        life.ahead = None;
        life.armed.extend(faults.iter().filter(|planned| Kind::ALL.iter().any(|kind| planned.fault.befalls(*kind))));
    }

    /// Nothing befalls this device any more.
    pub(in super::super) fn calm(&self) {
        let mut life = lock(&self.life);
        (life.outage.0, life.armed) = (0, Vec::new());
        life.hidden.clear();
    }

    pub(in super::super) fn dead(&self) -> bool {
        lock(&self.life).dead
    }

    /// Whether a reply since the last [`arm`](Self::arm) came from the past, and whether any call met a fault.
    pub(in super::super) fn met(&self) -> (bool, bool) {
        let life = lock(&self.life);
        (life.stale, life.fired > 0)
    }

    /// How many entries it has sent since the last [`arm`](Self::arm).
    pub(in super::super) fn entries_sent(&self) -> u64 {
        lock(&self.life).entries_sent
    }

    /// Whether the step since the last [`arm`](Self::arm) began with creating an entry, and no answer came to that.
    pub(in super::super) fn went_ahead(&self) -> bool {
        lock(&self.life).ahead.is_some()
    }

    /// Another process runs on this device.
    pub(in super::super) fn restart(&self) {
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
        let_others_run().await;
        let fault = self.enter(&call);
        let result = self.meet(&call, fault).await.map(|reply| self.hide(&call, reply));
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
            Some(Fault::Hidden { millis }) => {
                if let Call::Create(key, _) = call {
                    let until = self.shore.time.now() + millis;
                    lock(&self.life).hidden.insert(key.clone(), until);
                }
                perform().and(Err(lost()))
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

    /// What is shown late is not there yet.
    fn hide(&self, call: &Call, reply: Reply<Answer>) -> Reply<Answer> {
        let now = self.shore.time.now();
        let mut life = lock(&self.life);
        match (call, &reply.value) {
            (Call::Get(key, _), Answer::Object(Some(_)) | Answer::Cut(_))
                if life.hidden.get(key).is_some_and(|until| now < *until) =>
            {
                life.stale = true;
                reply.map(|_| Answer::Object(None))
            }
            _ => reply,
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

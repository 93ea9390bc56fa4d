//! A storage that fails on demand, and writes down every call.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    ByteRange, Capabilities, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Outcome,
    Payload, Reply, Result, ServerTime, Storage,
};

use super::sim::Sim;

/// What happens to a storage call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not sent; the caller learns that the connection broke.
    LostBefore,
    /// It takes effect; its reply is lost.
    LostAfter,
    /// The process dies before it is sent.
    DieBefore,
    /// The process dies after it took effect.
    DieAfter,
    /// The caller learns that the connection broke; the call takes effect much later, or at the end of the run.
    Late,
}

impl Fault {
    pub const INTERRUPTIONS: [Self; 4] = [Self::LostBefore, Self::LostAfter, Self::DieBefore, Self::DieAfter];
}

type Pending = Box<dyn FnOnce(&MemoryStorage) + Send>;

#[derive(Default)]
struct Script {
    calls: u64,
    sent: usize,
    fault: Option<(u64, Fault)>,
    dead: bool,
    late: Vec<Pending>,
    trace: Vec<String>,
}

/// One device's way to the shared storage.
#[derive(Clone)]
pub struct FaultStorage {
    inner: MemoryStorage,
    sim: Sim,
    name: &'static str,
    timed: bool,
    script: Arc<Mutex<Script>>,
}

impl FaultStorage {
    pub fn new(inner: MemoryStorage, sim: Sim, name: &'static str, timed: bool) -> Self {
        Self { inner, sim, name, timed, script: Arc::default() }
    }

    /// Storage calls so far.
    pub fn calls(&self) -> u64 {
        self.script.lock().unwrap().calls
    }

    /// Object bytes sent so far.
    pub fn sent(&self) -> usize {
        self.script.lock().unwrap().sent
    }

    /// Lets the call of this number, counted from 0 over this device's life, meet a fault.
    pub fn arm(&self, call: u64, fault: Fault) {
        self.script.lock().unwrap().fault = Some((call, fault));
    }

    /// Whether the process died; a new one is alive again.
    pub fn dead(&self) -> bool {
        self.script.lock().unwrap().dead
    }

    pub fn revive(&self) {
        let mut script = self.script.lock().unwrap();
        if std::mem::take(&mut script.dead) {
            script.fault = None;
        }
    }

    /// No fault is waiting any more.
    pub fn disarm(&self) {
        self.script.lock().unwrap().fault = None;
    }

    /// Lets everything that was sent long ago land now.
    pub fn land(&self) {
        let late = std::mem::take(&mut self.script.lock().unwrap().late);
        for write in late {
            write(&self.inner);
        }
    }

    pub fn trace(&self) -> Vec<String> {
        self.script.lock().unwrap().trace.clone()
    }

    fn next_fault(&self, what: &str) -> Option<Fault> {
        let mut script = self.script.lock().unwrap();
        let fault = script.fault.filter(|(call, _)| *call == script.calls).map(|(_, fault)| fault);
        let line = format!("{} {} {what} {fault:?}", self.sim.millis(), self.name);
        script.trace.push(line);
        script.calls += 1;
        fault
    }

    async fn call<T>(
        &self,
        what: String,
        late: impl FnOnce() -> Pending + Send,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        yield_once().await;
        let fault = self.next_fault(&what);
        let time = ServerTime::from_millis(self.sim.millis());
        self.inner.set_time(self.timed.then_some(time));
        match fault {
            None => {
                let result = work.await;
                yield_once().await;
                result
            }
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                work.await?;
                Err(lost())
            }
            Some(Fault::Late) => {
                self.script.lock().unwrap().late.push(late());
                Err(lost())
            }
            Some(Fault::DieBefore) => self.die().await,
            Some(Fault::DieAfter) => {
                work.await?;
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.script.lock().unwrap().dead = true;
        std::future::pending().await
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, "the connection broke").with_outcome(Outcome::Unknown)
}

fn nothing() -> Pending {
    Box::new(|_| {})
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl std::fmt::Debug for FaultStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl Storage for FaultStorage {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_read_time(self.timed)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.script.lock().unwrap().sent += bytes.len();
        let (late_key, late_bytes) = (key.clone(), bytes.clone());
        let late = move || -> Pending {
            Box::new(move |storage| {
                let mut objects = storage.objects();
                objects.entry(late_key).or_insert(late_bytes);
                storage.set_objects(objects);
            })
        };
        self.call(format!("create {key}"), late, self.inner.create(key, bytes)).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.script.lock().unwrap().sent += usize::try_from(payload.len()).unwrap();
        self.call(format!("put {key}"), nothing, self.inner.put(key, payload)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.call(format!("get {key}"), nothing, self.inner.get(key, range)).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.call(format!("list {folder}"), nothing, self.inner.list(folder, after)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.call(format!("delete {key}"), nothing, self.inner.delete(key)).await
    }
}

//! Which call of a client meets which fault, and what it met.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::future::BoxFuture;
use longshore_core::{Listing, Result};

use super::{Fault, SLOW, When, lost, overdue, refused};
use crate::clock::VirtualClock;
use crate::dice::Dice;

/// One call that a client made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Which, counted from 0.
    pub number: u64,
    /// Its name, as in the trait.
    pub operation: &'static str,
    /// The object, folder or entry that it was about.
    pub on: String,
    /// When it was made, in milliseconds of the plan's clock.
    pub at: u64,
    /// What it met.
    pub fault: Option<Fault>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} ({} {})", self.number, self.operation, self.on)?;
        self.fault.map_or(Ok(()), |fault| write!(f, ", {fault}"))
    }
}

type Effect = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;
type AtDeath = Arc<dyn Fn(&Call) + Send + Sync>;

/// Which call of one client meets which fault. Its clones are the same plan; see the [module](super).
#[derive(Clone)]
pub struct Plan {
    clock: VirtualClock,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    armed: Vec<(Range<u64>, Fault)>,
    dice: Option<(Dice, usize, Vec<Fault>)>,
    late: Vec<(u64, Effect)>,
    dead: bool,
    calls: Vec<Call>,
    /// What this client was told of each folder last.
    listed: BTreeMap<String, Listing>,
    at_death: Option<AtDeath>,
}

impl Plan {
    /// A plan without faults. Slow calls and pauses move this clock on.
    pub fn new(clock: &VirtualClock) -> Self {
        Self { clock: clock.clone(), script: Arc::default() }
    }

    /// Lets this call meet a fault.
    pub fn arm(&self, call: u64, fault: Fault) {
        self.arm_all(call..call + 1, fault);
    }

    /// Lets each of these calls meet a fault: an outage, where one call would only be tried again.
    pub fn arm_all(&self, calls: Range<u64>, fault: Fault) {
        self.script().armed.push((calls, fault));
    }

    /// Lets calls meet faults at random, so many of a thousand; the same seed gives the same faults.
    pub fn arm_at_random(&self, seed: u64, of_thousand: usize, faults: &[Fault]) {
        self.script().dice = Some((Dice::for_purpose(seed, "faults"), of_thousand, faults.to_vec()));
    }

    /// No fault is waiting any more. What was sent already may still take effect.
    pub fn disarm(&self) {
        let mut script = self.script();
        script.armed.clear();
        script.dice = None;
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.script().calls.len() as u64
    }

    /// Every call that was made, in order.
    pub fn trace(&self) -> Vec<Call> {
        self.script().calls.clone()
    }

    /// How many calls met a fault.
    pub fn met(&self) -> u64 {
        self.script().calls.iter().filter(|call| call.fault.is_some()).count() as u64
    }

    /// Lets everything that is still on its way take effect now.
    pub async fn land(&self) {
        self.land_due(u64::MAX).await;
    }

    /// Whether the process died.
    pub fn dead(&self) -> bool {
        self.script().dead
    }

    /// A new process begins. What waited for the dead one does not happen to the new one.
    pub fn revive(&self) {
        let mut script = self.script();
        if std::mem::take(&mut script.dead) {
            script.armed.clear();
        }
    }

    /// Runs a future of this client to its end; `None` if the process died on the way. Then the future is dropped.
    pub async fn alive<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if self.dead() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// What a dying process does last.
    #[cfg(feature = "crash")]
    pub(crate) fn at_death(&self, act: impl Fn(&Call) + Send + Sync + 'static) {
        self.script().at_death = Some(Arc::new(act));
    }

    /// Writes a call down, lets land what is due, and says what the call meets.
    pub(crate) async fn begin(&self, operation: &'static str, on: String) -> Option<Fault> {
        if self.dead() {
            return std::future::pending().await;
        }
        pause().await;
        let (number, fault) = self.script().begin(operation, on, self.clock.millis());
        self.land_due(number).await;
        fault
    }

    /// Sends a call that meets nothing. Its caller may be dropped after it took effect, as on a real wire.
    pub(super) async fn undisturbed<T>(&self, call: impl Future<Output = T>) -> T {
        let answer = call.await;
        pause().await;
        answer
    }

    /// Sends a call, or does to it what the fault says. `send` sends it once.
    pub(super) async fn deliver<T, S>(&self, fault: Option<Fault>, send: S) -> Result<T>
    where
        T: Send + 'static,
        S: Fn() -> BoxFuture<'static, Result<T>> + Send + 'static,
    {
        match fault {
            None | Some(Fault::Stale) => self.undisturbed(send()).await,
            Some(Fault::Before | Fault::Cut) => Err(lost()),
            Some(Fault::After) => send().await.and_then(|_| Err(lost())),
            Some(Fault::Late(calls)) => {
                self.later(calls, send);
                Err(lost())
            }
            Some(Fault::Twice) => {
                send().await?;
                send().await
            }
            Some(Fault::Slow { applied }) => {
                if applied {
                    send().await?;
                }
                self.clock.advance(SLOW);
                Err(overdue())
            }
            Some(Fault::Refused { after }) => Err(refused(after)),
            Some(Fault::Paused(time)) => {
                self.clock.advance(time);
                send().await
            }
            Some(Fault::Die(when)) => self.die_in(when, send()).await,
        }
    }

    /// The process dies in this call.
    pub(crate) async fn die_in<T>(&self, when: When, call: impl Future<Output = Result<T>>) -> Result<T> {
        match when {
            When::Before => {}
            When::During => start(call).await,
            When::After => drop(call.await?),
        }
        self.die().await
    }

    /// The listing that this client saw last, and remembers for later.
    pub(super) fn listed(&self, folder: &str) -> Listing {
        self.script().listed.get(folder).cloned().unwrap_or_default()
    }

    pub(super) fn remember(&self, folder: String, listing: Listing) {
        self.script().listed.insert(folder, listing);
    }

    fn later<T, S>(&self, calls: u64, send: S)
    where
        T: Send + 'static,
        S: Fn() -> BoxFuture<'static, Result<T>> + Send + 'static,
    {
        let mut script = self.script();
        let due = script.calls.len() as u64 - 1 + calls;
        // Nobody waits for its answer any more.
        let effect = move || -> BoxFuture<'static, ()> { Box::pin(async move { drop(send().await) }) };
        script.late.push((due, Box::new(effect)));
    }

    async fn land_due(&self, number: u64) {
        let due = {
            let mut script = self.script();
            let (due, left) = std::mem::take(&mut script.late).into_iter().partition(|(due, _)| *due <= number);
            script.late = left;
            let due: Vec<(u64, Effect)> = due;
            due
        };
        for (_, effect) in due {
            effect().await;
        }
    }

    async fn die<T>(&self) -> T {
        let (act, call) = {
            let mut script = self.script();
            script.dead = true;
            // Other calls may have begun beside it.
            let deadly = |call: &&Call| matches!(call.fault, Some(Fault::Die(_)));
            (script.at_death.clone(), script.calls.iter().rev().find(deadly).cloned())
        };
        if let Some((act, call)) = act.zip(call) {
            act(&call);
        }
        std::future::pending().await
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    fn begin(&mut self, operation: &'static str, on: String, at: u64) -> (u64, Option<Fault>) {
        let number = self.calls.len() as u64;
        let fault = self.next(number).filter(|fault| fault.fits(operation));
        self.calls.push(Call { number, operation, on, at, fault });
        (number, fault)
    }

    fn next(&mut self, number: u64) -> Option<Fault> {
        let armed = self.armed.iter().find(|(calls, _)| calls.contains(&number)).map(|(_, fault)| *fault);
        armed.or_else(|| {
            let (dice, of_thousand, faults) = self.dice.as_mut()?;
            (dice.index(1000) < *of_thousand && !faults.is_empty()).then(|| dice.one_of(faults))
        })
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("Plan").field("calls", &script.calls.len()).field("armed", &script.armed).finish_non_exhaustive()
    }
}

/// Comes back at the second poll: others go first, and the caller may be dropped here.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Lets a call begin, and then go.
async fn start<T>(call: impl Future<Output = T>) {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|context| {
        drop(call.as_mut().poll(context));
        Poll::Ready(())
    })
    .await;
}

//! Taking, renewing and giving back the lease while calls fail: the lease is never with two, and a holder that is gone keeps
//! nobody waiting for longer than one time-to-live after the watcher's first look.

use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{ErrorKind, FencingToken, Lease, LockRequest, Locked, Result as Called, Server, Sighting};

use super::device::{Level, server};
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::dice::Dice;
use crate::faults::{Fault, Plan, When};
use crate::verdict::{Failure, ensure};

const TTL: Duration = Duration::from_secs(30);
/// Between two looks of a watcher.
const LOOK: Duration = Duration::from_secs(1);
/// What jitter and the last look may add.
const SLACK: Duration = Duration::from_secs(2);

macro_rules! case {
    ($name:literal, $level:expr, $act:expr, $needs:expr) => {
        Case::new($name, Group::Interruption, Rule::Invariant(7), |cx| every_fault(cx, $level, $act).boxed())
            .needs($needs)
    };
}

pub(super) const CASES: &[Case] = &[
    case!("interruption::storage::taking_the_lease", Level::Storage, Act::Take, &[Need::Storage]),
    case!("interruption::storage::renewing_the_lease", Level::Storage, Act::Renew, &[Need::Storage]),
    case!("interruption::storage::giving_the_lease_back", Level::Storage, Act::Release, &[Need::Storage]),
    case!("interruption::server::taking_the_lease", Level::Server, Act::Take, &[Need::VirtualTime]),
    case!("interruption::server::renewing_the_lease", Level::Server, Act::Renew, &[Need::VirtualTime]),
    case!("interruption::server::giving_the_lease_back", Level::Server, Act::Release, &[Need::VirtualTime]),
    Case::new(
        "interruption::server::a_holder_sleeps_through_its_time",
        Group::Interruption,
        Rule::Invariant(7),
        |cx| a_holder_sleeps(cx).boxed(),
    )
    .needs(&[Need::VirtualTime]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Take,
    Renew,
    Release,
}

/// Two clients of one store: one whose calls fail, and one that waits.
struct Pair {
    cx: Context,
    plan: Plan,
    holder: Arc<dyn Server>,
    watcher: Arc<dyn Server>,
}

impl Pair {
    async fn new(cx: &Context, level: Level) -> Result<Self, Failure> {
        let cx = cx.fresh();
        let plan = Plan::new(cx.clock());
        let watcher = cx.ready_server().await?;
        Ok(Self { holder: server(&cx, level, &plan).await?, watcher, plan, cx })
    }

    /// The holder takes the lease, undisturbed.
    async fn held(&self) -> Result<Lease, Failure> {
        match self.holder.lock(&request("holder")).await? {
            Locked::Granted(lease) => Ok(lease),
            Locked::Held(held) => Err(Failure::new(format!("a lease that nobody took is held: {held:?}"))),
        }
    }

    /// The act under its fault. The lease that the holder may count on afterwards, and the highest token it knows.
    async fn act(&self, act: Act, call: u64, fault: Fault) -> Result<(Option<Lease>, Option<FencingToken>), Failure> {
        let before = if act == Act::Take { None } else { Some(self.held().await?) };
        self.cx.clock().advance(Duration::from_secs(10));
        self.plan.arm(self.plan.calls() + call, fault);
        let known = before.as_ref().map(|lease| lease.token);
        let after = match (act, before) {
            (Act::Renew, Some(lease)) => match self.plan.alive(self.holder.renew(&lease)).await {
                Some(Ok(renewed)) => Some(renewed),
                Some(Err(error)) if error.kind() == ErrorKind::Fenced => None,
                _ => Some(lease),
            },
            // Who gives it back stops, whatever it hears.
            (Act::Release, Some(lease)) => {
                drop(self.plan.alive(self.holder.unlock(&lease)).await);
                None
            }
            _ => match self.plan.alive(self.holder.lock(&request("holder"))).await {
                Some(Ok(Locked::Granted(lease))) => Some(lease),
                _ => None,
            },
        };
        let known = after.as_ref().map(|lease| lease.token).max(known);
        Ok((after.filter(|_| !self.plan.dead()), known))
    }

    /// The watcher waits until it has the lease. What is still on its way lands after its first look.
    async fn wait(&self) -> Result<Lease, Failure> {
        let started = self.cx.clock().millis();
        let mut sighting: Option<Sighting> = None;
        loop {
            let held = match self.watcher.lock(&request("watcher").with_sighting(sighting)).await? {
                Locked::Granted(lease) => return Ok(lease),
                Locked::Held(held) => held,
            };
            let waited = Duration::from_millis(self.cx.clock().millis() - started);
            // A record that landed late is a new one to look at.
            ensure!(
                waited <= TTL * 2 + SLACK,
                "the watcher waits for {} s and is told to go on waiting",
                waited.as_secs()
            );
            sighting = Some(held.sighting);
            self.plan.land().await;
            self.cx.clock().advance(LOOK.min(held.remaining.max(Duration::from_millis(1))));
        }
    }
}

fn request(purpose: &str) -> LockRequest {
    LockRequest::new(purpose).with_ttl(TTL)
}

/// At `Size::Full` every call of the act meets every fault that fits it; at `Ci` and `Quick` some do, by the seed.
async fn every_fault(cx: Context, level: Level, act: Act) -> Result<(), Failure> {
    let places = places(&cx, level, act).await?;
    for (call, fault) in Dice::for_purpose(cx.seed(), "lease").sample(&places, cx.size().pick(2, 14, usize::MAX)) {
        let pair = Pair::new(&cx, level).await?;
        let place = format!("{act:?} with call {call} {fault}");
        story(&pair, act, call, fault).await.map_err(|failure| failure.within(&place))?;
        ensure!(pair.plan.met() > 0, "{place}: no call met the fault");
    }
    Ok(())
}

/// The calls of an undisturbed act, counted from its first, with every fault that fits.
async fn places(cx: &Context, level: Level, act: Act) -> Result<Vec<(u64, Fault)>, Failure> {
    let pair = Pair::new(cx, level).await?;
    let before = if act == Act::Take { 0 } else { held_calls(cx, level).await? };
    pair.act(act, u64::MAX / 2, Fault::Before).await?;
    let calls = pair.plan.trace().into_iter().filter(|call| call.number >= before);
    let fitting = calls.flat_map(|call| {
        let faults = Fault::ALL.into_iter().filter(move |fault| fault.fits(call.operation));
        faults.map(move |fault| (call.number - before, fault))
    });
    Ok(fitting.collect())
}

/// How many calls it takes to take the lease.
async fn held_calls(cx: &Context, level: Level) -> Result<u64, Failure> {
    let pair = Pair::new(cx, level).await?;
    pair.held().await?;
    Ok(pair.plan.calls())
}

async fn story(pair: &Pair, act: Act, call: u64, fault: Fault) -> Result<(), Failure> {
    let (holds, known) = pair.act(act, call, fault).await?;
    // What was under way as its process died may land late as well.
    let late = matches!(fault, Fault::Late(_) | Fault::Die(When::During));
    let looked = pair.cx.clock().millis();
    let lease = pair.wait().await?;
    let waited = Duration::from_millis(pair.cx.clock().millis() - looked);
    ensure!(
        late || waited <= TTL + SLACK,
        "the watcher had to wait for {} s, longer than one time-to-live of {} s",
        waited.as_secs(),
        TTL.as_secs()
    );
    let now = pair.cx.clock().runtime().now();
    if let Some(holds) = &holds {
        ensure!(
            holds.expired(now),
            "token {} was granted while the lease of token {} still ran",
            lease.token,
            holds.token
        );
    }
    ensure!(known.is_none_or(|known| lease.token > known), "token {} came after {known:?}", lease.token);
    pair.plan.disarm();
    pair.plan.land().await;
    pair.plan.revive();
    fenced(pair, holds).await?;
    pair.watcher.unlock(&lease).await?;
    match pair.holder.lock(&request("holder again")).await? {
        Locked::Granted(again) if again.token > lease.token => Ok(()),
        other => Err(Failure::new(format!("the lease was given back, and then: {other:?}"))),
    }
}

/// The holder that was overtaken learns it.
async fn fenced(pair: &Pair, holds: Option<Lease>) -> Result<(), Failure> {
    let Some(lease) = holds else { return Ok(()) };
    is_fenced("renewing", pair.holder.renew(&lease).await)?;
    is_fenced("giving back", pair.holder.unlock(&lease).await)
}

fn is_fenced<T: std::fmt::Debug>(what: &str, called: Called<T>) -> Result<(), Failure> {
    match called {
        Err(error) if error.kind() == ErrorKind::Fenced => Ok(()),
        other => Err(Failure::new(format!("{what} a lease that another took gave {other:?}, and not `Fenced`"))),
    }
}

/// The holder's machine sleeps; meanwhile another takes the lease over. Awake again, the holder is told to stop.
async fn a_holder_sleeps(cx: Context) -> Result<(), Failure> {
    let pair = Pair::new(&cx, Level::Server).await?;
    let lease = pair.held().await?;
    let Locked::Held(held) = pair.watcher.lock(&request("watcher")).await? else {
        return Err(Failure::new("a second client was granted a lease that is held"));
    };
    pair.cx.clock().advance(TTL + LOOK);
    let Locked::Granted(taken) = pair.watcher.lock(&request("watcher").with_sighting(Some(held.sighting))).await?
    else {
        return Err(Failure::new("a lease whose whole time went by since the first look was not granted")
            .with_rule(Rule::Invariant(9)));
    };
    ensure!(taken.token > lease.token, "token {} was granted after token {}", taken.token, lease.token);
    fenced(&pair, Some(lease)).await?;
    let renewed = pair.watcher.renew(&taken).await?;
    ensure!(renewed.token > taken.token, "a renewal has token {} after {}", renewed.token, taken.token);
    Ok(())
}

//! Two devices go through a day, in a process for each sync or in clients that stay open, and one call of it meets a fault: once each call, once as an outage that begins there. Then
//! everything heals, and nothing may be lost, doubled or different.
//!
//! At `Size::Full` every call that the fault fits meets it. At `Ci` a few of them do, and at `Quick` one does on a shorter day:
//! the seed says which, evenly over the operations and the day.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::LockPolicy;

use super::device::Level;
use super::scenario::{OPEN_CLIENTS, Story, day, live, live_undisturbed};
use super::world::{World, shows_enough};
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::dice::Dice;
use crate::faults::{Call, Fault, When};
use crate::verdict::{Failure, ensure};

/// Calls of an outage: more than the core tries one request.
const OUTAGE: u64 = 7;
/// More than other cases have: at full size every fault meets every call.
const DEADLINE: Duration = Duration::from_secs(360);

const SLOW_DONE: Fault = Fault::Slow { applied: true };
const SLOW_UNDONE: Fault = Fault::Slow { applied: false };
const REFUSED: Fault = Fault::Refused { after: Duration::from_secs(2) };
const PAUSED: Fault = Fault::Paused(Duration::from_secs(45));

macro_rules! case {
    (storage $name:literal, $rule:expr, $($fault:expr),+) => {
        Case::new(concat!("interruption::storage::", $name), Group::Interruption, $rule, |cx| {
            every_call_of_a_day(cx, Level::Storage, LockPolicy::Contended, &[$($fault),+]).boxed()
        })
        .needs(&[Need::Storage])
    };
    (server $name:literal, $rule:expr, $($fault:expr),+) => {
        Case::new(concat!("interruption::server::", $name), Group::Interruption, $rule, |cx| {
            every_call_of_a_day(cx, Level::Server, LockPolicy::Contended, &[$($fault),+]).boxed()
        })
    };
}

pub(super) const CASES: &[Case] = &[
    case!(storage "a_call_is_never_sent", Rule::Invariant(2), Fault::Before),
    case!(storage "a_reply_is_lost", Rule::Invariant(3), Fault::After),
    case!(storage "a_body_is_cut", Rule::Storage(1), Fault::Cut),
    case!(storage "a_write_lands_late", Rule::Invariant(3), Fault::Late(1), Fault::Late(5), Fault::Late(1000)),
    case!(storage "a_write_is_delivered_twice", Rule::Invariant(3), Fault::Twice),
    case!(storage "a_read_is_stale", Rule::Invariant(4), Fault::Stale),
    case!(storage "an_answer_is_overdue", Rule::Invariant(3), SLOW_DONE, SLOW_UNDONE),
    case!(storage "a_call_is_refused", Rule::Invariant(2), REFUSED),
    case!(storage "a_machine_sleeps", Rule::Invariant(5), PAUSED),
    case!(storage "a_process_dies_before_a_call", Rule::Invariant(2), Fault::Die(When::Before)),
    case!(storage "a_process_dies_during_a_call", Rule::Invariant(3), Fault::Die(When::During)),
    case!(storage "a_process_dies_after_a_call", Rule::Invariant(3), Fault::Die(When::After)),
    case!(server "a_call_is_never_sent", Rule::Invariant(2), Fault::Before),
    case!(server "a_reply_is_lost", Rule::Invariant(3), Fault::After),
    case!(server "a_body_is_cut", Rule::Server(3), Fault::Cut),
    case!(server "a_write_lands_late", Rule::Invariant(3), Fault::Late(1), Fault::Late(5), Fault::Late(1000)),
    case!(server "a_write_is_delivered_twice", Rule::Server(2), Fault::Twice),
    case!(server "a_read_is_stale", Rule::Invariant(4), Fault::Stale),
    case!(server "an_answer_is_overdue", Rule::Invariant(3), SLOW_DONE, SLOW_UNDONE),
    case!(server "a_call_is_refused", Rule::Invariant(2), REFUSED),
    case!(server "a_machine_sleeps", Rule::Invariant(5), PAUSED),
    case!(server "a_process_dies_before_a_call", Rule::Invariant(2), Fault::Die(When::Before)),
    case!(server "a_process_dies_during_a_call", Rule::Invariant(3), Fault::Die(When::During)),
    case!(server "a_process_dies_after_a_call", Rule::Invariant(3), Fault::Die(When::After)),
    Case::new("interruption::storage::under_a_lease", Group::Interruption, Rule::Invariant(9), |cx| {
        every_call_of_a_day(cx, Level::Storage, LockPolicy::Always, &Fault::ALL).boxed()
    })
    .deadline(DEADLINE)
    .needs(&[Need::Storage]),
    Case::new("interruption::server::under_a_lease", Group::Interruption, Rule::Invariant(9), |cx| {
        every_call_of_a_day(cx, Level::Server, LockPolicy::Always, &Fault::ALL).boxed()
    })
    .deadline(DEADLINE)
    // A dead holder's lease runs out on the server's own clock.
    .needs(&[Need::VirtualTime]),
    Case::new("interruption::storage::in_clients_that_stay_open", Group::Interruption, Rule::Invariant(3), |cx| {
        every_call(cx, Level::Storage, LockPolicy::Contended, OPEN_CLIENTS, &Fault::ALL).boxed()
    })
    .deadline(DEADLINE)
    .needs(&[Need::Storage]),
    Case::new("interruption::server::in_clients_that_stay_open", Group::Interruption, Rule::Invariant(3), |cx| {
        every_call(cx, Level::Server, LockPolicy::Contended, OPEN_CLIENTS, &Fault::ALL).boxed()
    })
    .deadline(DEADLINE),
];

/// A fault at a call of one of the devices, for one call or for an outage.
#[derive(Clone, Copy, Debug)]
struct Place {
    operation: &'static str,
    device: usize,
    call: u64,
    calls: u64,
    fault: Fault,
}

async fn every_call_of_a_day(cx: Context, level: Level, policy: LockPolicy, faults: &[Fault]) -> Result<(), Failure> {
    let story = day(cx.size());
    every_call(cx, level, policy, story, faults).await
}

async fn every_call(
    cx: Context,
    level: Level,
    policy: LockPolicy,
    story: Story,
    faults: &[Fault],
) -> Result<(), Failure> {
    let places = places(&cx, level, policy, story, faults).await?;
    let chosen = chosen(&places, &mut Dice::for_purpose(cx.seed(), "calls"), cx.size().pick(1, 7, usize::MAX));
    let mut met = 0;
    for place in &chosen {
        let mut world = world(&cx, level, policy);
        let plan = world.devices[place.device].plan.clone();
        plan.arm_all(place.call..place.call + place.calls, place.fault);
        let lived = async {
            live(&mut world, story, &[place.fault]).await?;
            if level == Level::Storage && place.calls == 1 {
                waited_as_asked(&plan.trace())?;
            }
            world.heal_and_judge().await
        };
        let lived = lived.await;
        met += u64::from(world.met() > 0);
        lived.map_err(|failure| failure.within(world.story()))?;
    }
    shows_enough(met, chosen.len() as u64)
}

/// Who was refused once asks for the same again when the server said, not before. (The core asks a storage again by itself; the
/// failed call of a server is its caller's.)
fn waited_as_asked(trace: &[Call]) -> Result<(), Failure> {
    let refused = trace.iter().filter_map(|call| match call.fault {
        Some(Fault::Refused { after }) => Some((call, after)),
        _ => None,
    });
    for (call, after) in refused {
        let same = |later: &&Call| (later.operation, &later.on) == (call.operation, &call.on);
        if let Some(again) = trace.iter().filter(|later| later.number > call.number).find(same) {
            let waited = Duration::from_millis(again.at - call.at);
            ensure!(waited >= after, "it was sent again after {waited:?}, and the server had asked for {after:?}");
        }
    }
    Ok(())
}

/// So many places, as many of each operation as of any other: there are few puts in a day, and many gets.
fn chosen(places: &[Place], dice: &mut Dice, count: usize) -> Vec<Place> {
    let operations: BTreeSet<&str> = places.iter().map(|place| place.operation).collect();
    let operations: Vec<&str> = operations.into_iter().collect();
    let each = count.div_ceil(operations.len().max(1));
    let of = |operation: &str| -> Vec<Place> {
        places.iter().filter(|place| place.operation == operation).copied().collect()
    };
    let chosen = dice.sample(&operations, count);
    chosen.into_iter().flat_map(|operation| dice.sample(&of(operation), each)).collect()
}

fn world(cx: &Context, level: Level, policy: LockPolicy) -> World {
    let mut world = World::new(cx, level, 2);
    world.devices.iter_mut().for_each(|device| device.policy = policy);
    world
}

/// Every place of an undisturbed story that a fault fits.
async fn places(
    cx: &Context,
    level: Level,
    policy: LockPolicy,
    story: Story,
    faults: &[Fault],
) -> Result<Vec<Place>, Failure> {
    let mut world = world(cx, level, policy);
    live_undisturbed(&mut world, story).await?;
    let mut places = Vec::new();
    for (device, calls) in world.devices.iter().map(|device| device.plan.trace()).enumerate() {
        for call in calls {
            let fitting = faults.iter().filter(|fault| fault.fits(call.operation));
            places.extend(fitting.flat_map(|fault| {
                // A process dies once.
                let lengths: &[u64] = if matches!(fault, Fault::Die(_)) { &[1] } else { &[1, OUTAGE] };
                lengths.iter().map(move |calls| Place {
                    operation: call.operation,
                    device,
                    call: call.number,
                    calls: *calls,
                    fault: *fault,
                })
            }));
        }
    }
    world.heal_and_judge().await?;
    Ok(places)
}

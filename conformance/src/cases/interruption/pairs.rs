//! One push and one pull, in processes of their own or in clients that stay open, and two faults: what one leaves, the other must not spoil.
//!
//! At `Size::Full` every pair of faults meets every pair of calls; at `Ci` and `Quick` some do, by the seed.

use std::time::Duration;

use futures::future::FutureExt as _;

use super::device::Level;
use super::scenario::{OPEN_PUSH_AND_PULL, PUSH_AND_PULL, Story, live, live_undisturbed};
use super::world::{World, shows_enough};
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::dice::Dice;
use crate::faults::{Call, Fault};
use crate::verdict::{Failure, ensure};

/// How far behind the end of an undisturbed push a fault may lie: a disturbed one makes more calls.
const BEYOND: u64 = 3;
/// More than other cases have: at full size there are ten thousand pairs.
const DEADLINE: Duration = Duration::from_secs(360);

pub(super) const CASES: &[Case] = &[
    Case::new(
        "interruption::storage::two_faults_in_one_push_and_pull",
        Group::Interruption,
        Rule::Invariant(3),
        |cx| pairs(cx, Level::Storage, PUSH_AND_PULL, 0).boxed(),
    )
    .needs(&[Need::Storage])
    .deadline(DEADLINE),
    Case::new("interruption::server::two_faults_in_one_push_and_pull", Group::Interruption, Rule::Invariant(3), |cx| {
        pairs(cx, Level::Server, PUSH_AND_PULL, 0).boxed()
    })
    .deadline(DEADLINE),
    Case::new(
        "interruption::storage::two_faults_in_clients_that_stay_open",
        Group::Interruption,
        Rule::Invariant(3),
        |cx| pairs(cx, Level::Storage, OPEN_PUSH_AND_PULL, OPENED).boxed(),
    )
    .needs(&[Need::Storage])
    .deadline(DEADLINE),
    Case::new(
        "interruption::server::two_faults_in_clients_that_stay_open",
        Group::Interruption,
        Rule::Invariant(3),
        |cx| pairs(cx, Level::Server, OPEN_PUSH_AND_PULL, OPENED).boxed(),
    )
    .deadline(DEADLINE),
];

/// Steps of the open clients' story before which no call meets a fault: the first and the second sync open the store.
const OPENED: usize = 2;

/// A device's call and its fault; and whether an undisturbed story comes to that call.
type Hit = (usize, u64, Fault, bool);

async fn pairs(cx: Context, level: Level, story: Story, from: usize) -> Result<(), Failure> {
    let all = hits(&cx, level, story, from).await?;
    let pairs: Vec<(Hit, Hit)> = all
        .iter()
        .flat_map(|first| all.iter().map(|second| (*first, *second)))
        .filter(|(first, second)| (first.0, first.1) < (second.0, second.1))
        // One of the two must come: no call lies behind the end of a story that nothing disturbs.
        .filter(|(first, second)| first.3 || second.3)
        .collect();
    ensure!(!pairs.is_empty(), "a push and a pull made no call");
    let chosen = Dice::for_purpose(cx.seed(), "pairs").sample(&pairs, cx.size().pick(3, 40, usize::MAX));
    let (mut met, all) = (0, chosen.len() as u64);
    for (first, second) in chosen {
        let mut world = World::new(&cx, level, 2);
        for (device, call, fault, _) in [first, second] {
            world.devices[device].plan.arm(call, fault);
        }
        let lived = async {
            live(&mut world, story, &[first.2, second.2]).await?;
            world.heal_and_judge().await
        };
        let lived = lived.await;
        met += u64::from(world.met() > 0);
        lived.map_err(|failure| failure.within(world.story()))?;
    }
    shows_enough(met, all)
}

/// Every call of the story from this step on, and some behind its end, with every fault that fits it.
async fn hits(cx: &Context, level: Level, story: Story, from: usize) -> Result<Vec<Hit>, Failure> {
    let mut world = World::new(cx, level, 2);
    let (before, after) = story.split_at(from);
    live_undisturbed(&mut world, before).await?;
    let begun: Vec<u64> = world.devices.iter().map(|device| device.plan.calls()).collect();
    live_undisturbed(&mut world, after).await?;
    let mut hits = Vec::new();
    for (device, calls) in world.devices.iter().map(|device| device.plan.trace()).enumerate() {
        let disturbed = calls.iter().filter(|call| call.number >= begun[device]);
        hits.extend(disturbed.flat_map(|call| fitting(call).map(move |fault| (device, call.number, fault, true))));
        let end = calls.len() as u64;
        hits.extend(
            (end..end + BEYOND)
                .flat_map(|call| [Fault::Before, Fault::After].map(|fault| (device, call, fault, false))),
        );
    }
    world.heal_and_judge().await?;
    Ok(hits)
}

fn fitting(call: &Call) -> impl Iterator<Item = Fault> {
    let operation = call.operation;
    Fault::ALL.into_iter().filter(move |fault| fault.fits(operation))
}

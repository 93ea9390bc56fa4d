//! A sync's future is dropped at one of its polls, as an app does that is closed or has waited long enough; the next sync goes on.
//!
//! At `Size::Full` at every poll of every sync of the day; at `Ci` and `Quick` at some.

use futures::future::FutureExt as _;

use super::device::{Ended, Level};
use super::scenario::{OPEN_CLIENTS, Story, day, rest, step};
use super::world::{World, judge_failure};
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::dice::Dice;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("interruption::storage::a_future_is_dropped", Group::Interruption, Rule::Storage(5), |cx| {
        let story = day(cx.size());
        every_poll(cx, Level::Storage, story).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("interruption::server::a_future_is_dropped", Group::Interruption, Rule::Storage(5), |cx| {
        let story = day(cx.size());
        every_poll(cx, Level::Server, story).boxed()
    }),
    Case::new(
        "interruption::storage::a_future_of_an_open_client_is_dropped",
        Group::Interruption,
        Rule::Storage(5),
        |cx| every_poll(cx, Level::Storage, OPEN_CLIENTS).boxed(),
    )
    .needs(&[Need::Storage]),
    Case::new(
        "interruption::server::a_future_of_an_open_client_is_dropped",
        Group::Interruption,
        Rule::Storage(5),
        |cx| every_poll(cx, Level::Server, OPEN_CLIENTS).boxed(),
    ),
];

async fn every_poll(cx: Context, level: Level, story: Story) -> Result<(), Failure> {
    let (polls, syncs) = cx.size().pick((2, 1), (4, 4), (usize::MAX, usize::MAX));
    let all: Vec<usize> = (0..story.steps.len()).collect();
    let mut dropped = 0;
    for at in Dice::for_purpose(cx.seed(), "syncs").sample(&all, syncs) {
        dropped += every_poll_of(&cx, level, story, at, polls).await?;
    }
    ensure!(dropped > 0, "no sync was dropped on its way: the case shows nothing");
    Ok(())
}

/// Drops this sync after 1, 2, 3 … polls, until it comes to its end; or only at some, ever wider apart.
async fn every_poll_of(cx: &Context, level: Level, story: Story, at: usize, most: usize) -> Result<u64, Failure> {
    let (mut polls, mut dropped) = (1, 0);
    for round in 1.. {
        let mut world = World::new(cx, level, 2);
        let lived = async {
            let ended = live_but_drop(&mut world, story, at, polls).await?;
            world.heal_and_judge().await?;
            Ok(ended)
        };
        let place = format!("sync {at} dropped after {polls} polls");
        if lived.await.map_err(|failure: Failure| failure.within(place))? || round >= most {
            break;
        }
        dropped += 1;
        polls += if most == usize::MAX { 1 } else { round * 2 };
    }
    Ok(dropped)
}

/// Whether the sync came to its end before.
async fn live_but_drop(world: &mut World, story: Story, at: usize, polls: usize) -> Result<bool, Failure> {
    let mut came_to_its_end = false;
    for (number, (act, who)) in story.steps.iter().enumerate() {
        step(world, *act).await?;
        let device = &mut world.devices[*who];
        let ended = if number == at { device.sync_dropped_after(polls).await? } else { device.sync().await? };
        judge_failure(&ended, &[])?;
        came_to_its_end |= number == at && !matches!(ended, Ended::Gone);
        rest(world, story, *who);
    }
    Ok(came_to_its_end)
}

//! A race of processes: what decides it binds more than the clients of one.

use futures::future::join_all;

use crate::context::{Context, read};
use crate::crash::{self, Fate, Order, Race, WON, Work};
use crate::verdict::{Failure, ensure};

const RACERS: usize = 3;

pub(super) async fn creators_in_other_processes_race(cx: Context) -> Result<(), Failure> {
    let rounds = cx.size().pick(10, 40, 200);
    let meeting = cx.scratch().path().join(format!("race-{}", cx.slot));
    std::fs::create_dir_all(&meeting).map_err(|error| Failure::unjudged(format!("no place to meet: {error}")))?;
    let racers = (0..cx.racers(RACERS)).map(|racer| {
        let race = Race { racer, racers: cx.racers(RACERS), rounds };
        crash::run(Order::new(&cx, meeting.clone(), Work::Race(race), None, cx.seed()))
    });
    // No racer may outlive the case.
    let fates = join_all(racers).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let storage = cx.storage().await?;
    for round in 0..rounds {
        let won =
            |fate: &Fate| matches!(fate, Fate::Ended { calls } if calls.get(round).is_some_and(|word| word == WON));
        let winners: Vec<usize> = (0..fates.len()).filter(|racer| won(&fates[*racer])).collect();
        ensure!(winners.len() == 1, "round {round}: {} of {} processes won", winners.len(), fates.len());
        let there = read(&*storage, &crash::prize(&cx, round)?).await?;
        ensure!(
            there == Some(crash::body(round, winners[0])),
            "round {round}: process {} won, and other bytes are there",
            winners[0]
        );
    }
    Ok(())
}

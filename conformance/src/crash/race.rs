//! A racer in a process of its own: it creates the names that others create, round by round.

use std::path::Path;

use bytes::Bytes;
use longshore_core::{Created, ObjectKey};

use super::Race;
use crate::context::Context;
use crate::verdict::Failure;

/// How a racer tells that it won a round; any other word says that it did not.
pub(crate) const WON: &str = "won";

/// The mark of one that failed.
const LEFT: &str = "left";

/// What they race for.
pub(crate) fn prize(cx: &Context, round: usize) -> Result<ObjectKey, Failure> {
    cx.record(&format!("raced-{round}"))
}

pub(crate) fn body(round: usize, racer: usize) -> Bytes {
    Bytes::from(format!("round {round} racer {racer} ").repeat(40 + racer))
}

/// One word for each round, up to that in which another failed. The racers meet in a folder, so that no lock of the store orders
/// them.
pub(super) async fn run(cx: &Context, race: Race, meeting: &Path) -> Result<Vec<&'static str>, Failure> {
    let ran = rounds(cx, race, meeting).await;
    if ran.is_err() {
        // Without this mark the others wait, and end later than the case.
        std::fs::write(meeting.join(LEFT), "").ok();
    }
    ran
}

async fn rounds(cx: &Context, race: Race, meeting: &Path) -> Result<Vec<&'static str>, Failure> {
    let (storage, mut words) = (cx.storage().await?, Vec::new());
    for round in 0..race.rounds {
        let (prize, body) = (prize(cx, round)?, body(round, race.racer));
        if !meet(race, round, meeting).await? {
            break;
        }
        let answer = storage.create(&prize, body).await?.value;
        words.push(if answer == Created::Created { WON } else { "lost" });
    }
    Ok(words)
}

/// Comes back when all have come, or when one has left.
async fn meet(race: Race, round: usize, meeting: &Path) -> Result<bool, Failure> {
    let mark = |racer: usize| meeting.join(format!("{round}-{racer}"));
    std::fs::write(mark(race.racer), "").map_err(|error| Failure::new(format!("no place to meet: {error}")))?;
    while !(0..race.racers).all(|racer| mark(racer).exists()) {
        if meeting.join(LEFT).exists() {
            return Ok(false);
        }
        tokio::task::yield_now().await;
    }
    Ok(true)
}

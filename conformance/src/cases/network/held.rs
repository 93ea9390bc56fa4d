//! Creators that are all nearly done.

use std::time::Duration;

use futures::future::join_all;
use longshore_core::{Created, Outcome};

use super::deed::Deed;
use super::wire::{Wire, body};
use crate::context::{Context, read};
use crate::proxy::Cut;
use crate::verdict::{Failure, ensure};

/// How long all may take to come so far.
const TOGETHER: Duration = Duration::from_secs(20);
/// For the server to read what it was sent.
const ARRIVAL: Duration = Duration::from_millis(100);

/// Several creators of one name send all of their request but its last byte; then all of these go at once. A server that decides
/// when a request begins, or looks at its beginning and writes at its end, lets several win.
pub(super) async fn held_creators(cx: Context) -> Result<(), Failure> {
    let mut wires = Vec::new();
    for _ in 0..cx.racers(8) {
        wires.push(Wire::new(&cx).await?);
    }
    let mut last = 0;
    for (at, wire) in wires.iter_mut().enumerate() {
        // Names of its own, for this one call.
        wire.skip_to(at * 1000);
        last = wire.lengths(Deed::Create).await?.len() - 1;
    }
    for round in 0..cx.size().pick(2, 6, 40) {
        race(&mut wires, round, last).await.map_err(|failure| failure.within(format!("round {round}")))?;
    }
    Ok(())
}

/// `last` is the number of the request that creates: an adapter may send others before it.
async fn race(wires: &mut [Wire], round: usize, last: usize) -> Result<(), Failure> {
    let key = Deed::Create.key(&format!("held-{round}"))?;
    let bytes = |racer: usize| body(&format!("racer {racer} of round {round}"));
    let creators = wires.iter().enumerate().map(|(racer, wire)| {
        (0..last).for_each(|_| wire.proxy.plan(Cut::None));
        wire.proxy.plan(Cut::Hold);
        wire.client.create(&key, bytes(racer))
    });
    let release = async {
        let held = join_all(wires.iter().map(|wire| wire.proxy.holds(round + 1)));
        let all = tokio::time::timeout(TOGETHER, held).await;
        // What was sent has arrived when the server has read it. Only a wrong server is shown less without this.
        tokio::time::sleep(ARRIVAL).await;
        for wire in wires.iter() {
            wire.proxy.release();
        }
        all
    };
    let (all, ended) = futures::join!(release, join_all(creators));
    ensure!(all.is_ok(), "not every creator sent its request within {TOGETHER:?}");
    let (mut winners, mut open) = (Vec::new(), Vec::new());
    for (racer, ended) in ended.into_iter().enumerate() {
        match ended {
            Ok(reply) if reply.value == Created::Created => winners.push(racer),
            Err(error) if error.outcome() == Outcome::Unknown => open.push(racer),
            Ok(_) | Err(_) => {}
        }
    }
    ensure!(winners.len() <= 1, "{} of {} creators won, whose requests ended at once", winners.len(), wires.len());
    let there = read(&*wires[0].straight, &key).await?;
    let whose = (0..wires.len()).find(|racer| there == Some(bytes(*racer)));
    match (winners.first(), whose) {
        (Some(winner), whose) => {
            ensure!(whose == Some(*winner), "creator {winner} won, and the bytes of {whose:?} are there");
        }
        (None, Some(whose)) => {
            ensure!(open.contains(&whose), "the bytes of creator {whose} are there, who was told that it lost");
        }
        (None, None) => {
            ensure!(there.is_none(), "what is there is nobody's");
            ensure!(open.len() == wires.len(), "nobody won, and some were told that another did");
        }
    }
    Ok(())
}

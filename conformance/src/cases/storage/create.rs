//! Creating: one wins, and its bytes stay.

use bytes::Bytes;
use futures::future::{FutureExt as _, join_all};
use longshore_core::{Created, Storage};

use crate::case::{Case, Group, Need, Rule};
use crate::context::{Context, read};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("storage::create::a_second_one_changes_nothing", Group::Storage, Rule::Storage(3), |cx| {
        a_second_one_changes_nothing(cx).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("storage::create::of_many_at_once_one_wins", Group::Storage, Rule::Storage(3), |cx| {
        of_many_at_once_one_wins(cx).boxed()
    })
    .needs(&[Need::Storage]),
];

async fn a_second_one_changes_nothing(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.storage().await?, cx.storage().await?);
    let key = cx.record("twice")?;
    let first = mine.create(&key, Bytes::from_static(b"first")).await?.value;
    ensure!(first == Created::Created, "a free name was answered with {first:?}");
    let second = yours.create(&key, Bytes::from_static(b"the second, longer")).await?.value;
    ensure!(second == Created::Exists, "a taken name was answered with {second:?}");
    let there = read(&*yours, &key).await?;
    ensure!(there.as_deref() == Some(b"first".as_slice()), "the first bytes are gone: {there:?}");
    Ok(())
}

/// Racing clients, each its own, for one name: exactly one wins, and what it wrote stays.
async fn of_many_at_once_one_wins(cx: Context) -> Result<(), Failure> {
    let rounds = cx.size().pick(5, 50, 200);
    let mut clients = Vec::new();
    for _ in 0..cx.at_once(32) {
        clients.push(cx.storage().await?);
    }
    for round in 0..rounds {
        let key = cx.record(&format!("raced-{round}"))?;
        let tries = clients.iter().cloned().enumerate().map(|(racer, client)| {
            let key = key.clone();
            tokio::spawn(async move { client.create(&key, body(round, racer)).await })
        });
        let mut winners = Vec::new();
        for (racer, tried) in join_all(tries).await.into_iter().enumerate() {
            let reply = tried.map_err(|error| Failure::new(format!("a racer ended early: {error}")))??;
            winners.extend((reply.value == Created::Created).then_some(racer));
        }
        ensure!(winners.len() == 1, "round {round}: {} of {} racers won", winners.len(), clients.len());
        let there = read(&*clients[0], &key).await?;
        ensure!(
            there == Some(body(round, winners[0])),
            "round {round}: racer {} won, and other bytes are there",
            winners[0]
        );
    }
    Ok(())
}

fn body(round: usize, racer: usize) -> Bytes {
    Bytes::from(format!("round {round} racer {racer} ").repeat(40 + racer))
}

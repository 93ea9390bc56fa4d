//! Creating: one wins, and its bytes stay.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{FutureExt as _, join_all};
use longshore_core::{Created, ObjectKey, Storage};
use tokio::sync::Barrier;

use super::case;
use super::look::{created, holds, pattern, two};
use crate::case::Case;
use crate::context::{Context, read};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::create::a_second_one_changes_nothing", 3, |cx| a_second_one_changes_nothing(cx).boxed()),
    case("storage::create::its_own_client_is_told_too", 3, |cx| its_own_client_is_told_too(cx).boxed()),
    case("storage::create::the_same_bytes_are_taken_too", 4, |cx| the_same_bytes_are_taken_too(cx).boxed()),
    case("storage::create::a_name_outlasts_the_deletion_of_another", 3, |cx| {
        a_name_outlasts_the_deletion_of_another(cx).boxed()
    }),
    case("storage::create::of_many_at_once_one_wins", 3, |cx| of_many_at_once_one_wins(cx).boxed()),
    case("storage::create::of_one_clients_calls_one_wins", 3, |cx| of_one_clients_calls_one_wins(cx).boxed()),
];

/// Lengths at which a client may upload in another way.
const LARGE: [usize; 3] = [64 << 10, 300_000, 1 << 20];

/// An object without bytes is one, too.
async fn a_second_one_changes_nothing(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let large = LARGE.map(|len| pattern(len, cx.seed()));
    for (at, first) in [Bytes::from_static(b"first"), Bytes::new()].into_iter().chain(large).enumerate() {
        let key = cx.record(&format!("twice-{at}"))?;
        created(&*mine, &key, first.clone()).await?;
        taken(&*yours, &key, "the second, longer").await?;
        taken(&*yours, &key, "").await?;
        taken(&*yours, &key, pattern(first.len(), cx.seed() + 2)).await?;
        holds(&*mine, &key, &first).await?;
        holds(&*yours, &key, &first).await?;
    }
    Ok(())
}

/// The core repeats a `create` itself, after it has read back: it must hear of its own object.
async fn its_own_client_is_told_too(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let key = cx.record("again")?;
    created(&*mine, &key, "first").await?;
    taken(&*mine, &key, "other").await?;
    holds(&*mine, &key, b"first").await?;
    holds(&*yours, &key, b"first").await
}

/// Equal bytes may come from two clients: only one of them has won.
async fn the_same_bytes_are_taken_too(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let key = cx.record("equal")?;
    created(&*mine, &key, "the same").await?;
    taken(&*yours, &key, "the same").await?;
    taken(&*mine, &key, "the same").await?;
    holds(&*yours, &key, b"the same").await
}

async fn a_name_outlasts_the_deletion_of_another(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (kept, gone) = (cx.record("1")?, cx.record("2")?);
    created(&*mine, &kept, "kept").await?;
    created(&*mine, &gone, "gone").await?;
    yours.delete(&gone).await?;
    taken(&*yours, &kept, "other").await?;
    taken(&*mine, &kept, "another").await?;
    holds(&*mine, &kept, b"kept").await
}

async fn taken(storage: &dyn Storage, key: &ObjectKey, bytes: impl Into<Bytes>) -> Result<(), Failure> {
    let answer = storage.create(key, bytes.into()).await?.value;
    ensure!(answer == Created::Exists, "{key} was taken, and another creation was answered with {answer:?}");
    Ok(())
}

/// Racing clients, each its own, for one name: exactly one wins, and what it wrote stays.
async fn of_many_at_once_one_wins(cx: Context) -> Result<(), Failure> {
    let mut clients = Vec::new();
    for _ in 0..cx.racers(32) {
        clients.push(cx.storage().await?);
    }
    for round in 0..cx.size().pick(5, 50, 200) {
        race(&clients, &cx.record(&format!("raced-{round}"))?, round, body).await?;
    }
    clients.truncate(cx.size().pick(8, 8, 32));
    for round in 0..cx.size().pick(3, 4, 20) {
        for len in LARGE {
            let filling = pattern(len + clients.len(), cx.seed());
            let body = |_, racer| filling.slice(racer..racer + len);
            race(&clients, &cx.record(&format!("raced-{round}-{len}"))?, round, body).await?;
        }
    }
    Ok(())
}

async fn of_one_clients_calls_one_wins(cx: Context) -> Result<(), Failure> {
    let clients = vec![cx.storage().await?; cx.racers(16)];
    for round in 0..cx.size().pick(3, 10, 100) {
        race(&clients, &cx.record(&format!("crowded-{round}"))?, round, body).await?;
    }
    Ok(())
}

async fn race(
    clients: &[Arc<dyn Storage>],
    key: &ObjectKey,
    round: usize,
    body: impl Fn(usize, usize) -> Bytes,
) -> Result<(), Failure> {
    // All start at once: to make a large body takes longer than to create it.
    let start = Arc::new(Barrier::new(clients.len()));
    let bodies: Vec<Bytes> = (0..clients.len()).map(|racer| body(round, racer)).collect();
    let tries = clients.iter().cloned().zip(bodies.clone()).map(|(client, body)| {
        let (key, start) = (key.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            client.create(&key, body).await
        })
    });
    let mut winners = Vec::new();
    for (racer, tried) in join_all(tries).await.into_iter().enumerate() {
        let reply = tried.map_err(|error| Failure::new(format!("a racer ended early: {error}")))??;
        winners.extend((reply.value == Created::Created).then_some(racer));
    }
    ensure!(winners.len() == 1, "round {round}: {} of {} racers won", winners.len(), clients.len());
    let there = read(&*clients[0], key).await?;
    ensure!(
        there.as_ref() == Some(&bodies[winners[0]]),
        "round {round}: racer {} won, and other bytes are there",
        winners[0]
    );
    Ok(())
}

fn body(round: usize, racer: usize) -> Bytes {
    Bytes::from(format!("round {round} racer {racer} ").repeat(40 + racer))
}

//! The server's own time.

use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{ByteRange, Folder, Runtime as _, ServerTime, Storage, TokioRuntime};

use super::case;
use super::look::two;
use crate::case::{Case, Need};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::time::reads_carry_it", 7, |cx| reads_carry_it(cx).boxed()).needs(&[Need::Storage, Need::ReadTime]),
    case("storage::time::never_runs_backwards", 7, |cx| never_runs_backwards(cx).boxed()),
    case("storage::time::passes_as_ours_does", 7, |cx| passes_as_ours_does(cx).boxed()),
];

/// How far it may run backwards: a second, since many servers tell no finer time.
const GRAIN: Duration = Duration::from_secs(1);
/// Longer than that, so that every server's time has moved; and by how much at the least and beyond ours at the most.
const WAIT: Duration = Duration::from_millis(1_100);
const LEAST: Duration = Duration::from_millis(100);
const BEYOND: Duration = Duration::from_secs(10);

/// Of what is there, and of what is not: the head of the log is a name that is not there.
async fn reads_carry_it(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    mine.create(&cx.record("there")?, "there".into()).await?;
    mine.put(&cx.blob("there")?, "there".into()).await?;
    for client in [&mine, &yours] {
        for (what, key) in
            [("a record", cx.record("there")?), ("an object", cx.blob("there")?), ("nothing", cx.record("no")?)]
        {
            let time = client.get(&key, ByteRange::ALL).await?.time;
            ensure!(time.is_some(), "it says that reads carry the server's time, and the reply with {what} has none");
            let time = client.get(&key, ByteRange::new(1, 2)).await?.time;
            ensure!(time.is_some(), "it says that reads carry the server's time, and the range of {what} has none");
        }
        for folder in [Folder::new("records")?, Folder::new("no")?] {
            let time = client.list(&folder, None).await?.time;
            ensure!(time.is_some(), "it says that reads carry the server's time, and a listing has none");
        }
    }
    Ok(())
}

/// Over all calls that carry one, of two clients.
async fn never_runs_backwards(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let mut newest: Option<ServerTime> = None;
    for round in 0..cx.size().pick(10, 50, 300) {
        let client = if round % 2 == 0 { &mine } else { &yours };
        for (call, time) in times(&cx, &**client, round).await? {
            let Some(time) = time else { continue };
            if let Some(newest) = newest {
                let back = newest.since(time);
                ensure!(
                    back <= GRAIN,
                    "round {round}: the time of {call} is {} ms before an earlier one",
                    back.as_millis()
                );
            }
            newest = newest.max(Some(time));
        }
    }
    if newest.is_none() {
        Err(Failure::ignored("no reply carries a time, and it does not say that any does"))
    } else {
        Ok(())
    }
}

/// In milliseconds, not in seconds or microseconds: a lease's time-to-live is counted by it. This one waits in real time, since
/// that is what a server's clock shows.
async fn passes_as_ours_does(cx: Context) -> Result<(), Failure> {
    let client = cx.storage().await?;
    let began = TokioRuntime.now();
    let before = times(&cx, &*client, 0).await?;
    if before.iter().all(|(_, time)| time.is_none()) {
        return Err(Failure::ignored("no reply carries a time, and it does not say that any does"));
    }
    TokioRuntime.sleep(WAIT).await;
    let after = times(&cx, &*client, 1).await?;
    let ours = TokioRuntime.now().since(began);
    for ((call, before), (_, after)) in before.into_iter().zip(after) {
        let (Some(before), Some(after)) = (before, after) else { continue };
        let passed = after.since(before);
        ensure!(
            passed >= LEAST && passed <= ours + BEYOND,
            "while {} ms passed here, the time of {call} moved by {} ms",
            ours.as_millis(),
            passed.as_millis()
        );
    }
    Ok(())
}

async fn times(
    cx: &Context,
    client: &dyn Storage,
    round: usize,
) -> Result<[(&'static str, Option<ServerTime>); 7], Failure> {
    let (record, blob) = (cx.record(&format!("{round}"))?, cx.blob(&format!("{round}"))?);
    Ok([
        ("a get of nothing", client.get(&record, ByteRange::ALL).await?.time),
        ("a create", client.create(&record, "record".into()).await?.time),
        ("a lost create", client.create(&record, "record".into()).await?.time),
        ("a put", client.put(&blob, "blob".into()).await?.time),
        ("a get", client.get(&blob, ByteRange::ALL).await?.time),
        ("a list", client.list(&Folder::new("records")?, None).await?.time),
        ("a delete", client.delete(&blob).await?.time),
    ])
}

//! What a storage says of itself holds.

use futures::future::{FutureExt as _, try_join_all};
use longshore_core::{Folder, ObjectKey, Storage};

use super::case;
use super::look::{created, holds, names, pattern, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::claims::create_is_atomic", 8, |cx| create_is_atomic(cx).boxed()),
    case("storage::claims::an_object_of_the_largest_size_is_taken", 8, |cx| {
        an_object_of_the_largest_size_is_taken(cx).boxed()
    }),
    case("storage::claims::that_many_calls_at_once_are_borne", 8, |cx| that_many_calls_at_once_are_borne(cx).boxed()),
];

async fn create_is_atomic(cx: Context) -> Result<(), Failure> {
    let claims = cx.storage().await?.capabilities();
    ensure!(claims.atomic_create, "it says itself that its create is not atomic: such a store is refused at first use");
    ensure!(
        claims.max_object >= 1 << 20,
        "it takes {} bytes at most: a record alone may have 1 MiB",
        claims.max_object
    );
    ensure!(claims.parallelism >= 1, "it bears no call at all");
    Ok(())
}

/// Where that is more than this run can send, one as large as it can.
async fn an_object_of_the_largest_size_is_taken(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let most = mine.capabilities().max_object.min(cx.size().pick(2 << 20, 16 << 20, 64 << 20));
    let whole = pattern(usize::try_from(most).unwrap_or(0), cx.seed());
    let key = cx.blob("largest")?;
    if let Err(error) = mine.put(&key, whole.clone().into()).await {
        return Err(Failure::new(format!("it says that it takes {most} bytes, and does not: {error}")));
    }
    holds(&*yours, &key, &whole).await
}

/// One client makes all of them.
async fn that_many_calls_at_once_are_borne(cx: Context) -> Result<(), Failure> {
    let client = cx.storage().await?;
    let calls = client.capabilities().parallelism.min(64);
    let keys: Vec<(ObjectKey, ObjectKey)> = (0..calls)
        .map(|at| Ok((cx.record(&format!("{at}"))?, cx.blob(&format!("{at}"))?)))
        .collect::<Result<_, Failure>>()?;
    let borne = |failure: Failure| Failure::new(format!("it says that it bears {calls} calls at once: {failure}"));
    try_join_all(keys.iter().map(|(record, _)| created(&*client, record, "record"))).await.map_err(borne)?;
    try_join_all(keys.iter().map(|(_, blob)| put(&*client, blob, "blob"))).await.map_err(borne)?;
    try_join_all(keys.iter().map(|(record, _)| holds(&*client, record, b"record"))).await.map_err(borne)?;
    let folder = Folder::new("records")?;
    for listed in try_join_all((0..calls).map(|_| names(&*client, &folder))).await.map_err(borne)? {
        ensure!(listed.len() == calls, "{calls} records are there, and {} are listed", listed.len());
    }
    try_join_all(keys.iter().map(|(record, _)| client.delete(record))).await.map_err(Failure::from).map_err(borne)?;
    Ok(())
}

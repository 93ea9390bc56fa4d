//! Deleting: that object is gone, and no other.

use std::sync::Arc;

use futures::future::{FutureExt as _, try_join};
use longshore_core::{ByteRange, Folder, ObjectKey, Storage};

use super::case;
use super::look::{absent, created, holds, lists, names, part, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::delete::of_a_missing_object_succeeds", 6, |cx| of_a_missing_object_succeeds(cx).boxed()),
    case("storage::delete::no_later_read_sees_it", 2, |cx| no_later_read_sees_it(cx).boxed()),
    case("storage::delete::leaves_its_neighbours", 6, |cx| leaves_its_neighbours(cx).boxed()),
    case("storage::delete::of_the_last_spares_what_is_being_written", 1, |cx| {
        of_the_last_spares_what_is_being_written(cx).boxed()
    }),
    case("storage::delete::by_many_at_once_succeeds", 6, |cx| by_many_at_once_succeeds(cx).boxed()),
];

async fn of_a_missing_object_succeeds(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (record, blob) = (cx.record("missing")?, cx.blob("missing")?);
    for key in [&record, &blob] {
        mine.delete(key).await?;
    }
    created(&*mine, &record, "record").await?;
    put(&*mine, &blob, "blob").await?;
    for key in [&record, &blob] {
        for client in [&mine, &mine, &yours] {
            client.delete(key).await?;
        }
    }
    // Beside others, too: there the folder is there.
    put(&*mine, &cx.blob("there")?, "there").await?;
    mine.delete(&cx.blob("missing-too")?).await?;
    holds(&*yours, &cx.blob("there")?, b"there").await
}

/// Nor does a client that has read it before.
async fn no_later_read_sees_it(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for key in [cx.record("gone")?, cx.blob("gone")?] {
        write(&*mine, &key).await?;
        for client in [&mine, &yours] {
            holds(&**client, &key, b"bytes").await?;
            part(&**client, &key, ByteRange::new(0, 2)).await?;
        }
        mine.delete(&key).await?;
        for client in [&yours, &mine, &cx.storage().await?] {
            absent(&**client, &key, "was deleted").await?;
            let ranged = client.get(&key, ByteRange::new(0, 2)).await?.value;
            ensure!(ranged.is_none(), "{key} was deleted, and a read of a range of it finds an object");
        }
    }
    Ok(())
}

async fn write(storage: &dyn Storage, key: &ObjectKey) -> Result<(), Failure> {
    if key.is_record() { created(storage, key, "bytes").await } else { put(storage, key, "bytes").await }
}

/// Names that begin or end as the deleted one does, and objects under it if it were a folder.
async fn leaves_its_neighbours(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let neighbours = ["1", "10", "1-", "1_", "1-1", "11", "01", "a1"];
    for name in neighbours {
        created(&*mine, &cx.record(name)?, name).await?;
        put(&*mine, &cx.blob(name)?, name).await?;
    }
    let other = ObjectKey::new("segments/1/1")?;
    put(&*mine, &other, "other").await?;
    mine.delete(&cx.record("1")?).await?;
    mine.delete(&cx.blob("1")?).await?;
    for name in &neighbours[1..] {
        holds(&*yours, &cx.record(name)?, name.as_bytes()).await?;
        holds(&*yours, &cx.blob(name)?, name.as_bytes()).await?;
    }
    holds(&*yours, &other, b"other").await
}

/// Who tidies away an empty folder must not take with it what another client is writing there.
async fn of_the_last_spares_what_is_being_written(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for round in 0..cx.size().pick(10, 50, 500) {
        let blobs = Folder::new(format!("segments/{round}"))?;
        let (last, next) = (blobs.object("last")?, blobs.object("next")?);
        put(&*mine, &last, "last").await?;
        meet(mine.delete(&last), put(&*yours, &next, "next")).await?;
        holds(&*yours, &next, b"next").await?;
        lists(&blobs, &names(&*mine, &blobs).await?, &["next".to_owned()])?;

        let records = Folder::new(format!("domains/{round}"))?;
        let (last, next) = (records.object("last/data")?, records.object("next/data")?);
        created(&*mine, &last, "last").await?;
        meet(mine.delete(&last), created(&*yours, &next, "next")).await?;
        holds(&*yours, &next, b"next").await?;
    }
    Ok(())
}

async fn meet<T>(
    delete: impl Future<Output = longshore_core::Result<T>>,
    write: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    try_join(Box::pin(async { Ok(delete.await.map(drop)?) }), Box::pin(write)).await?;
    Ok(())
}

async fn by_many_at_once_succeeds(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for key in [cx.record("crowded")?, cx.blob("crowded")?] {
        write(&*mine, &key).await?;
        let deletes: Vec<_> = (0..cx.racers(8))
            .map(|at| {
                let (client, key) = (Arc::clone(if at % 2 == 0 { &mine } else { &yours }), key.clone());
                tokio::spawn(async move { client.delete(&key).await })
            })
            .collect();
        for deleted in deletes {
            deleted.await.map_err(|error| Failure::new(format!("a deletion ended early: {error}")))??;
        }
        absent(&*yours, &key, "was deleted").await?;
    }
    Ok(())
}

//! Reading: what is there, and that something is not.

use futures::future::FutureExt as _;
use futures::stream::StreamExt as _;
use longshore_core::{ByteRange, Storage};

use super::case;
use super::look::{absent, created, holds, pattern, two};
use crate::case::Case;
use crate::context::{Context, at_most, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::get::a_missing_object_is_none", 6, |cx| a_missing_object_is_none(cx).boxed()),
    case("storage::get::a_folder_is_no_object", 6, |cx| a_folder_is_no_object(cx).boxed()),
    case("storage::get::is_free_to_repeat", 2, |cx| is_free_to_repeat(cx).boxed()),
    case("storage::get::a_large_object_may_be_left_half_read", 5, |cx| {
        a_large_object_may_be_left_half_read(cx).boxed()
    }),
];

/// In a place where nothing was ever written, and beside an object.
async fn a_missing_object_is_none(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for beside in [false, true] {
        if beside {
            created(&*yours, &cx.record("there")?, "there").await?;
            put(&*yours, &cx.blob("there")?, "there").await?;
        }
        for key in [cx.record("missing")?, cx.blob("missing")?, cx.record("there-not")?, cx.blob("the")?] {
            absent(&*mine, &key, "was never written").await?;
            let ranged = mine.get(&key, ByteRange::new(0, 10)).await?.value;
            ensure!(ranged.is_none(), "{key} was never written, and a read of a range of it finds an object");
        }
    }
    Ok(())
}

/// The name of a folder is not that of an object. An adapter may say so by an error (a folder of somebody else's may stand
/// where an object belongs), but never by bytes: a server's own page about the folder is no object.
async fn a_folder_is_no_object(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (record, blob) = (cx.record("one")?, cx.blob("one")?);
    created(&*mine, &record, "one").await?;
    put(&*mine, &blob, "one").await?;
    for folder in [record.folder(), blob.folder()].into_iter().flatten() {
        let key = longshore_core::ObjectKey::new(folder.as_str())?;
        if let Ok(reply) = yours.get(&key, ByteRange::ALL).await {
            ensure!(reply.value.is_none(), "{key} is a folder, and a read of it finds an object");
        }
    }
    Ok(())
}

async fn is_free_to_repeat(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (record, blob) = (cx.record("often")?, cx.blob("often")?);
    created(&*mine, &record, pattern(2_000, 1)).await?;
    put(&*mine, &blob, pattern(80_000, 2)).await?;
    for _ in 0..cx.size().pick(5, 20, 100) {
        for client in [&mine, &yours] {
            holds(&**client, &record, &pattern(2_000, 1)).await?;
            holds(&**client, &blob, &pattern(80_000, 2)).await?;
        }
    }
    Ok(())
}

/// Who has seen enough drops the stream; the next reply must not begin with the rest of it.
async fn a_large_object_may_be_left_half_read(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (large, small) = (cx.blob("large")?, cx.record("small")?);
    let whole = pattern(at_most(&*mine, cx.size().pick(3 << 20, 8 << 20, 64 << 20)), cx.seed());
    put(&*mine, &large, whole.clone()).await?;
    created(&*mine, &small, "small").await?;
    for _ in 0..3 {
        let Some(object) = yours.get(&large, ByteRange::ALL).await?.value else {
            return Err(Failure::new(format!("{large} was put and acknowledged, and a read finds nothing")));
        };
        let first = object.into_stream().next().await.transpose()?.unwrap_or_default();
        ensure!(whole.starts_with(&first), "{large} begins with bytes that were not put");
        holds(&*yours, &small, b"small").await?;
    }
    holds(&*yours, &large, &whole).await
}

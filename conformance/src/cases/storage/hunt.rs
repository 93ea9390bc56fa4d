//! Readers hunt for halves of objects while these are being written.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures::future::{FutureExt as _, join_all};
use longshore_core::{ObjectKey, Payload, Result as CoreResult, Storage};

use super::case;
use super::look::{holds, listed_whole, pattern, two, whole_or_nothing_yet};
use crate::case::Case;
use crate::context::{Context, at_most, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::hunt::no_half_of_a_record", 1, |cx| no_half_of_a_record(cx).boxed()),
    case("storage::hunt::no_half_of_a_put_object", 1, |cx| no_half_of_a_put_object(cx).boxed()),
    case("storage::hunt::an_object_stays_whole_while_it_is_put_again", 1, |cx| {
        an_object_stays_whole_while_it_is_put_again(cx).boxed()
    }),
    case("storage::hunt::no_half_between_the_steps_of_a_create", 1, |cx| {
        no_half_between_the_steps_of_a_create(cx).boxed()
    }),
];

/// Reads one object until the writer has ended, and once more. What was seen once must stay.
async fn hunt(
    storage: Arc<dyn Storage>,
    key: ObjectKey,
    wanted: Bytes,
    mut seen: bool,
    ended: Arc<AtomicBool>,
) -> Result<(), Failure> {
    loop {
        let last = ended.load(Ordering::SeqCst);
        let there = whole_or_nothing_yet(&*storage, &key, &wanted).await?;
        ensure!(there || !seen, "{key} was there, and is gone again while it is being written");
        seen |= there;
        if last {
            ensure!(seen, "{key} was written and acknowledged, and a read finds nothing");
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Writes while three other clients read.
async fn hunted<W>(cx: &Context, key: &ObjectKey, bytes: &Bytes, seen: bool, write: W) -> Result<(), Failure>
where
    W: Future<Output = Result<(), Failure>>,
{
    let ended = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..cx.racers(3) {
        let reader = hunt(cx.storage().await?, key.clone(), bytes.clone(), seen, Arc::clone(&ended));
        readers.push(tokio::spawn(reader));
    }
    let written = write.await;
    ended.store(true, Ordering::SeqCst);
    let found = join_all(readers).await;
    // A failed write explains what the readers did not find.
    written?;
    for reader in found {
        reader.map_err(|error| Failure::new(format!("a reader ended early: {error}")))??;
    }
    Ok(())
}

async fn no_half_of_a_record(cx: Context) -> Result<(), Failure> {
    let writer = cx.storage().await?;
    for round in 0..cx.size().pick(4, 30, 200) {
        let key = cx.record(&format!("hunted-{round}"))?;
        let bytes = pattern(1 << (8 + round % 13), cx.seed());
        let write = async { Ok(writer.create(&key, bytes.clone()).await.map(drop)?) };
        hunted(&cx, &key, &bytes, false, write).await?;
    }
    Ok(())
}

async fn no_half_of_a_put_object(cx: Context) -> Result<(), Failure> {
    let writer = cx.storage().await?;
    for round in 0..cx.size().pick(3, 20, 100) {
        let key = cx.blob(&format!("hunted-{round}"))?;
        let bytes = pattern(at_most(&*writer, cx.size().pick(300_000, 3 << 20, 9 << 20)), cx.seed() + round);
        hunted(&cx, &key, &bytes, false, put_in_pieces(&*writer, &key, &bytes)).await?;
    }
    Ok(())
}

async fn an_object_stays_whole_while_it_is_put_again(cx: Context) -> Result<(), Failure> {
    let writer = cx.storage().await?;
    for round in 0..cx.size().pick(2, 10, 100) {
        let key = cx.blob(&format!("again-{round}"))?;
        let bytes = pattern(at_most(&*writer, cx.size().pick(300_000, 2 << 20, 9 << 20)), cx.seed() + round);
        put(&*writer, &key, bytes.clone()).await?;
        hunted(&cx, &key, &bytes, true, put_in_pieces(&*writer, &key, &bytes)).await?;
    }
    Ok(())
}

/// Puts these bytes as a stream of some pieces.
pub(super) async fn put_in_pieces(storage: &dyn Storage, key: &ObjectKey, bytes: &Bytes) -> Result<(), Failure> {
    let pieces = bytes.chunks(64 << 10).map(Bytes::copy_from_slice).collect();
    storage.put(key, Payload::from_parts(pieces)).await?;
    Ok(())
}

/// Another client looks whenever the call waits.
async fn no_half_between_the_steps_of_a_create(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for (at, len) in [0, 1, 5_000, 400_000].into_iter().enumerate() {
        let key = cx.record(&format!("stepped-{at}"))?;
        let record = key.parts().nth_back(1).unwrap_or_default();
        let bytes = pattern(len, cx.seed());
        let mut call = mine.create(&key, bytes.clone());
        while step(&mut call).await?.is_none() {
            listed_whole(&*yours, &key, &bytes, record).await?;
            tokio::task::yield_now().await;
        }
        holds(&*yours, &key, &bytes).await?;
    }
    Ok(())
}

/// Polls a call once.
async fn step<T>(call: &mut (impl Future<Output = CoreResult<T>> + Unpin)) -> Result<Option<T>, Failure> {
    poll_fn(|cx| match call.poll_unpin(cx) {
        Poll::Ready(result) => Poll::Ready(result.map(Some).map_err(Failure::from)),
        Poll::Pending => Poll::Ready(Ok(None)),
    })
    .await
}

//! Dropped futures: an interruption like any other.

use std::time::Duration;

use bytes::Bytes;
use futures::future::FutureExt as _;
use longshore_core::{ByteRange, Error, ErrorKind, Folder, Payload};

use super::case;
use super::look::{absent, created, holds, holds_yet, listed_whole, pattern, settles, two, whole_or_nothing_yet};
use crate::case::Case;
use crate::cases::dropping::dropped_after;
use crate::context::{Context, at_most, put};
use crate::verdict::Failure;

pub(super) const CASES: &[Case] = &[
    case("storage::dropped::a_create_leaves_nothing_or_all", 5, |cx| a_create_leaves_nothing_or_all(cx).boxed()),
    case("storage::dropped::a_put_leaves_nothing_or_all", 5, |cx| a_put_leaves_nothing_or_all(cx).boxed()),
    case("storage::dropped::a_get_does_not_disturb_the_next", 5, |cx| a_get_does_not_disturb_the_next(cx).boxed()),
    case("storage::dropped::a_delete_leaves_nothing_or_all", 5, |cx| a_delete_leaves_nothing_or_all(cx).boxed()),
    case("storage::dropped::many_calls_leave_their_client_answering", 5, |cx| {
        many_calls_leave_their_client_answering(cx).boxed()
    }),
];

/// More polls than a call takes, or as many as this run has time for.
fn most(cx: &Context) -> usize {
    cx.size().pick(16, 48, 400)
}

async fn a_create_leaves_nothing_or_all(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let bytes = pattern(300_000, cx.seed());
    for polls in 0..most(&cx) {
        let key = cx.record(&format!("dropped-{polls}"))?;
        let ended = dropped_after(polls, mine.create(&key, bytes.clone())).await.transpose()?;
        listed_whole(&*yours, &key, &bytes, key.name()).await?;
        let again = mine.create(&key, bytes.clone()).await?.value;
        settles(&*yours, &key, &bytes, again).await?;
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

async fn a_put_leaves_nothing_or_all(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let pieces: Vec<Bytes> = (0..5).map(|at| pattern(90_000, at)).collect();
    let bytes = Bytes::from(pieces.concat());
    for polls in 0..most(&cx) {
        let key = cx.blob(&format!("dropped-{polls}"))?;
        let ended = dropped_after(polls, mine.put(&key, Payload::from_parts(pieces.clone()))).await.transpose()?;
        listed_whole(&*yours, &key, &bytes, key.name()).await?;
        mine.put(&key, Payload::from_parts(pieces.clone())).await?;
        holds_yet(&*yours, &key, &bytes).await?;
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

async fn a_get_does_not_disturb_the_next(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (large, small) = (cx.blob("large")?, cx.record("small")?);
    let whole = pattern(at_most(&*mine, 2 << 20), 1);
    put(&*mine, &large, whole.clone()).await?;
    created(&*mine, &small, "small").await?;
    for polls in 0..most(&cx) {
        let dropped = dropped_after(polls, async {
            let object = yours.get(&large, ByteRange::ALL).await?.value;
            Ok::<_, Failure>(object.map(|object| object.read(4 << 20)))
        });
        let ended = dropped.await.transpose()?.flatten();
        let ended = match ended {
            Some(read) => dropped_after(polls, read).await.transpose()?.is_some(),
            None => false,
        };
        holds(&*yours, &small, b"small").await?;
        absent(&*yours, &cx.record("missing")?, "was never written").await?;
        if ended {
            break;
        }
    }
    holds(&*yours, &large, &whole).await
}

async fn a_delete_leaves_nothing_or_all(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let bytes = pattern(50_000, cx.seed());
    for polls in 0..most(&cx) {
        let (record, blob) = (cx.record(&format!("dropped-{polls}"))?, cx.blob(&format!("dropped-{polls}"))?);
        created(&*mine, &record, bytes.clone()).await?;
        put(&*mine, &blob, bytes.clone()).await?;
        let mut ended = true;
        for key in [&record, &blob] {
            ended &= dropped_after(polls, mine.delete(key)).await.transpose()?.is_some();
            whole_or_nothing_yet(&*yours, key, &bytes).await?;
            mine.delete(key).await?;
            absent(&*yours, key, "was deleted").await?;
        }
        if ended {
            break;
        }
    }
    Ok(())
}

/// After how long without an answer a client counts as worn out.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a call takes for itself (a connection, a permit, a lock) it gives back when it is dropped, wherever it was.
async fn many_calls_leave_their_client_answering(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (record, blob, missing) = (cx.record("there")?, cx.blob("there")?, cx.blob("missing")?);
    let folder = Folder::new("segments/0")?;
    created(&*yours, &record, "there").await?;
    put(&*yours, &blob, "there").await?;
    let rounds = mine.capabilities().parallelism.saturating_mul(2).clamp(64, 256);
    for round in 0..rounds {
        let calls = [
            answers(&cx, round, mine.put(&blob, "there".into())).boxed(),
            answers(&cx, round, mine.create(&record, "other".into())).boxed(),
            answers(&cx, round, async { beside_puts(mine.get(&blob, ByteRange::ALL).await) }).boxed(),
            answers(&cx, round, mine.list(&folder, None)).boxed(),
            answers(&cx, round, mine.delete(&missing)).boxed(),
        ];
        for call in calls {
            call.await?;
        }
    }
    for client in [&mine, &yours] {
        answers(&cx, usize::MAX, put(&**client, &blob, "there")).await?;
        answers(&cx, usize::MAX, holds(&**client, &record, b"there")).await?;
        answers(&cx, usize::MAX, holds_yet(&**client, &blob, b"there")).await?;
    }
    Ok(())
}

/// Puts that were dropped may still be under way, and break off a read of the same object: then the server has answered, too.
fn beside_puts<T>(read: Result<T, Error>) -> Result<(), Error> {
    match read {
        Err(error) if error.kind() != ErrorKind::Unavailable => Err(error),
        _ => Ok(()),
    }
}

/// The call ends, or may be dropped in this round, before patience does.
async fn answers<T, E: Into<Failure>>(
    cx: &Context,
    round: usize,
    call: impl Future<Output = Result<T, E>>,
) -> Result<(), Failure> {
    let polls = if round == usize::MAX { usize::MAX } else { 1 + round % 5 };
    let limit = cx.pace.stretch(PATIENCE);
    match tokio::time::timeout(limit, dropped_after(polls, call)).await {
        Ok(ended) => ended.map_or(Ok(()), |ended| ended.map(drop).map_err(Into::into)),
        Err(_) => Err(Failure::new(format!("a client whose calls were dropped does not answer within {limit:?}"))),
    }
}

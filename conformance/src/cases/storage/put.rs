//! Putting: a stream becomes an object, whole or not at all.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use longshore_core::{Error, ErrorKind, ObjectKey, Payload, Storage};

use super::case;
use super::look::{absent, holds, names, pattern, two};
use crate::case::Case;
use crate::context::{Context, at_most, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::put::is_free_to_repeat", 1, |cx| is_free_to_repeat(cx).boxed()),
    case("storage::put::takes_pieces_of_any_length", 1, |cx| takes_pieces_of_any_length(cx).boxed()),
    case("storage::put::streams_a_large_object", 1, |cx| streams_a_large_object(cx).boxed()),
    case("storage::put::a_stream_that_fails_leaves_nothing", 1, |cx| a_stream_that_fails_leaves_nothing(cx).boxed()),
    case("storage::put::a_stream_of_another_length_leaves_nothing", 1, |cx| {
        a_stream_of_another_length_leaves_nothing(cx).boxed()
    }),
    case("storage::put::a_repetition_that_fails_leaves_the_object", 1, |cx| {
        a_repetition_that_fails_leaves_the_object(cx).boxed()
    }),
    case("storage::put::nothing_is_seen_before_its_stream_has_ended", 1, |cx| {
        nothing_is_seen_before_its_stream_has_ended(cx).boxed()
    }),
];

async fn is_free_to_repeat(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let key = cx.blob("repeated")?;
    for client in [&mine, &mine, &yours] {
        put(&**client, &key, "the same bytes").await?;
        holds(&*yours, &key, b"the same bytes").await?;
    }
    let folder = key.folder().unwrap_or(longshore_core::Folder::ROOT);
    let listed = names(&*mine, &folder).await?;
    ensure!(listed == [key.name()], "{folder} holds only {}, put three times, and lists {listed:?}", key.name());
    Ok(())
}

async fn takes_pieces_of_any_length(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let whole = pattern(200_000, cx.seed());
    let mut parts = Vec::new();
    let mut left = whole.clone();
    for len in [0, 1, 0, 65_536, 3, 0, 0, 100_000] {
        parts.push(left.split_to(len));
    }
    parts.extend([left, Bytes::new()]);
    let key = cx.blob("pieces")?;
    mine.put(&key, Payload::from_parts(parts)).await?;
    holds(&*yours, &key, &whole).await
}

/// 64 MiB that are never in memory at once on their way up; each piece is stamped with its number.
async fn streams_a_large_object(cx: Context) -> Result<(), Failure> {
    const PIECE: usize = 1 << 20;
    let (mine, yours) = two(&cx).await?;
    let most = usize::try_from(mine.capabilities().max_object / PIECE as u64).unwrap_or(usize::MAX);
    let pieces = cx.size().pick(4, 64, 64).min(most);
    let filling = pattern(PIECE, cx.seed());
    let stamped = move |at: usize| {
        let mut piece = filling.to_vec();
        piece[..8].copy_from_slice(&(at as u64).to_le_bytes());
        Bytes::from(piece)
    };
    let key = cx.blob("large")?;
    let up = stamped.clone();
    let stream = stream::iter(0..pieces).map(move |at| Ok(up(at))).boxed();
    mine.put(&key, Payload::new((pieces * PIECE) as u64, stream)).await?;
    let Some(object) = yours.get(&key, longshore_core::ByteRange::ALL).await?.value else {
        return Err(Failure::new("a large object was put and acknowledged, and a read finds nothing"));
    };
    ensure!(object.size() == (pieces * PIECE) as u64, "{} bytes were put, {} are there", pieces * PIECE, object.size());
    let (mut at, mut stream) = (0, object.into_stream());
    while let Some(read) = stream.next().await.transpose()? {
        let mut read = &read[..];
        while !read.is_empty() {
            let piece = stamped(at / PIECE);
            let wanted = &piece[at % PIECE..];
            let len = wanted.len().min(read.len());
            ensure!(
                read[..len] == wanted[..len],
                "of a large object, the bytes from {at} on are not those that were put"
            );
            (at, read) = (at + len, &read[len..]);
        }
    }
    ensure!(at == pieces * PIECE, "of {} bytes, {at} were read", pieces * PIECE);
    Ok(())
}

async fn a_stream_that_fails_leaves_nothing(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let whole = pattern(at_most(&*mine, cx.size().pick(300_000, 3 << 20, 20 << 20)), cx.seed());
    for (at, cut) in [0, 1, 70_000, whole.len() / 3 * 2, whole.len()].into_iter().enumerate() {
        let key = cx.blob(&format!("failed-{at}"))?;
        fails(&*mine, &key, failing(&whole, cut)).await?;
        nothing(&*yours, &key).await?;
        nothing(&*mine, &key).await?;
        put(&*mine, &key, whole.clone()).await?;
        holds(&*yours, &key, &whole).await?;
    }
    let (key, pieces) = (cx.blob("failed-large")?, large(&*mine, cx.seed()));
    let sent: Vec<_> = pieces[..pieces.len() - 1].iter().cloned().map(Ok).chain([Err(broken())]).collect();
    fails(&*mine, &key, Payload::new(length(&pieces), stream::iter(sent).boxed())).await?;
    nothing(&*yours, &key).await
}

/// Pieces of an object so large that clients and servers take it in parts, if the storage takes one of 17 MiB.
fn large(storage: &dyn Storage, seed: u64) -> Vec<Bytes> {
    const PIECE: usize = 1 << 20;
    let most = storage.capabilities().max_object / PIECE as u64;
    let pieces = usize::try_from(most.clamp(1, 17)).unwrap_or(1);
    let filling = pattern(PIECE + pieces, seed);
    (0..pieces).map(|at| filling.slice(at..at + PIECE)).collect()
}

fn length(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

async fn a_stream_of_another_length_leaves_nothing(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for (name, promised) in [("short", 100_001), ("long", 99_999), ("none", 0)] {
        let key = cx.blob(name)?;
        let pieces = [Ok(pattern(60_000, 1)), Ok(pattern(40_000, 2))];
        fails(&*mine, &key, Payload::new(promised, stream::iter(pieces).boxed())).await?;
        nothing(&*yours, &key).await?;
    }
    Ok(())
}

async fn a_repetition_that_fails_leaves_the_object(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let whole = pattern(300_000, cx.seed());
    let key = cx.blob("kept")?;
    put(&*mine, &key, whole.clone()).await?;
    for cut in [0, 150_000] {
        fails(&*mine, &key, failing(&whole, cut)).await?;
        holds(&*yours, &key, &whole).await?;
    }
    Ok(())
}

/// A payload whose stream breaks off with an error.
fn failing(whole: &Bytes, cut: usize) -> Payload {
    let mut pieces: Vec<_> = whole[..cut].chunks(50_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    pieces.push(Err(broken()));
    Payload::new(whole.len() as u64, stream::iter(pieces).boxed())
}

fn broken() -> Error {
    Error::new(ErrorKind::Unavailable, "the payload's source failed, as the case wants it")
}

async fn fails(storage: &dyn Storage, key: &ObjectKey, payload: Payload) -> Result<(), Failure> {
    match storage.put(key, payload).await {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::new(format!("the payload of {key} broke off, and its put was acknowledged"))),
    }
}

async fn nothing(storage: &dyn Storage, key: &ObjectKey) -> Result<(), Failure> {
    absent(storage, key, "was not put to its end").await?;
    let Some(folder) = key.folder() else { return Ok(()) };
    let listed = names(storage, &folder).await?;
    ensure!(!listed.iter().any(|name| name == key.name()), "{key} was not put to its end, and is listed");
    Ok(())
}

/// Another client looks before each piece: at that moment no byte can be there.
async fn nothing_is_seen_before_its_stream_has_ended(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let pieces = (0..10).map(|at| pattern(100_000, at)).collect();
    watched(&*mine, &yours, cx.blob("watched")?, pieces).await?;
    watched(&*mine, &yours, cx.blob("watched-large")?, large(&*mine, cx.seed())).await
}

async fn watched(
    mine: &dyn Storage,
    yours: &Arc<dyn Storage>,
    key: ObjectKey,
    pieces: Vec<Bytes>,
) -> Result<(), Failure> {
    let seen = Arc::new(Mutex::new(Ok(())));
    let (told, watched) = (Arc::clone(&seen), key.clone());
    let yours = Arc::clone(yours);
    let stream = stream::iter(pieces.clone()).then(move |piece| {
        let (yours, key, told) = (Arc::clone(&yours), watched.clone(), Arc::clone(&told));
        async move {
            if let Err(failure) = nothing(&*yours, &key).await {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Err(failure);
            }
            Ok(piece)
        }
    });
    mine.put(&key, Payload::new(length(&pieces), stream.boxed())).await?;
    seen.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
    holds(mine, &key, &pieces.concat()).await
}

//! Reading a range: exactly these bytes, and the size of the whole.

use futures::future::FutureExt as _;
use longshore_core::ByteRange;

use super::case;
use super::look::{created, difference, part, pattern, two};
use crate::case::Case;
use crate::context::{Context, at_most, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::range::gives_exactly_its_bytes", 1, |cx| gives_exactly_its_bytes(cx).boxed()),
    case("storage::range::is_cut_at_the_end", 1, |cx| is_cut_at_the_end(cx).boxed()),
    case("storage::range::of_no_bytes_is_empty", 1, |cx| of_no_bytes_is_empty(cx).boxed()),
    case("storage::range::knows_the_size_of_the_whole", 1, |cx| knows_the_size_of_the_whole(cx).boxed()),
    case("storage::range::of_a_large_object_is_found", 1, |cx| of_a_large_object_is_found(cx).boxed()),
];

const LEN: u64 = 100_000;

async fn gives_exactly_its_bytes(cx: Context) -> Result<(), Failure> {
    let ranges = [(0, 1), (0, LEN), (1, 1), (1, LEN - 2), (4_096, 4_096), (65_535, 2), (LEN - 1, 1), (10, 50_000)];
    check(&cx, &ranges).await
}

async fn is_cut_at_the_end(cx: Context) -> Result<(), Failure> {
    check(&cx, &[(LEN - 5, 100), (0, LEN + 1), (1, u64::MAX), (50_000, u64::MAX - 50_000), (LEN - 1, u64::MAX)]).await
}

async fn of_no_bytes_is_empty(cx: Context) -> Result<(), Failure> {
    check(&cx, &[(0, 0), (7, 0), (LEN, 0), (LEN, 1), (LEN, u64::MAX), (LEN + 1, 5), (u64::MAX, 1), (u64::MAX, 0)])
        .await?;
    let (mine, yours) = two(&cx).await?;
    let key = cx.blob("none")?;
    put(&*mine, &key, "").await?;
    for (start, len) in [(0, 0), (0, 1), (0, 8_192), (3, 4)] {
        let (size, bytes) = part(&*yours, &key, ByteRange::new(start, len)).await?;
        ensure!(bytes.is_empty() && size == 0, "a range of an empty object has {} bytes", bytes.len());
    }
    Ok(())
}

/// The bytes of these ranges, of a record and of a put object.
async fn check(cx: &Context, ranges: &[(u64, u64)]) -> Result<(), Failure> {
    let (mine, yours) = two(cx).await?;
    let whole = pattern(100_000, cx.seed());
    let (record, blob) = (cx.record("ranged")?, cx.blob("ranged")?);
    created(&*mine, &record, whole.clone()).await?;
    put(&*mine, &blob, whole.clone()).await?;
    for key in [&record, &blob] {
        for (start, len) in ranges {
            let (_, found) = part(&*yours, key, ByteRange::new(*start, *len)).await?;
            let from = usize::try_from((*start).min(LEN)).unwrap_or(0);
            let to = usize::try_from(start.saturating_add(*len).min(LEN)).unwrap_or(0);
            let wanted = &whole[from..to];
            ensure!(
                found == wanted,
                "of {LEN} bytes, {len} from {start} on were asked for: {}",
                difference(&found, wanted)
            );
        }
    }
    Ok(())
}

async fn knows_the_size_of_the_whole(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (record, blob) = (cx.record("sized")?, cx.blob("sized")?);
    created(&*mine, &record, pattern(100_000, 3)).await?;
    put(&*mine, &blob, pattern(100_000, 3)).await?;
    for key in [&record, &blob] {
        for (start, len) in [(0, 10), (500, 1_000), (LEN - 1, 10), (LEN, 1), (0, 0), (LEN + 10, 10), (0, LEN)] {
            let (size, _) = part(&*yours, key, ByteRange::new(start, len)).await?;
            ensure!(
                size == LEN,
                "of {LEN} bytes, {len} from {start} on were asked for, and the object's size is given as {size}"
            );
        }
    }
    Ok(())
}

/// Where clients and servers cut objects into parts: in mebibytes.
const PARTS: [usize; 4] = [4, 5, 8, 16];

/// Also across the places where it may have been cut into parts.
async fn of_a_large_object_is_found(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let len = at_most(&*mine, cx.size().pick(17 << 20, 17 << 20, 64 << 20));
    let whole = pattern(len, cx.seed());
    let key = cx.blob("large")?;
    put(&*mine, &key, whole.clone()).await?;
    let mut ranges = vec![(len - 100, 100), ((1 << 20) - 1, 2), (1 << 20, 1 << 20), ((2 << 20) + 17, 900_000)];
    for cut in PARTS.map(|mebibytes| mebibytes << 20) {
        ranges.extend([(cut - 1, 2), (cut, 1), (cut - 70_000, 70_000), (cut - 1_000, 100_000)]);
    }
    ranges.retain(|(start, count)| start + count <= len);
    for (start, count) in ranges {
        let range = ByteRange::new(start as u64, count as u64);
        let (size, found) = part(&*yours, &key, range).await?;
        let wanted = &whole[start..start + count];
        ensure!(found == wanted, "{count} bytes from {start} on were asked for: {}", difference(&found, wanted));
        ensure!(size == len as u64, "an object of {len} bytes is said to have {size}");
    }
    Ok(())
}

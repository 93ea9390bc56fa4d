//! Bodies of every size, and of bytes that no compressor makes smaller.

use futures::future::FutureExt as _;

use super::device::Fleet;
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::bodies::of_every_size_arrive", Group::Sync, Rule::Invariant(2), |cx| {
        of_every_size_arrive(cx).boxed()
    }),
    Case::new("sync::bodies::together_larger_than_a_segment", Group::Sync, Rule::Invariant(2), |cx| {
        together_larger_than_a_segment(cx).boxed()
    }),
];

const KIB: usize = 1 << 10;

/// One document a commit: from nothing over the edge of an entry to many segments' worth.
async fn of_every_size_arrive(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (first, second) = (fleet.device().await?, fleet.device().await?);
    let small = [0, 1, 2, 511 * KIB, 512 * KIB - 1, 512 * KIB, 512 * KIB + 1, 520 * KIB];
    let large = cx.size().pick(&[1 << 20][..], &[1 << 20, 20 << 20], &[1 << 20, 8 << 20, 20 << 20]);
    for (at, len) in small.iter().chain(large).copied().enumerate() {
        let len = cx.fitting(len).await?;
        let (id, body) = (format!("{len} bytes"), noise(cx.seed() ^ at as u64, len));
        first.put(&id, body.clone()).await?;
        let report = first.sync().await?;
        ensure!(report.pushed == 1, "a document of {len} bytes was written: {report:?}");
        second.sync().await?;
        let there = second.replica.get(&id.as_str().try_into()?).await?;
        let arrived = there.as_ref().map(|document| &document.body);
        ensure!(
            arrived == Some(&body),
            "{len} bytes arrived as {:?}, or as other bytes",
            arrived.map(bytes::Bytes::len)
        );
    }
    // The largest becomes empty, and the empty one large.
    let largest = format!("{} bytes", cx.fitting(large.last().copied().unwrap_or_default()).await?);
    second.put(&largest, "").await?;
    second.put("0 bytes", noise(!cx.seed(), 600 * KIB)).await?;
    second.sync().await?;
    first.sync().await?;
    sound(&fleet, &[&first, &second]).await
}

/// Many documents in one commit, staged as several segments; and a newcomer that gets them all.
async fn together_larger_than_a_segment(cx: Context) -> Result<(), Failure> {
    let (each, count) = (200 * KIB, cx.size().pick(8, 60, 120_u64));
    let fleet = Fleet::new(&cx);
    let (first, second) = (fleet.device().await?, fleet.device().await?);
    for at in 0..count {
        first.put(&format!("part {at}"), noise(cx.seed() ^ at, each)).await?;
    }
    let report = first.sync().await?;
    let checkpoint = report.checkpoint.map(longshore_core::Sequence::get);
    ensure!((report.pushed, checkpoint) == (count, Some(1)), "{count} documents are one commit: {report:?}");
    second.sync().await?;
    sound(&fleet, &[&first, &second]).await
}

//! Large commits: their bodies lie in segments, and every segment that an entry names can be read.

use std::sync::Arc;

use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use longshore_core::format::SegmentRef;
use longshore_core::{Change, Content, ErrorKind, Hash, Server};

use super::expect::refused;
use super::history::{Writer, changes_of, put, whole_log};
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::segments::a_large_commit_reads_back", Group::Server, Rule::Invariant(8), |cx| {
        a_large_commit_reads_back(cx).boxed()
    }),
    Case::new("server::segments::around_512_kib", Group::Server, Rule::Invariant(8), |cx| around_512_kib(cx).boxed()),
    Case::new("server::segments::what_is_staged_is_not_seen", Group::Server, Rule::Server(3), |cx| {
        what_is_staged_is_not_seen(cx).boxed()
    }),
    Case::new("server::segments::one_that_is_not_as_named_is_corrupt", Group::Server, Rule::Invariant(11), |cx| {
        one_that_is_not_as_named_is_corrupt(cx).boxed()
    }),
];

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Bytes that do not compress, in documents of all sizes, more than one segment holds.
async fn a_large_commit_reads_back(cx: Context) -> Result<(), Failure> {
    let total = cx.size().pick(MIB, 10 * MIB, 20 * MIB);
    let mut changes = vec![Change::delete("gone".try_into()?), put("empty", "")?];
    let mut left = total;
    for (at, share) in [2, 3, 5, 9, 17].into_iter().cycle().enumerate() {
        let len = cx.fitting((total / share).min(left)).await?;
        changes.push(put(format!("part-{at}"), noise(cx.seed() ^ at as u64, len))?);
        left -= len;
        if left == 0 {
            break;
        }
    }
    let mut writer = Writer::new(cx.ready_server().await?, 1).await?;
    writer.append(changes.clone()).await?;
    writer.append(vec![put("behind", "it")?]).await?;
    let reader = cx.server().await?;
    let log = whole_log(&*reader).await?;
    same(&changes_of(&*reader, &log[0]).await?, &changes)?;
    let last = changes.last().map(|change| change.id.clone());
    for id in last.into_iter().chain(["empty".try_into()?]) {
        let found = reader
            .get(&id)
            .await?
            .ok_or_else(|| Failure::new(format!("{id} was committed, and `get` finds nothing")))?;
        ensure!(
            changes.iter().any(|change| change.action.body() == Some(&found.body)),
            "`get` finds other bytes of {id}"
        );
    }
    Ok(())
}

/// Where a commit stops fitting into its entry.
async fn around_512_kib(cx: Context) -> Result<(), Failure> {
    let edge = 512 * KIB;
    let lengths = [edge - 4 * KIB, edge - 64, edge - 1, edge, edge + 1, edge + 4 * KIB, MIB - 1, MIB, MIB + 1];
    let mut writer = Writer::new(cx.ready_server().await?, 1).await?;
    let reader = cx.server().await?;
    for (at, len) in lengths.into_iter().enumerate().step_by(cx.size().pick(3, 1, 1)) {
        let len = cx.fitting(len).await?;
        let changes = vec![put("noise", noise(cx.seed() ^ at as u64, len))?, put("plain", vec![b'x'; len])?];
        let before = writer.tip;
        writer.append(changes.clone()).await?;
        let log = super::history::read_on(&*reader, before).await?;
        ensure!(log.len() == 1, "a commit of {len} bytes gave {} entries", log.len());
        same(&changes_of(&*reader, &log[0]).await?, &changes)
            .map_err(|failure| Failure::new(format!("a commit of {len} bytes: {failure}")))?;
    }
    Ok(())
}

fn same(there: &[Change], changes: &[Change]) -> Result<(), Failure> {
    ensure!(there.len() == changes.len(), "{} changes were committed, and {} are read", changes.len(), there.len());
    for (there, change) in there.iter().zip(changes) {
        ensure!(there == change, "{change:?} was committed, and {there:?} is read, or other bytes of it");
    }
    Ok(())
}

async fn what_is_staged_is_not_seen(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut writer = Writer::new(mine, 1).await?;
    writer.append(vec![put("doc", "committed")?]).await?;
    for len in [10, cx.fitting(MIB).await?] {
        let changes = vec![put("doc", noise(cx.seed(), len))?, put("other", "staged")?];
        let staged = stream::iter(changes.clone().into_iter().map(Ok)).boxed();
        writer.server.put(writer.tip.number(), staged).await?;
        let entry = writer.prepare(changes).await?;
        let log = whole_log(&*yours).await?;
        ensure!(log.len() == 1, "{len} bytes were staged and never committed, and the log has {} entries", log.len());
        let found = yours.get(&"other".try_into()?).await?;
        ensure!(found.is_none(), "a document that was never committed is found: {found:?}");
        drop(entry);
    }
    Ok(())
}

/// The hash that an entry names tells a segment from any other.
async fn one_that_is_not_as_named_is_corrupt(cx: Context) -> Result<(), Failure> {
    let mut writer = Writer::new(cx.ready_server().await?, 1).await?;
    let len = cx.fitting(2 * MIB).await?;
    for at in 0..2_u64 {
        writer.append(vec![put("large", noise(cx.seed() ^ at, len))?]).await?;
    }
    let named = segments(&writer.server).await?;
    let [one, two] = named.as_slice() else {
        return Err(Failure::ignored("this server keeps large commits in their entries"));
    };
    let other_hash = SegmentRef { hash: Hash::of(b"other bytes"), ..one.clone() };
    let swapped = SegmentRef { name: two.name.clone(), ..one.clone() };
    let mut name = one.name.clone();
    let last = if name.pop() == Some('0') { '1' } else { '0' };
    name.push(last);
    let gone = SegmentRef { name, ..one.clone() };
    for (what, wrong) in [("other bytes", other_hash), ("another segment", swapped), ("a segment that is gone", gone)] {
        let read = writer.server.segment(&wrong).await.map(|changes| changes.len());
        let error = refused(read, ErrorKind::Corrupt, what)?;
        ensure!(error.key() == Some(wrong.name.as_str()), "{what} must be named in the error {error}");
    }
    for right in [one, two] {
        writer.server.segment(right).await?;
    }
    Ok(())
}

async fn segments(server: &Arc<dyn Server>) -> Result<Vec<SegmentRef>, Failure> {
    let log = whole_log(&**server).await?;
    let contents = log.into_iter().map(|entry| entry.content);
    Ok(contents
        .filter_map(|content| if let Content::Segments(named) = content { Some(named) } else { None })
        .flatten()
        .collect())
}

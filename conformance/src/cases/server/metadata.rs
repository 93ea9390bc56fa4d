//! Metadata: compare-and-swap, and nothing lost by it.

use futures::future::FutureExt as _;
use longshore_core::{ErrorKind, Metadata, MetadataName, MetadataVersion, Server};

use super::expect::refused;
use super::race::race;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::metadata::versions_follow_each_other", Group::Server, Rule::Storage(2), |cx| {
        versions_follow_each_other(cx).boxed()
    }),
    Case::new("server::metadata::a_wrong_expectation_is_a_conflict", Group::Server, Rule::Storage(3), |cx| {
        a_wrong_expectation_is_a_conflict(cx).boxed()
    }),
    Case::new("server::metadata::a_counter_adds_up", Group::Server, Rule::Storage(3), |cx| {
        a_counter_adds_up(cx).boxed()
    }),
    Case::new("server::metadata::names_of_all_shapes", Group::Server, Rule::Storage(2), |cx| {
        names_of_all_shapes(cx).boxed()
    }),
    Case::new("server::metadata::up_to_512_kib", Group::Server, Rule::Storage(1), |cx| up_to_512_kib(cx).boxed()),
];

async fn read(server: &dyn Server, name: &MetadataName) -> Result<Metadata, Failure> {
    let found = server.metadata_read(name).await?;
    found.ok_or_else(|| Failure::new(format!("the metadata {name} was written, and nothing is read")))
}

async fn versions_follow_each_other(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let name = MetadataName::new("schema")?;
    let found = yours.metadata_read(&name).await?;
    ensure!(found.is_none(), "metadata that was never written is read as {found:?}");
    let mut expected = None;
    for number in 1..=cx.size().pick(8, 60, 300_u64) {
        let writer = if number.is_multiple_of(3) { &yours } else { &mine };
        let version = writer.metadata_write(&name, expected, number.to_string().into()).await?;
        ensure!(version.get() == number, "after version {} came version {}", number - 1, version.get());
        let there = read(&*yours, &name).await?;
        ensure!(
            there.version == version && there.bytes == number.to_string(),
            "version {number} was written, and {there:?} with {:?} is read",
            there.bytes
        );
        expected = Some(version);
    }
    Ok(())
}

async fn a_wrong_expectation_is_a_conflict(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let name = MetadataName::new("settings")?;
    let early = yours.metadata_write(&name, Some(MetadataVersion::FIRST), "x".into()).await;
    let error = refused(early, ErrorKind::Conflict, "a write over version 1 where there is none")?;
    ensure!(
        error.actual() == Some("none"),
        "the conflict must say that there is none yet, and says {:?}",
        error.actual()
    );
    let first = mine.metadata_write(&name, None, "one".into()).await?;
    let second = mine.metadata_write(&name, Some(first), "two".into()).await?;
    for wrong in [None, Some(first), Some(second.next()?), Some(MetadataVersion::new(1_000)?)] {
        let written = yours.metadata_write(&name, wrong, "lost".into()).await;
        let what = format!("a write that expects version {:?} where 2 is the newest", wrong.map(MetadataVersion::get));
        let error = refused(written, ErrorKind::Conflict, &what)?;
        ensure!(
            error.actual() == Some("2"),
            "{what} must be told the newest version, and was told {:?}",
            error.actual()
        );
    }
    let there = read(&*mine, &name).await?;
    ensure!(
        there.version == second && there.bytes == "two",
        "refused writes left version {} with {:?}",
        there.version.get(),
        there.bytes
    );
    Ok(())
}

/// Every racer reads, adds one, and writes, until its share is in. Nothing is lost, nothing counted twice.
async fn a_counter_adds_up(cx: Context) -> Result<(), Failure> {
    let (clients, each) = (cx.racers(cx.size().pick(6, 16, 16)), cx.size().pick(2, 4, 25));
    let name = MetadataName::new("counter")?;
    let first = cx.ready_server().await?;
    let mut servers = Vec::new();
    for _ in 0..clients {
        servers.push(cx.server().await?);
    }
    let racers = servers.into_iter().map(|server| {
        let name = name.clone();
        async move {
            for _ in 0..each {
                while !add_one(&*server, &name).await? {}
            }
            Ok(())
        }
    });
    race(racers).await?;
    let (sum, there) = (clients * each, read(&*first, &name).await?);
    ensure!(there.bytes == sum.to_string(), "{sum} were added, and the counter is at {:?}", there.bytes);
    ensure!(
        there.version.get() == sum as u64,
        "{sum} writes were acknowledged, and the newest version is {}",
        there.version.get()
    );
    Ok(())
}

/// Whether it was added; false if another was faster.
async fn add_one(server: &dyn Server, name: &MetadataName) -> Result<bool, Failure> {
    let now = server.metadata_read(name).await?;
    let text = now.as_ref().map_or(Ok("0"), |now| std::str::from_utf8(&now.bytes));
    let count: Option<u64> = text.ok().and_then(|text| text.parse().ok());
    let count = count.ok_or_else(|| Failure::new(format!("only counts were written, and {now:?} is read")))?;
    // Time for others to be faster.
    tokio::task::yield_now().await;
    match server.metadata_write(name, now.map(|now| now.version), (count + 1).to_string().into()).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn names_of_all_shapes(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let longest = ["a".repeat(64), format!("{}b", "a".repeat(63)), "9".repeat(64)];
    let shapes =
        ["a", "a-", "-a", "-", "--", "a-b", "0", "00", "0000000000000001", "data", "lock", "con", "nul", "xn--a"];
    let names: Vec<String> = shapes.into_iter().map(str::to_owned).chain(longest).collect();
    let names: Vec<String> = names.into_iter().step_by(cx.size().pick(3, 1, 1)).collect();
    for name in &names {
        mine.metadata_write(&MetadataName::new(name)?, None, name.clone().into()).await?;
    }
    for name in &names {
        let there = read(&*yours, &MetadataName::new(name)?).await?;
        ensure!(
            there.bytes == *name && there.version.get() == 1,
            "{name:?} is read as version {} with {:?}",
            there.version.get(),
            there.bytes
        );
    }
    Ok(())
}

async fn up_to_512_kib(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let (name, most) = (MetadataName::new("large")?, 512 << 10);
    let mut newest = None;
    for len in [0, 1, 4096, most - 1, most] {
        let bytes = noise(cx.seed(), len);
        newest = Some(mine.metadata_write(&name, newest, bytes.clone()).await?);
        let there = read(&*yours, &name).await?;
        ensure!(there.bytes == bytes, "{len} bytes were written, and {} bytes, or others, are read", there.bytes.len());
    }
    for len in [most + 1, 2 * most] {
        let written = mine.metadata_write(&name, newest, noise(cx.seed(), len)).await;
        refused(written, ErrorKind::Invalid, &format!("metadata of {len} bytes"))?;
    }
    let there = read(&*yours, &name).await?;
    ensure!(Some(there.version) == newest, "writes that were refused left version {}", there.version.get());
    Ok(())
}

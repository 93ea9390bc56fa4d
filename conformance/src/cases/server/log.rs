//! The log: dense, in order, each entry once.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::FutureExt as _;
use longshore_core::{Base, Change, Content, Entry, Revision, Sequence, Server, ServerExt as _, Written};

use super::history::{Writer, beginning, changes_of, put, whole_log};
use super::race::race;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::log::entries_come_as_written", Group::Server, Rule::Server(1), |cx| {
        entries_come_as_written(cx).boxed()
    }),
    Case::new("server::log::the_same_bytes_again_are_the_same_commit", Group::Server, Rule::Server(2), |cx| {
        the_same_bytes_again_are_the_same_commit(cx).boxed()
    }),
    Case::new("server::log::other_bytes_find_the_number_taken", Group::Server, Rule::Server(2), |cx| {
        other_bytes_find_the_number_taken(cx).boxed()
    }),
    Case::new("server::log::a_commit_in_one_call", Group::Server, Rule::Server(2), |cx| {
        a_commit_in_one_call(cx).boxed()
    }),
    Case::new("server::log::of_many_appenders_each_gets_in_once", Group::Server, Rule::Server(2), |cx| {
        of_many_appenders_each_gets_in_once(cx).boxed()
    }),
    Case::new("server::log::twelve_hundred_entries", Group::Server, Rule::Server(1), |cx| {
        twelve_hundred_entries(cx).boxed()
    }),
    Case::new("server::log::nothing_lies_past_the_head", Group::Server, Rule::Server(1), |cx| {
        nothing_lies_past_the_head(cx).boxed()
    }),
    Case::new("server::log::a_commit_is_seen_whole", Group::Server, Rule::Server(3), |cx| {
        a_commit_is_seen_whole(cx).boxed()
    }),
];

/// What every entry must say of itself, read by another client.
async fn entries_come_as_written(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut writer = Writer::new(mine, 7).await?;
    let mut written = Vec::new();
    for number in 1..=cx.size().pick(10, 40, 300_u64) {
        let lease = number.is_multiple_of(3).then(|| number.try_into()).transpose()?;
        writer.author.lease = lease;
        let changes = several(number)?;
        let (attempt, entry) = (writer.author.attempt, writer.prepare(changes.clone()).await?);
        ensure!(
            entry.sequence.get() == number,
            "the entry behind {} was prepared as {}",
            number - 1,
            entry.sequence.get()
        );
        let end = writer.write(&entry).await?;
        ensure!(end == Written::Committed, "entry {number}, alone, was answered with {end:?}");
        written.push((attempt, lease, entry.hash, changes));
    }
    let log = whole_log(&*yours).await?;
    ensure!(log.len() == written.len(), "{} entries were committed, and {} are read", written.len(), log.len());
    for (entry, (attempt, lease, hash, changes)) in log.iter().zip(&written) {
        let number = entry.sequence.get();
        ensure!(entry.hash == *hash, "entry {number} has another hash than when it was prepared");
        ensure!(entry.client == writer.author.client, "entry {number} names {:?} as its writer", entry.client);
        ensure!(
            (&entry.attempt, &entry.lease) == (attempt, lease),
            "entry {number} has another attempt or lease: {entry:?}"
        );
        let there = changes_of(&*yours, entry).await?;
        ensure!(there == *changes, "entry {number} was committed with {changes:?}, and is read with {there:?}");
    }
    Ok(())
}

/// A new document, an edit with a revision and a base, and a deletion.
fn several(number: u64) -> Result<Vec<Change>, Failure> {
    let mut edit = put(format!("edited-{number}"), format!("body {number}"))?;
    edit.revision = Some(Revision::new(format!("{number}-é\n"))?);
    edit.base = Some(Base { sequence: number.try_into()?, revision: Some(Revision::new("")?) });
    let gone = Change::delete(format!("gone-{number}").try_into()?);
    Ok(vec![put(format!("new-{number}"), format!("body of {number}"))?, edit, gone])
}

/// Sent again, at once, by another client, after others committed: it is the entry that is there already.
async fn the_same_bytes_again_are_the_same_commit(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut writer = Writer::new(mine.clone(), 1).await?;
    let entry = writer.prepare(vec![put("doc", "once")?]).await?;
    for (time, server) in [(1, &mine), (2, &mine), (3, &yours)] {
        let end = server.changes_write(&entry).await?.value;
        ensure!(end == Written::Committed, "the same entry, sent for time {time}, was answered with {end:?}");
    }
    writer.read_on().await?;
    writer.append(vec![put("doc", "later")?]).await?;
    let end = yours.changes_write(&entry).await?.value;
    ensure!(end == Written::Committed, "the same entry, sent again after a later one, was answered with {end:?}");
    let log = whole_log(&*yours).await?;
    ensure!(log.len() == 2, "2 entries were committed, one of them sent 4 times, and {} are read", log.len());
    ensure!(log[0].hash == entry.hash, "the entry that was sent again has other bytes now");
    Ok(())
}

async fn other_bytes_find_the_number_taken(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let (mut first, mut second) = (Writer::new(mine, 1).await?, Writer::new(yours, 2).await?);
    let won = first.prepare(vec![put("doc", "first")?]).await?;
    let lost = second.prepare(vec![put("doc", "second, and longer")?]).await?;
    ensure!(first.write(&won).await? == Written::Committed, "a free number was not given");
    for _ in 0..2 {
        let end = second.write(&lost).await?;
        ensure!(end == Written::Taken, "other bytes at a taken number were answered with {end:?}");
    }
    let log = whole_log(&*second.server).await?;
    ensure!(log.len() == 1 && log[0].hash == won.hash, "the entry that won is not the one that is read: {log:?}");
    // The loser reads on, and commits behind the winner.
    second.read_on().await?;
    let number = second.append(vec![put("doc", "second")?]).await?;
    ensure!(number.get() == 2, "after entry 1 came entry {}", number.get());
    ensure!(whole_log(&*first.server).await?.len() == 2, "the second entry is not read");
    Ok(())
}

/// `ServerExt::commit`: the specification's `ChangesWrite`.
async fn a_commit_in_one_call(cx: Context) -> Result<(), Failure> {
    let server = cx.ready_server().await?;
    let (author, start) = (Writer::new(server.clone(), 1).await?.author, beginning(&*server).await?);
    let end = server.commit(&start, &author, vec![put("doc", "1")?]).await?.value;
    ensure!(end == Written::Committed, "a commit at the head was answered with {end:?}");
    let end = server.commit(&start, &author, vec![put("doc", "2")?]).await?.value;
    ensure!(end == Written::Taken, "a commit behind the head was answered with {end:?}");
    let log = whole_log(&*server).await?;
    ensure!(log.len() == 1, "one of two commits at one number got in, and {} entries are read", log.len());
    Ok(())
}

/// Each reads on, prepares and writes until its entries are in.
async fn of_many_appenders_each_gets_in_once(cx: Context) -> Result<(), Failure> {
    let (clients, each) = (cx.racers(cx.size().pick(8, 32, 32)), cx.size().pick(2, 3, 20));
    let first = cx.ready_server().await?;
    let mut writers = Vec::new();
    for client in 0..clients {
        writers.push(Writer::new(cx.server().await?, u8::try_from(client).unwrap_or(u8::MAX)).await?);
    }
    let racers = writers.into_iter().enumerate().map(|(client, mut writer)| async move {
        let mut numbers = Vec::new();
        for at in 0..each {
            numbers.push(writer.append(vec![put(format!("{client}/{at}"), format!("by {client}"))?]).await?);
        }
        Ok(numbers)
    });
    let numbers = race(racers).await?;
    let log = whole_log(&*first).await?;
    ensure!(log.len() == clients * each, "{} entries were acknowledged, and {} are read", clients * each, log.len());
    for (client, numbers) in numbers.iter().enumerate() {
        for (at, number) in numbers.iter().enumerate() {
            let entry = usize::try_from(number.get() - 1).ok().and_then(|index| log.get(index));
            is_of(entry, &format!("{client}/{at}"), *number)?;
        }
    }
    let distinct: BTreeSet<Sequence> = numbers.into_iter().flatten().collect();
    ensure!(distinct.len() == log.len(), "one number was acknowledged to two clients");
    Ok(())
}

fn is_of(entry: Option<&Entry>, id: &str, number: Sequence) -> Result<(), Failure> {
    let there = match entry.map(|entry| &entry.content) {
        Some(Content::Changes(changes)) => changes.first().map(|change| change.id.as_str()),
        _ => None,
    };
    ensure!(there == Some(id), "{id:?} was acknowledged as entry {}, and {there:?} is there", number.get());
    Ok(())
}

/// More than several folders of the log hold.
async fn twelve_hundred_entries(cx: Context) -> Result<(), Failure> {
    let count = cx.size().pick(260, 1200, 1200_usize);
    let server = cx.ready_server().await?;
    let mut writer = Writer::new(server, 1).await?;
    for number in 1..=count {
        writer.append(vec![put("counter", number.to_string())?]).await?;
    }
    let reader = cx.server().await?;
    let log = whole_log(&*reader).await?;
    ensure!(log.len() == count, "{count} entries were committed, and {} are read", log.len());
    for (at, entry) in log.iter().enumerate() {
        let changes = changes_of(&*reader, entry).await?;
        let expected = (at + 1).to_string();
        ensure!(changes == [put("counter", expected)?], "entry {} holds {changes:?}", at + 1);
    }
    let newest = reader.get(&"counter".try_into()?).await?.map(|document| document.body);
    ensure!(
        newest.as_deref() == Some(count.to_string().as_bytes()),
        "`get` finds {newest:?}, and {count} was written last"
    );
    Ok(())
}

async fn nothing_lies_past_the_head(cx: Context) -> Result<(), Failure> {
    let server = cx.ready_server().await?;
    let mut writer = Writer::new(server.clone(), 1).await?;
    for from in [1, 2, 1_000_000, 9_999_999_999_999_000] {
        are_missing(&server, from, 3).await?;
    }
    for body in ["1", "2", "3"] {
        writer.append(vec![put("doc", body)?]).await?;
    }
    for from in [4, 5, 256, 257, 1_000_000, 9_999_999_999_999_000] {
        are_missing(&server, from, 3).await?;
    }
    let window = server.changes_read(2.try_into()?, 5).await?;
    let there: Vec<Option<u64>> =
        window.iter().map(|reply| reply.value.as_ref().map(|entry| entry.sequence.get())).collect();
    ensure!(there == [Some(2), Some(3), None, None, None], "of the numbers 2 to 6 in a log of 3 are read {there:?}");
    let none = server.changes_read(Sequence::FIRST, 0).await?;
    ensure!(none.is_empty(), "no number was asked for, and {} replies came", none.len());
    Ok(())
}

async fn are_missing(server: &Arc<dyn Server>, from: u64, count: usize) -> Result<(), Failure> {
    let replies = server.changes_read(from.try_into()?, count).await?;
    ensure!(
        replies.len() == count,
        "{count} numbers from {from} on were asked for, and {} replies came",
        replies.len()
    );
    ensure!(
        replies.iter().all(|reply| reply.value.is_none()),
        "entries are read from {from} on, past the head: {replies:?}"
    );
    Ok(())
}

/// A reader that looks all the time meets all changes of an entry, or none.
async fn a_commit_is_seen_whole(cx: Context) -> Result<(), Failure> {
    const CHANGES: usize = 200;
    let entries = cx.size().pick(3, 20, 200_u64);
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut writer = Writer::new(mine, 1).await?;
    let writing = tokio::spawn(async move {
        for entry in 0..entries {
            let changes = (0..CHANGES).map(|at| put(format!("{at}"), format!("{entry} of {at}")));
            writer.append(changes.collect::<Result<_, _>>()?).await?;
        }
        Ok::<_, Failure>(())
    });
    let mut next = Sequence::FIRST;
    while next.get() <= entries {
        for reply in yours.changes_read(next, 2).await? {
            let Some(entry) = reply.value.filter(|entry| entry.sequence == next) else { continue };
            let seen = changes_of(&*yours, &entry).await?.len();
            ensure!(seen == CHANGES, "entry {} has {CHANGES} changes, and {seen} of them are seen", next.get());
            next = next.next()?;
        }
        if writing.is_finished() && yours.changes_read(next, 1).await?.iter().all(|reply| reply.value.is_none()) {
            break;
        }
        tokio::task::yield_now().await;
    }
    writing.await.map_err(|error| Failure::new(format!("the writer ended early: {error}")))??;
    ensure!(next.get() == entries + 1, "{entries} entries were committed, and the reader saw {}", next.get() - 1);
    Ok(())
}

//! A push is one commit: readers see all of it or nothing.

use std::collections::BTreeSet;

use futures::future::FutureExt as _;
use longshore_core::{Change, Document};

use super::device::{Device, Fleet};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::commits::a_reader_sees_all_of_a_bulk_or_nothing", Group::Sync, Rule::Invariant(6), |cx| {
        a_reader_sees_all_of_a_bulk_or_nothing(cx).boxed()
    }),
    Case::new("sync::commits::nothing_new_is_nothing_done", Group::Sync, Rule::Invariant(3), |cx| {
        nothing_new_is_nothing_done(cx).boxed()
    }),
];

const BULK: usize = 300;

fn bulk(round: usize, len: usize) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for at in 0..BULK {
        let mut body = format!("round {round};").into_bytes();
        body.extend_from_slice(&noise((round * BULK + at) as u64, len));
        changes.push(Change::put(Document::new(format!("bulk {at}"), body)?));
    }
    Ok(changes)
}

/// The rounds of which this device sees documents.
fn rounds(device: &Device) -> BTreeSet<Vec<u8>> {
    let documents = device.replica.documents().into_values();
    documents.map(|document| document.body.split(|byte| *byte == b';').next().unwrap_or_default().to_vec()).collect()
}

/// In the entry itself, and in segments.
async fn a_reader_sees_all_of_a_bulk_or_nothing(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (writer, reader, last) = (fleet.device().await?, fleet.device().await?, fleet.device().await?);
    let count = cx.size().pick(2, 6, 30);
    let writing = tokio::spawn(async move {
        for round in 0..count {
            writer.write(bulk(round, if round % 2 == 0 { 20 } else { 3000 })?).await?;
            writer.sync().await?;
        }
        Ok::<_, Failure>(writer)
    });
    loop {
        let done = writing.is_finished();
        reader.sync().await?;
        let (documents, rounds) = (reader.replica.len().await?, rounds(&reader));
        ensure!(
            documents == 0 || documents == BULK as u64,
            "of a commit of {BULK} documents the reader sees {documents}"
        );
        ensure!(
            rounds.len() <= 1,
            "the reader sees documents of {} commits, each of which wrote all of them",
            rounds.len()
        );
        if done {
            break;
        }
        tokio::task::yield_now().await;
    }
    let writer = writing.await.map_err(|error| Failure::new(format!("the writer ended early: {error}")))??;
    last.sync().await?;
    sound(&fleet, &[&writer, &reader, &last]).await
}

/// A sync without news commits nothing and asks little.
async fn nothing_new_is_nothing_done(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (first, second) = (fleet.device().await?, fleet.device().await?);
    first.put("doc", "once").await?;
    let report = first.sync().await?;
    ensure!(report.initialized && report.pushed == 1, "the first sync of all gave {report:?}");
    let report = second.sync().await?;
    ensure!(!report.initialized && report.pulled == 1, "the first sync of a second device gave {report:?}");
    for device in [&first, &second, &first] {
        let report = device.sync().await?;
        let counts = (report.pulled, report.pushed, report.conflicts, report.races_lost, report.bytes_up);
        ensure!(counts == (0, 0, 0, 0, 0), "nothing is new, and a sync gave {report:?}");
        ensure!(report.checkpoint.is_some_and(|at| at.get() == 1), "one entry was committed: {report:?}");
    }
    sound(&fleet, &[&first, &second]).await
}

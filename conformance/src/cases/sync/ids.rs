//! Ids of every shape arrive as they were written.

use futures::future::FutureExt as _;
use longshore_core::{Change, Document};

use super::device::Fleet;
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::cases::server::hostile_ids;
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] =
    &[Case::new("sync::ids::of_all_shapes_arrive", Group::Sync, Rule::Invariant(5), |cx| {
        of_all_shapes_arrive(cx).boxed()
    })];

async fn of_all_shapes_arrive(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (first, second) = (fleet.device().await?, fleet.device().await?);
    let ids = hostile_ids();
    let write =
        |body: &'static str| ids.iter().map(move |id| Ok(Change::put(Document::new(id, format!("{body} of {id}"))?)));
    first.write(write("body").collect::<Result<_, Failure>>()?).await?;
    first.sync().await?;
    let report = second.sync().await?;
    ensure!(report.pulled == ids.len() as u64, "{} documents were pushed: {report:?}", ids.len());
    for id in &ids {
        let there = second.get(id).await?;
        ensure!(there == Some(format!("body of {id}")), "{id:?} arrived as {there:?}");
    }
    // Back, changed; and every other one deleted.
    second.write(write("edit").collect::<Result<_, Failure>>()?).await?;
    for id in ids.iter().step_by(2) {
        second.delete(id).await?;
    }
    second.sync().await?;
    first.sync().await?;
    sound(&fleet, &[&first, &second]).await?;
    let left = first.replica.len().await?;
    ensure!(left == ids.len() as u64 / 2, "of {} documents every other was deleted, and {left} are left", ids.len());
    Ok(())
}

//! What a server object counts.

use futures::future::FutureExt as _;
use longshore_core::{LockRequest, MetadataName, Server, Traffic};

use super::history::{Writer, put, whole_log};
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::dice::noise;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] =
    &[Case::new("server::traffic::counters_only_grow", Group::Server, Rule::Storage(8), |cx| {
        counters_only_grow(cx).boxed()
    })];

/// Reports subtract what was counted before: a counter that shrinks breaks them.
async fn counters_only_grow(cx: Context) -> Result<(), Failure> {
    const BYTES: usize = 700 << 10;
    let server = cx.ready_server().await?;
    let mut last = server.traffic();
    let mut writer = Writer::new(server.clone(), 1).await?;
    for round in 0..5_u64 {
        writer.append(vec![put("doc", noise(round, BYTES))?]).await?;
        last = grown(&*server, last, "a commit")?;
        whole_log(&*server).await?;
        last = grown(&*server, last, "reading")?;
        drop(server.lock(&LockRequest::new("count")).await?);
        last = grown(&*server, last, "asking for the lease")?;
        drop(server.metadata_read(&MetadataName::new("none")?).await?);
        last = grown(&*server, last, "reading metadata")?;
    }
    ensure!(last.requests > 0, "five commits were made, and no request was counted");
    ensure!(last.bytes_up >= 5 * BYTES as u64, "{} bytes were committed, and {} are counted", 5 * BYTES, last.bytes_up);
    let fresh = cx.server().await?.traffic();
    ensure!(fresh == Traffic::default(), "a new client has done nothing, and counts {fresh:?}");
    Ok(())
}

fn grown(server: &dyn Server, last: Traffic, what: &str) -> Result<Traffic, Failure> {
    let now = server.traffic();
    let shrank = now.requests < last.requests || now.bytes_up < last.bytes_up || now.bytes_down < last.bytes_down;
    ensure!(!shrank, "after {what}, {now:?} is less than {last:?}");
    Ok(now)
}

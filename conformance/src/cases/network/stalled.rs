//! A server that says nothing more.

use std::time::Duration;

use futures::future::join_all;
use longshore_core::{ErrorKind, Outcome};

use super::deed::Deed;
use super::wire::Wire;
use crate::context::Context;
use crate::proxy::Cut;
use crate::verdict::{Failure, ensure};

/// Many times the idle timeout that the harness's opener is asked for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The request arrived, and no answer comes, or only its beginning; the connection stays open. The client's own idle timeout ends
/// each call, and nobody knows what became of it.
pub(super) async fn stalled(cx: Context) -> Result<(), Failure> {
    let mut waits = Vec::new();
    for deed in Deed::ALL {
        for cut in [Cut::Stall, Cut::StallAfter(9)] {
            let mut wire = Wire::new(&cx.fresh()).await?;
            waits.push(async move {
                let told = |failure: Failure| failure.within(format!("{deed}, {cut:?}"));
                let requests = wire.lengths(deed).await.map_err(told)?.len();
                one(wire, deed, requests, &cut).await.map_err(told)
            });
        }
    }
    join_all(waits).await.into_iter().collect()
}

async fn one(mut wire: Wire, deed: Deed, requests: usize, cut: &Cut) -> Result<(), Failure> {
    let waited = tokio::time::timeout(PATIENCE, wire.disturbed(deed, requests - 1, cut)).await;
    let why = "the harness's opener for this group gives its clients an idle timeout of at most 3 s";
    let waited = waited.map_err(|_| Failure::new(format!("no answer, and no end within {PATIENCE:?}; {why}")))?;
    let Err(error) = waited? else {
        // A read that is sent again may succeed. A write of several requests may find out what became of it.
        let knows = matches!(deed, Deed::Get | Deed::List) || requests > 1;
        ensure!(knows, "it succeeded, and nobody answered");
        return Ok(());
    };
    ensure!(error.kind() == ErrorKind::Unavailable, "it failed as if the server had answered: {error}");
    let told = error.outcome() == Outcome::Unknown || matches!(deed, Deed::Get | Deed::List);
    ensure!(told, "it is said not to have been applied, and the server had the request: {error}");
    wire.end().await
}

//! A sync over a line that breaks once, at each of its requests in turn.

use longshore_core::ErrorKind;

use super::wire::proxy;
use crate::cases::sync::{Device, Fleet, sound};
use crate::context::Context;
use crate::dice::Dice;
use crate::proxy::{Cut, Proxy};
use crate::verdict::{Failure, ensure};

/// Bytes of a request of which a server can make nothing yet.
const BEGINNING: u64 = 30;

/// Two devices have edited the same and different documents. One syncs, and one of its requests breaks off, or the answer to it;
/// afterwards all agree, and what any of them acknowledged to its app is there.
pub(super) async fn sync_through_cuts(cx: Context) -> Result<(), Failure> {
    let requests = story(&cx, None).await?;
    let cuts = [Cut::ResponseAfter(0), Cut::ResetAfter(20), Cut::HalfCloseAfter(5), Cut::RequestAfter(1)];
    let others: Vec<(usize, &Cut)> = (0..requests).flat_map(|at| cuts.iter().map(move |cut| (at, cut))).collect();
    // Each request is lost once, in every run: what was not done must not count as done.
    let mut chosen: Vec<(usize, &Cut)> = (0..requests).map(|at| (at, &Cut::RequestAfter(BEGINNING))).collect();
    let mut dice = Dice::for_purpose(cx.seed(), "sessions");
    chosen.extend(dice.sample(&others, cx.size().pick(4, 40, usize::MAX)));
    for (at, cut) in chosen {
        let told = |failure: Failure| failure.within(format!("request {} of a sync: {cut:?}", at + 1));
        story(&cx.fresh(), Some((at, cut))).await.map_err(told)?;
    }
    Ok(())
}

/// How many requests the sync needed whose line breaks.
async fn story(cx: &Context, broken: Option<(usize, &Cut)>) -> Result<usize, Failure> {
    let (proxy, fleet) = (proxy(cx).await?, Fleet::new(cx));
    let (first, second) = (fleet.via(proxy.address()).device().await?, fleet.device().await?);
    for (device, name) in [(&first, "first"), (&second, "second")] {
        device.put("of both", format!("base-of-{name}")).await?;
        device.put(&format!("of {name}"), "old").await?;
        device.sync().await?;
    }
    first.sync().await?;
    for (device, name) in [(&second, "second"), (&first, "first")] {
        device.put("of both", format!("edit-of-{name}")).await?;
        device.put(&format!("of {name}"), format!("new-of-{name}")).await?;
        device.put(&format!("more of {name}"), "more").await?;
    }
    second.sync().await?;
    let requests = through(&first, &proxy, broken).await?;
    // The line is sound again. Merges of merges need a few rounds.
    for device in [&second, &first, &second, &first] {
        device.sync().await?;
    }
    sound(&fleet, &[&first, &second]).await?;
    Ok(requests)
}

async fn through(device: &Device, proxy: &Proxy, broken: Option<(usize, &Cut)>) -> Result<usize, Failure> {
    let before = proxy.requests();
    if let Some((at, cut)) = broken {
        (0..at).for_each(|_| proxy.plan(Cut::None));
        proxy.plan(cut.clone());
    }
    let synced = device.try_sync().await;
    proxy.clear();
    if let Err(error) = synced {
        let bearable = broken.is_some() && error.kind() == ErrorKind::Unavailable;
        ensure!(bearable, "a line that breaks once makes the sync fail: {error}");
    }
    Ok(proxy.requests() - before)
}

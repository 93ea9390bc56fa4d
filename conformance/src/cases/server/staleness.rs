//! Leases that run out: taken over after their whole time, never before, and by no wall clock.

use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{DomainName, ErrorKind, LockRequest, Locked, Runtime as _, Server, Sighting, Ticks, TokioRuntime};

use super::expect::{granted, held};
use super::lease::fenced;
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::lease::taken_over_after_its_whole_time_only", Group::Server, Rule::Server(4), |cx| {
        taken_over_after_its_whole_time_only(cx).boxed()
    })
    .needs(&[Need::Waits]),
    Case::new("server::lease::a_renewal_starts_the_wait_anew", Group::Server, Rule::Server(4), |cx| {
        a_renewal_starts_the_wait_anew(cx).boxed()
    })
    .needs(&[Need::Waits]),
    Case::new("server::lease::a_renewal_sent_again_lasts_no_longer", Group::Server, Rule::Invariant(7), |cx| {
        a_renewal_sent_again_lasts_no_longer(cx).boxed()
    })
    .needs(&[Need::Waits]),
    Case::new("server::lease::a_holder_that_slept_is_fenced", Group::Server, Rule::Invariant(7), |cx| {
        a_holder_that_slept_is_fenced(cx).boxed()
    })
    .needs(&[Need::Waits]),
    Case::new("server::lease::wrong_wall_clocks_change_nothing", Group::Server, Rule::Invariant(7), |cx| {
        wrong_wall_clocks_change_nothing(cx).boxed()
    })
    .needs(&[Need::Waits]),
    Case::new("server::lease::a_dead_holder_blocks_for_one_time_to_live", Group::Server, Rule::Invariant(9), |cx| {
        a_dead_holder_blocks_for_one_time_to_live(cx).boxed()
    })
    .needs(&[Need::Waits]),
    Case::new("server::lease::a_watcher_that_restarts_waits_no_longer", Group::Server, Rule::Invariant(9), |cx| {
        a_watcher_that_restarts_waits_no_longer(cx).boxed()
    })
    .needs(&[Need::Waits]),
];

const DAY: i64 = 24 * 3600 * 1000;

/// Now, as the server of this case counts.
pub(super) fn now(cx: &Context) -> Ticks {
    if cx.harness.real_time { TokioRuntime.now() } else { Ticks::from_millis(cx.clock().millis()) }
}

/// Lets time pass; in earnest where the server has a clock of its own.
async fn pass(cx: &Context, time: Duration) {
    cx.clock().advance(time);
    if cx.harness.real_time {
        TokioRuntime.sleep(time).await;
    }
}

/// For how long leases are taken, and how near to the edge of that a check may come.
fn ttl(cx: &Context) -> (Duration, Duration) {
    let (virtually, really) = ((30_000, 1), (3_000, 700));
    let (ttl, edge) = if cx.harness.real_time { really } else { virtually };
    (Duration::from_millis(ttl), Duration::from_millis(edge))
}

async fn hold(server: &dyn Server, ttl: Duration) -> Result<longshore_core::Lease, Failure> {
    granted(server.lock(&LockRequest::new("holder").with_ttl(ttl)).await?, "the first to ask")
}

fn watch(seen: &Sighting) -> LockRequest {
    LockRequest::new("watcher").with_sighting(Some(seen.clone()))
}

/// Counted from the watcher's first look, however old the record is then.
async fn taken_over_after_its_whole_time_only(cx: Context) -> Result<(), Failure> {
    let (ttl, edge) = ttl(&cx);
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let first = hold(&*mine, ttl).await?;
    pass(&cx, ttl * 2).await;
    let seen = held(yours.lock(&LockRequest::new("watcher")).await?, "who never looked before")?;
    ensure!(
        seen.remaining <= ttl && seen.remaining + edge > ttl,
        "at its first look a watcher has {ttl:?} to wait, and is told {:?}",
        seen.remaining
    );
    pass(&cx, ttl.saturating_sub(edge)).await;
    held(yours.lock(&watch(&seen.sighting)).await?, "a watcher just before the time is up")?;
    held(yours.lock(&LockRequest::new("newcomer")).await?, "another, who looks for the first time,")?;
    pass(&cx, edge).await;
    held(yours.lock(&LockRequest::new("newcomer")).await?, "one who keeps no first look")?;
    let second = granted(yours.lock(&watch(&seen.sighting)).await?, "a watcher after the whole time")?;
    ensure!(second.token > first.token, "token {} was taken over as {}", first.token.get(), second.token.get());
    ensure!(first.expired(now(&cx)), "the lease that was taken over still counts for its holder");
    held(mine.lock(&watch(&seen.sighting)).await?, "who saw the record before the last")?;
    Ok(())
}

async fn a_renewal_starts_the_wait_anew(cx: Context) -> Result<(), Failure> {
    let (ttl, _) = ttl(&cx);
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let mut lease = hold(&*mine, ttl).await?;
    let first_look = held(yours.lock(&LockRequest::new("watcher")).await?, "who looks first")?.sighting;
    let mut seen = first_look.clone();
    for _ in 0..cx.size().pick(3, 10, 10) {
        pass(&cx, ttl / 2).await;
        lease = mine.renew(&lease).await?;
        seen = held(yours.lock(&watch(&seen)).await?, "a watcher of a holder that renews")?.sighting;
        ensure!(
            seen.token == lease.token,
            "token {} holds it, and the watcher sees {}",
            lease.token.get(),
            seen.token.get()
        );
        held(yours.lock(&watch(&first_look)).await?, "a watcher with its very first look")?;
    }
    pass(&cx, ttl).await;
    granted(yours.lock(&watch(&seen)).await?, "a watcher, a whole time after the last renewal,").map(drop)
}

/// Its first reply was lost, say. Others have seen its record since then, and take it over when that one's time is up.
async fn a_renewal_sent_again_lasts_no_longer(cx: Context) -> Result<(), Failure> {
    let (ttl, edge) = ttl(&cx);
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let first = hold(&*mine, ttl).await?;
    mine.renew(&first).await?;
    let seen = held(yours.lock(&LockRequest::new("watcher")).await?, "who looks first")?.sighting;
    pass(&cx, ttl.saturating_sub(edge)).await;
    let again = match mine.renew(&first).await {
        Ok(again) => Some(again),
        Err(error) if error.kind() == ErrorKind::Fenced => None,
        Err(error) => return Err(error.into()),
    };
    pass(&cx, edge).await;
    let Locked::Granted(second) = yours.lock(&watch(&seen)).await? else { return Ok(()) };
    let overlap = again.filter(|again| !again.expired(now(&cx)));
    ensure!(overlap.is_none(), "a renewal that was sent twice gave {overlap:?}, which counts while {second:?} does");
    Ok(())
}

async fn a_holder_that_slept_is_fenced(cx: Context) -> Result<(), Failure> {
    let (ttl, _) = ttl(&cx);
    let (mine, yours, third) = (cx.ready_server().await?, cx.server().await?, cx.server().await?);
    let first = hold(&*mine, ttl).await?;
    let seen = held(yours.lock(&LockRequest::new("watcher")).await?, "who looks first")?.sighting;
    pass(&cx, ttl).await;
    // Nobody has taken it over yet: its time is up all the same.
    super::expect::refused(mine.renew(&first).await, ErrorKind::Fenced, "renewing after its time")?;
    let second = granted(yours.lock(&watch(&seen).with_ttl(ttl)).await?, "a watcher after the whole time")?;
    fenced(&*mine, &first, "the holder that slept").await?;
    let looked = held(third.lock(&LockRequest::new("third")).await?, "who asks after the sleeper gave it back")?;
    ensure!(
        looked.sighting.token == second.token,
        "the sleeper's late calls left token {}",
        looked.sighting.token.get()
    );
    let renewed = yours.renew(&second).await?;
    ensure!(renewed.token > second.token, "token {} was renewed as {}", second.token.get(), renewed.token.get());
    // And a day later, when its next number may be anybody's.
    if !cx.harness.real_time {
        cx.clock().advance(Duration::from_secs(24 * 3600));
        fenced(&*mine, &first, "the holder that slept for a day").await?;
    }
    Ok(())
}

/// Neither sooner nor later, whoever's clock is wrong.
async fn wrong_wall_clocks_change_nothing(cx: Context) -> Result<(), Failure> {
    for (holder, watcher) in [(0, DAY), (0, -DAY), (DAY, 0), (-DAY, DAY)].into_iter().take(cx.size().pick(2, 4, 4)) {
        let place = cx.fresh();
        let (ttl, edge) = ttl(&place);
        let domain = DomainName::default();
        place.ready_server().await?;
        let mine = place.server_as(place.clock().runtime_off_by(holder), &domain).await?;
        let yours = place.server_as(place.clock().runtime_off_by(watcher), &domain).await?;
        let what = format!("a watcher whose wall clock is off by {watcher} ms, the holder's by {holder} ms,");
        hold(&*mine, ttl).await?;
        let seen = held(yours.lock(&LockRequest::new("watcher")).await?, &what)?;
        pass(&place, ttl.saturating_sub(edge)).await;
        held(yours.lock(&watch(&seen.sighting)).await?, &format!("{what} before the time is up"))?;
        pass(&place, edge).await;
        granted(yours.lock(&watch(&seen.sighting)).await?, &format!("{what} after the whole time"))?;
    }
    Ok(())
}

/// Waits as a client does that looks every second; says for how long.
async fn wait(cx: &Context, restarts: bool) -> Result<Duration, Failure> {
    let (start, mut seen, mut server) = (now(cx), None, cx.server().await?);
    for _ in 0..1000 {
        let request = LockRequest::new("waits").with_sighting(seen.take());
        let held = match server.lock(&request).await? {
            Locked::Granted(_) => return Ok(now(cx).since(start)),
            Locked::Held(held) => held,
        };
        seen = Some(held.sighting);
        pass(cx, held.remaining.min(Duration::from_secs(1))).await;
        if restarts {
            server = cx.server().await?;
        }
    }
    Err(Failure::new("a dead holder's lease was asked for 1,000 times, and is never free"))
}

fn once(waited: Duration, (ttl, edge): (Duration, Duration)) -> Result<(), Failure> {
    ensure!(waited + edge > ttl && waited <= ttl + edge, "behind a dead holder of {ttl:?} a client waits {waited:?}");
    Ok(())
}

async fn a_dead_holder_blocks_for_one_time_to_live(cx: Context) -> Result<(), Failure> {
    hold(&*cx.ready_server().await?, ttl(&cx).0).await?;
    once(wait(&cx, false).await?, ttl(&cx))
}

/// A command that is started anew each second keeps its first look in between.
async fn a_watcher_that_restarts_waits_no_longer(cx: Context) -> Result<(), Failure> {
    hold(&*cx.ready_server().await?, ttl(&cx).0).await?;
    once(wait(&cx, true).await?, ttl(&cx))
}

//! The lease in quiet times: granted, renewed, released, taken by force.

use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{ErrorKind, FencingToken, Lease, LockRequest, Server, Sighting};

use super::expect::{granted, held, refused};
use super::history::{Writer, put, whole_log};
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::lease::granted_renewed_and_released", Group::Server, Rule::Server(4), |cx| {
        granted_renewed_and_released(cx).boxed()
    }),
    Case::new("server::lease::tokens_grow_over_fifty_grants", Group::Server, Rule::Server(4), |cx| {
        tokens_grow_over_fifty_grants(cx).boxed()
    }),
    Case::new("server::lease::by_force_the_holder_is_fenced", Group::Server, Rule::Server(4), |cx| {
        by_force_the_holder_is_fenced(cx).boxed()
    }),
    Case::new("server::lease::a_restarted_holder_resumes_nothing", Group::Server, Rule::Server(4), |cx| {
        a_restarted_holder_resumes_nothing(cx).boxed()
    }),
    Case::new("server::lease::a_sighting_of_something_else_steals_nothing", Group::Server, Rule::Server(4), |cx| {
        a_sighting_of_something_else_steals_nothing(cx).boxed()
    }),
    Case::new("server::lease::wrong_calls_are_refused", Group::Server, Rule::Server(4), |cx| {
        wrong_calls_are_refused(cx).boxed()
    }),
    Case::new("server::lease::it_holds_no_commit_back", Group::Server, Rule::Server(4), |cx| {
        it_holds_no_commit_back(cx).boxed()
    }),
];

const TTL: Duration = Duration::from_secs(30);

async fn granted_renewed_and_released(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let first = granted(mine.lock(&LockRequest::new("compaction").with_ttl(TTL)).await?, "the first to ask")?;
    ensure!(first.ttl == TTL && first.purpose == "compaction", "{TTL:?} for compaction were asked for: {first:?}");
    let waiting = held(yours.lock(&LockRequest::new("mine")).await?, "who asks while it is held")?;
    ensure!(
        waiting.purpose == "compaction" && waiting.ttl == TTL,
        "the one who waits is told of another holder: {waiting:?}"
    );
    ensure!(
        waiting.sighting.token == first.token,
        "it sees token {}, and {} holds it",
        waiting.sighting.token,
        first.token
    );

    let second = mine.renew(&first).await?;
    ensure!(second.token > first.token, "token {} was renewed as {}", first.token.get(), second.token.get());
    ensure!(second.until >= first.until, "renewed, it ends at {:?} instead of {:?}", second.until, first.until);
    ensure!(
        (second.nonce, &second.purpose) == (first.nonce, &first.purpose),
        "renewed, it is another grant: {second:?}"
    );
    let waiting = held(yours.lock(&LockRequest::new("mine")).await?, "who asks after the renewal")?;
    ensure!(
        waiting.sighting.token == second.token,
        "renewed as {}, it is seen as {}",
        second.token,
        waiting.sighting.token
    );
    mine.unlock(&second).await?;
    // At once: the one who waited has not waited at all.
    let request = LockRequest::new("mine").with_sighting(Some(waiting.sighting));
    let third = granted(yours.lock(&request).await?, "the one who waited, after the release,")?;
    ensure!(third.token > second.token, "after token {} came {}", second.token.get(), third.token.get());
    ensure!(third.nonce != second.nonce, "two grants have one identity");
    held(mine.lock(&LockRequest::new("again")).await?, "who gave it back and asks again")?;
    // A second release may say that it is done, or that there is nothing to release.
    if let Err(error) = mine.unlock(&second).await {
        ensure!(error.kind() == ErrorKind::Fenced, "a second release was refused so: {error}");
    }
    held(mine.lock(&LockRequest::new("again")).await?, "who released what it no longer had")?;
    yours.unlock(&third).await?;
    granted(mine.lock(&LockRequest::new("again")).await?, "who asks after all released it").map(drop)
}

async fn tokens_grow_over_fifty_grants(cx: Context) -> Result<(), Failure> {
    let servers = [cx.ready_server().await?, cx.server().await?, cx.server().await?];
    let mut last: Option<FencingToken> = None;
    for (round, server) in (0..cx.size().pick(7, 50, 300_u64)).zip(servers.iter().cycle()) {
        let mut lease = granted(server.lock(&LockRequest::new("round")).await?, "who asks when it is free")?;
        grows(&mut last, &lease)?;
        if round.is_multiple_of(3) {
            lease = server.renew(&lease).await?;
            grows(&mut last, &lease)?;
        }
        if round.is_multiple_of(5) {
            let forced = LockRequest::new("by force").with_force();
            lease = granted(servers[0].lock(&forced).await?, "who takes it by force")?;
            grows(&mut last, &lease)?;
        }
        let by = if round.is_multiple_of(5) { &servers[0] } else { server };
        by.unlock(&lease).await?;
    }
    Ok(())
}

fn grows(last: &mut Option<FencingToken>, lease: &Lease) -> Result<(), Failure> {
    let before = last.replace(lease.token);
    let number = before.map_or(0, FencingToken::get);
    ensure!(before < Some(lease.token), "after token {number} came {}", lease.token.get());
    Ok(())
}

async fn by_force_the_holder_is_fenced(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let robbed = granted(mine.lock(&LockRequest::new("gone for good")).await?, "the first to ask")?;
    let thief = granted(yours.lock(&LockRequest::new("by force").with_force()).await?, "who takes it by force")?;
    ensure!(thief.token > robbed.token, "token {} was robbed by {}", robbed.token.get(), thief.token.get());
    fenced(&*mine, &robbed, "the holder that was robbed").await?;
    held(cx.server().await?.lock(&LockRequest::new("third")).await?, "who asks after the robbed one gave it back")?;
    yours.renew(&thief).await?;
    Ok(())
}

/// Neither renewing nor releasing succeeds.
pub(super) async fn fenced(server: &dyn Server, lost: &Lease, who: &str) -> Result<(), Failure> {
    refused(server.renew(lost).await, ErrorKind::Fenced, &format!("{who}, renewing,"))?;
    refused(server.unlock(lost).await, ErrorKind::Fenced, &format!("{who}, releasing,"))?;
    Ok(())
}

/// A process that died has no way to show that the lease was its own.
async fn a_restarted_holder_resumes_nothing(cx: Context) -> Result<(), Failure> {
    let runtime = cx.clock().runtime();
    let domain = longshore_core::DomainName::default();
    cx.ready_server().await?;
    let before = cx.server_as(runtime.clone(), &domain).await?;
    let first = granted(before.lock(&LockRequest::new("sync")).await?, "the first to ask")?;
    drop(before);
    let after = cx.server_as(runtime, &domain).await?;
    let waiting = held(after.lock(&LockRequest::new("sync")).await?, "the restarted holder")?;
    ensure!(waiting.sighting.token == first.token, "the restarted holder sees token {}", waiting.sighting.token.get());
    Ok(())
}

/// First looks count only for the record that they were of, and in the boot in which they were.
async fn a_sighting_of_something_else_steals_nothing(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let lease = granted(mine.lock(&LockRequest::new("holder").with_ttl(TTL)).await?, "the first to ask")?;
    let lease = mine.renew(&lease).await?;
    let seen = held(yours.lock(&LockRequest::new("watcher")).await?, "who asks while it is held")?.sighting;
    let origin = longshore_core::Ticks::from_millis(0);
    let earlier = Sighting { token: FencingToken::FIRST, at: origin, boot: seen.boot.clone() };
    let rebooted = Sighting { token: lease.token, at: origin, boot: "another boot".to_owned() };
    for (what, wrong) in [("an earlier record", earlier), ("this record in another boot", rebooted)] {
        let request = LockRequest::new("watcher").with_sighting(Some(wrong));
        held(yours.lock(&request).await?, &format!("who saw {what} long ago"))?;
    }
    Ok(())
}

async fn wrong_calls_are_refused(cx: Context) -> Result<(), Failure> {
    let server = cx.ready_server().await?;
    let wrong = [
        ("a lease of no time", LockRequest::new("x").with_ttl(Duration::ZERO)),
        ("a lease of half a second", LockRequest::new("x").with_ttl(Duration::from_millis(500))),
        ("a lease of two hours", LockRequest::new("x").with_ttl(Duration::from_secs(7200))),
        ("a purpose of 201 characters", LockRequest::new("é".repeat(201))),
    ];
    for (what, request) in wrong {
        refused(server.lock(&request).await, ErrorKind::Invalid, what)?;
    }
    for ttl in [Duration::from_secs(1), Duration::from_secs(3600)] {
        let request = LockRequest::new("é".repeat(200)).with_ttl(ttl);
        let lease = granted(server.lock(&request).await?, "who asks within the limits")?;
        ensure!(lease.ttl == ttl && lease.purpose == request.purpose, "{ttl:?} were asked for: {lease:?}");
        server.unlock(&lease).await?;
    }
    Ok(())
}

/// The lease keeps work from being wasted. The log needs none.
async fn it_holds_no_commit_back(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.ready_server().await?, cx.server().await?);
    let lease = granted(mine.lock(&LockRequest::new("mine")).await?, "the first to ask")?;
    let (mut holder, mut other) = (Writer::new(mine, 1).await?, Writer::new(yours, 2).await?);
    holder.under(lease.token);
    other.append(vec![put("doc", "without")?]).await?;
    holder.append(vec![put("doc", "with")?]).await?;
    let tokens: Vec<_> = whole_log(&*other.server).await?.iter().map(|entry| entry.lease).collect();
    ensure!(
        tokens == [None, Some(lease.token)],
        "an entry without and one with the lease say that they have {tokens:?}"
    );
    Ok(())
}

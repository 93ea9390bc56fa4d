//! `LockPolicy::Always`: the lease is taken around every sync, given back after it, and no data hangs on it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{Conflict, DomainName, Error, ErrorKind, LockPolicy, LockRequest, MemoryReplica, Resolver};

use super::device::{Device, Fleet, Habits};
use super::verdict::sound;
use crate::case::{Case, Group, Need, Rule};
use crate::cases::server::expect::{granted, refused};
use crate::cases::server::history::whole_log;
use crate::cases::server::race::race;
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::locking::always_leaves_no_lease_held", Group::Sync, Rule::Invariant(9), |cx| {
        always_leaves_no_lease_held(cx).boxed()
    }),
    Case::new("sync::locking::a_failed_sync_leaves_no_lease_held", Group::Sync, Rule::Invariant(9), |cx| {
        a_failed_sync_leaves_no_lease_held(cx).boxed()
    }),
    Case::new("sync::locking::always_at_once_they_converge", Group::Sync, Rule::Invariant(5), |cx| {
        always_at_once_they_converge(cx).boxed()
    }),
    Case::new("sync::locking::a_dead_holder_delays_by_its_time_to_live", Group::Sync, Rule::Invariant(9), |cx| {
        a_dead_holder_delays_by_its_time_to_live(cx).boxed()
    })
    .needs(&[Need::VirtualTime]),
];

async fn always(fleet: &Fleet) -> Result<Device, Failure> {
    let habits = Habits { policy: LockPolicy::Always, ..Habits::default() };
    fleet.device_as(MemoryReplica::new(), habits).await
}

async fn is_free(cx: &Context, when: &str) -> Result<(), Failure> {
    let server = cx.server().await?;
    let lease = granted(server.lock(&LockRequest::new("test")).await?, &format!("who asks {when}"))?;
    Ok(server.unlock(&lease).await?)
}

async fn always_leaves_no_lease_held(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (first, second) = (always(&fleet).await?, always(&fleet).await?);
    for round in 0..cx.size().pick(1, 8, 50) {
        for (at, device) in [&first, &second].into_iter().enumerate() {
            device.put(&format!("doc {at}"), format!("{at}-{round}")).await?;
            device.sync().await?;
            is_free(&cx, "after a sync").await?;
        }
    }
    first.sync().await?;
    sound(&fleet, &[&first, &second]).await?;
    for entry in whole_log(&*cx.server().await?).await? {
        ensure!(entry.lease.is_some(), "entry {} was written without the lease", entry.sequence.get());
    }
    Ok(())
}

struct Fails;

#[async_trait::async_trait]
impl Resolver for Fails {
    async fn resolve(&self, _: &Conflict) -> longshore_core::Result<longshore_core::Answer> {
        Err(Error::new(ErrorKind::Denied, "the user closed the window"))
    }
}

async fn a_failed_sync_leaves_no_lease_held(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let (first, second) = (always(&fleet).await?, always(&fleet).await?);
    for (body, device) in [("first", &first), ("second", &second)] {
        device.put("doc", body).await?;
    }
    first.sync().await?;
    let runtime = cx.clock().runtime();
    let server = cx.server_as(runtime.clone(), &DomainName::default()).await?;
    let builder = longshore_core::Client::builder_on(runtime, server, Arc::new(second.replica.clone()));
    let failing = builder.lock_policy(LockPolicy::Always).resolver(Fails).build();
    refused(failing.sync().await, ErrorKind::Denied, "a sync whose app fails")?;
    is_free(&cx, "after a sync that failed").await?;
    for device in [&second, &first] {
        device.sync().await?;
    }
    sound(&fleet, &[&first, &second]).await
}

async fn always_at_once_they_converge(cx: Context) -> Result<(), Failure> {
    let fleet = Fleet::new(&cx);
    let mut devices = Vec::new();
    for _ in 0..cx.racers(4) {
        devices.push(Arc::new(always(&fleet).await?));
    }
    for round in 0..cx.size().pick(1, 4, 30) {
        let racers = devices.iter().cloned().enumerate().map(|(at, device)| async move {
            device.put(&format!("of {at}"), format!("{at}-{round}")).await?;
            device.put("of all", format!("{at}-all-{round}")).await?;
            // Time is virtual, and all who wait move it on: one may see it pass while another works.
            while let Err(error) = device.try_sync().await {
                ensure!(error.kind() == ErrorKind::Locked, "a sync under the lease failed so: {error}");
            }
            Ok(())
        });
        race(racers).await?;
    }
    for _ in 0..3 {
        for device in &devices {
            device.sync().await?;
        }
    }
    is_free(&cx, "after all have synced").await?;
    sound(&fleet, &devices.iter().map(|device| &**device).collect::<Vec<_>>()).await
}

async fn a_dead_holder_delays_by_its_time_to_live(cx: Context) -> Result<(), Failure> {
    let ttl = Duration::from_secs(30);
    let fleet = Fleet::new(&cx);
    let device = always(&fleet).await?;
    device.sync().await?;
    let dead = cx.server().await?;
    granted(dead.lock(&LockRequest::new("dies").with_ttl(ttl)).await?, "who asks after a sync")?;
    device.put("doc", "waits").await?;
    let before = cx.clock().millis();
    device.sync().await?;
    let waited = Duration::from_millis(cx.clock().millis() - before);
    ensure!(
        waited >= ttl && waited < ttl + Duration::from_secs(2),
        "behind a dead holder of {ttl:?} a sync waits {waited:?}"
    );
    is_free(&cx, "after a sync that took the lease over").await?;
    sound(&fleet, &[&device]).await
}

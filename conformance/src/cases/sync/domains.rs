//! A second domain beside the first: documents, log and lease of its own.

use futures::future::FutureExt as _;
use longshore_core::{DomainName, LockPolicy, LockRequest, MemoryReplica};

use super::device::{Fleet, Habits};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::cases::server::expect::granted;
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] =
    &[Case::new("sync::domains::two_beside_each_other", Group::Sync, Rule::Invariant(5), |cx| {
        two_beside_each_other(cx).boxed()
    })];

/// The same ids in both, written, deleted and synced by turns.
async fn two_beside_each_other(cx: Context) -> Result<(), Failure> {
    let names = [DomainName::default(), DomainName::new("project")?];
    let mut domains = Vec::new();
    for domain in names {
        let fleet = Fleet::new(&cx);
        let habits = Habits { domain, policy: LockPolicy::Always, ..Habits::default() };
        let first = fleet.device_as(MemoryReplica::new(), habits.clone()).await?;
        let second = fleet.device_as(MemoryReplica::new(), habits).await?;
        domains.push((fleet, first, second));
    }
    // Whoever holds the one's lease holds nobody up in the other.
    let server = cx.server_as(cx.clock().runtime(), &domains[0].1.habits.domain).await?;
    domains[0].1.sync().await?;
    let lease = granted(server.lock(&LockRequest::new("holds the first")).await?, "the first to ask")?;
    let before = cx.clock().millis();
    domains[1].1.sync().await?;
    let waited = cx.clock().millis() - before;
    ensure!(waited < 1000, "a sync waited {waited} ms for the lease of another domain");
    server.unlock(&lease).await?;
    for round in 0..cx.size().pick(1, 8, 50) {
        for (fleet, first, second) in &domains {
            let domain = &first.habits.domain;
            first.put("doc", format!("{domain}-{round}")).await?;
            second.put(&format!("doc {round}"), format!("{domain}-second-{round}")).await?;
            if domain.as_str() == "project" {
                second.delete("doc").await?;
            }
            for device in [first, second, first] {
                device.sync().await?;
            }
            sound(fleet, &[first, second]).await?;
        }
    }
    let there = (domains[0].1.replica.documents(), domains[1].1.replica.documents());
    let mixed = there.0.values().filter(|document| !document.body.starts_with(b"main")).count();
    ensure!(mixed == 0, "{mixed} documents of the other domain came over");
    ensure!(there.0.len() >= there.1.len(), "deletions of one domain reached the other");
    Ok(())
}

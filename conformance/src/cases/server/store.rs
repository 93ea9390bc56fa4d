//! Initialising: one store, however many try.

use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{DomainName, LockRequest, MetadataName, Sequence, StoreOptions};

use super::expect::granted;
use super::history::{Writer, put, whole_log};
use super::race::race;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("server::store::initialized_twice_it_is_one", Group::Server, Rule::Server(1), |cx| {
        initialized_twice_it_is_one(cx).boxed()
    }),
    Case::new("server::store::all_that_initialize_at_once_agree", Group::Server, Rule::Server(1), |cx| {
        all_that_initialize_at_once_agree(cx).boxed()
    }),
    Case::new("server::store::another_domain_is_its_own", Group::Server, Rule::Server(1), |cx| {
        another_domain_is_its_own(cx).boxed()
    }),
];

async fn initialized_twice_it_is_one(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = (cx.server().await?, cx.server().await?);
    let before = mine.store().await?.value;
    ensure!(before.is_none(), "nothing was initialised, and `store` gives {before:?}");
    let retention = Duration::from_secs(40 * 24 * 3600);
    let first = mine.initialize(&StoreOptions::default().with_retention(retention)).await?;
    ensure!(first.retention == retention, "{retention:?} were asked for, and the retention is {:?}", first.retention);
    let again = mine.initialize(&StoreOptions::default()).await?;
    ensure!(again == first, "initialised once more, the store is {again:?}; it was {first:?}");
    let other = yours.initialize(&StoreOptions::default()).await?;
    ensure!(other == first, "another client that initialises gets {other:?}; the store is {first:?}");
    for server in [mine, yours, cx.server().await?] {
        let there = server.store().await?.value;
        ensure!(there == Some(first), "`store` gives {there:?} of a store that is {first:?}");
        let floor = server.floor().await?;
        ensure!(floor.is_none(), "a new store has no snapshot, and `floor` gives {floor:?}");
    }
    Ok(())
}

async fn all_that_initialize_at_once_agree(cx: Context) -> Result<(), Failure> {
    for round in 0..cx.size().pick(1, 10, 50) {
        let place = cx.fresh();
        let mut servers = Vec::new();
        for _ in 0..cx.racers(cx.size().pick(3, 8, 8)) {
            servers.push(place.server().await?);
        }
        let options = StoreOptions::default().with_probe(round == 0);
        let racers = servers.into_iter().map(|server| {
            let options = options.clone();
            async move { Ok(server.initialize(&options).await?) }
        });
        let infos = race(racers).await?;
        let there = place.server().await?.store().await?.value;
        for info in infos {
            ensure!(Some(info) == there, "round {round}: an initialiser was told {info:?}, and the store is {there:?}");
        }
    }
    Ok(())
}

/// Two domains share the store's identity and nothing else.
async fn another_domain_is_its_own(cx: Context) -> Result<(), Failure> {
    let (main, other) = (DomainName::default(), DomainName::new("project-2")?);
    let mine = cx.server_as(cx.clock().runtime(), &main).await?;
    let theirs = cx.server_as(cx.clock().runtime(), &other).await?;
    let options = StoreOptions::default().with_probe(false);
    let (one, two) = (mine.initialize(&options).await?, theirs.initialize(&options).await?);
    ensure!(one == two, "the domains of one store say that it is {one:?} and {two:?}");

    Writer::new(mine.clone(), 1).await?.append(vec![put("doc", "of main")?]).await?;
    let seen = whole_log(&*theirs).await?;
    ensure!(seen.is_empty(), "{} entries of another domain are seen", seen.len());
    let number = Writer::new(theirs.clone(), 2).await?.append(vec![put("doc", "of the other")?]).await?;
    ensure!(number == Sequence::FIRST, "a domain's first entry has number {}", number.get());
    for (server, body) in [(&mine, "of main"), (&theirs, "of the other")] {
        let found = server.get(&"doc".try_into()?).await?.map(|document| document.body);
        ensure!(found.as_deref() == Some(body.as_bytes()), "{body:?} was committed, and `get` gives {found:?}");
    }

    granted(mine.lock(&LockRequest::new("main")).await?, "the first to ask")?;
    granted(theirs.lock(&LockRequest::new("other")).await?, "the first to ask in another domain")?;
    let name = MetadataName::new("schema")?;
    mine.metadata_write(&name, None, "1".into()).await?;
    let found = theirs.metadata_read(&name).await?;
    ensure!(found.is_none(), "metadata of another domain is seen: {found:?}");
    Ok(())
}

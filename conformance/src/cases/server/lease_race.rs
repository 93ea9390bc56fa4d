//! The lease under contention: never two at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_core::{
    ErrorKind, FencingToken, Lease, LockRequest, Locked, Result as Called, Runtime, Sequence, Server,
};

use super::race::race;
use super::staleness::now;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] =
    &[Case::new("server::lease::of_sixteen_contenders_one_has_it", Group::Server, Rule::Server(4), |cx| {
        of_sixteen_contenders_one_has_it(cx).boxed()
    })];

/// An hour: nobody may think that a holder is dead.
const TTL: Duration = Duration::from_secs(3600);
/// Tries of one contender: somebody gets it each time it is free.
const TRIES: usize = 100_000;

/// The leases that somebody works under at this moment, and all tokens that were granted.
#[derive(Default)]
struct Book {
    held: Vec<Lease>,
    granted: Vec<FencingToken>,
}

#[derive(Clone)]
struct Contender {
    cx: Context,
    server: Arc<dyn Server>,
    runtime: Arc<dyn Runtime>,
    book: Arc<Mutex<Book>>,
}

async fn of_sixteen_contenders_one_has_it(cx: Context) -> Result<(), Failure> {
    let (contenders, each) = (cx.racers(cx.size().pick(6, 16, 16)), cx.size().pick(1, 2, 20));
    cx.ready_server().await?;
    let book = Arc::<Mutex<Book>>::default();
    let mut racers = Vec::new();
    for _ in 0..contenders {
        let runtime = cx.clock().runtime();
        let server = cx.server_as(runtime.clone(), &longshore_core::DomainName::default()).await?;
        racers.push(Contender { cx: cx.clone(), server, runtime, book: book.clone() });
    }
    race(racers.into_iter().map(|contender| contender.contend(each))).await?;
    let mut tokens = std::mem::take(&mut book.lock().unwrap_or_else(PoisonError::into_inner).granted);
    let granted = tokens.len();
    tokens.sort_unstable();
    tokens.dedup();
    ensure!(tokens.len() == granted, "of {granted} tokens only {} are distinct", tokens.len());
    Ok(())
}

impl Contender {
    async fn contend(self, each: usize) -> Result<(), Failure> {
        for _ in 0..each {
            let lease = self.win().await?;
            self.hold(lease).await?;
        }
        Ok(())
    }

    async fn win(&self) -> Result<Lease, Failure> {
        let mut sighting = None;
        for _ in 0..TRIES {
            let request = LockRequest::new("contend").with_ttl(TTL).with_sighting(sighting.take());
            match self.server.lock(&request).await {
                Ok(Locked::Granted(lease)) => return Ok(lease),
                Ok(Locked::Held(held)) => sighting = Some(held.sighting),
                Err(error) if error.kind() == ErrorKind::Locked => {}
                Err(error) => return Err(error.into()),
            }
            self.runtime.sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::new(format!("it asked {TRIES} times, and never got a lease that others release at once")))
    }

    /// Works under it for a while: looks into the log, and lets others run.
    async fn hold(&self, lease: Lease) -> Result<(), Failure> {
        self.enter(&lease)?;
        self.server.changes_read(Sequence::FIRST, 1).await?;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.leave(&lease);
        let released = self.server.unlock(&lease).await;
        self.may_end_so(&lease, released)
    }

    fn enter(&self, lease: &Lease) -> Result<(), Failure> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now(&self.cx);
        book.granted.push(lease.token);
        let other =
            book.held.iter().find(|other| !other.expired(now) && !lease.expired(now)).map(|other| other.token.get());
        ensure!(
            other.is_none(),
            "token {} was granted while the lease of token {other:?} was neither over nor given back",
            lease.token.get()
        );
        book.held.push(lease.clone());
        Ok(())
    }

    fn leave(&self, lease: &Lease) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.held.retain(|other| other.token != lease.token);
    }

    /// Only one that ran out may be lost.
    fn may_end_so(&self, lease: &Lease, released: Called<()>) -> Result<(), Failure> {
        match released {
            Err(error) if error.kind() == ErrorKind::Fenced && lease.expired(now(&self.cx)) => Ok(()),
            Err(error) => Err(Failure::new(format!("a lease that had not run out was not given back: {error}"))),
            Ok(()) => Ok(()),
        }
    }
}

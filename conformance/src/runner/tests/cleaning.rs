//! What cannot be cleaned up.

use std::sync::Arc;

use longshore_core::{MemoryStorage, Server, StoredServer};

use super::{Run, SHORT, STOPPED, case, hanging, patient, seen_in};
use crate::harness::{Harness, Site};
use crate::health::PATIENCE;
use crate::suite::report;
use crate::verdict::Failure;

#[test]
fn cleaning_that_hangs_is_told_beside_the_cases_own_failure() {
    let fails = case(|_| Box::pin(async { Err(Failure::new("two won")) }));
    let seen = seen_in(&patient(hanging(), SHORT), &fails);
    let left = "two won; what the case left cannot be removed: hangs: it did not end within 50ms";
    assert_eq!(seen, format!("{left}{STOPPED}"));
}

#[test]
fn cleaning_that_hangs_fails_a_case_that_passed() {
    let seen = seen_in(&patient(hanging(), SHORT), &case(|_| Box::pin(async { Ok(()) })));
    assert_eq!(seen, format!("what the case left cannot be removed: hangs: it did not end within 50ms{STOPPED}"));
}

/// Over servers in memory, with a hook that removes none of them.
fn removing<R>(hook: impl Fn() -> R + Send + Sync + 'static) -> Harness
where
    R: Future<Output = longshore_core::Result<()>> + Send + 'static,
{
    let open = |site: Site| async move {
        let server = StoredServer::new(Arc::new(MemoryStorage::new()), site.runtime, &site.domain)?;
        Ok(Arc::new(server) as Arc<dyn Server>)
    };
    Harness::server("server", open).removing(move |_| hook())
}

/// One that waits for ever, and one that blocks its thread.
#[test]
fn a_hook_that_hangs_is_named() {
    let opens = || case(|cx| Box::pin(async move { cx.server().await.map(drop) }));
    let waits = patient(removing(std::future::pending), PATIENCE);
    let blocks = patient(
        removing(|| async {
            loop {
                std::thread::park();
            }
        }),
        PATIENCE,
    );
    for run in [waits, blocks] {
        // The hook never answers, the store does.
        let run = Run { grace: SHORT, ..run };
        let seen = seen_in(&run, &opens());
        let hook =
            seen.strip_prefix("what the case left cannot be removed: the harness's hook `removing`, called for store ");
        assert!(hook.is_some_and(|hook| hook.contains(", hangs: it did not end within ")), "{seen}");
        assert!(!seen.contains("stopped answering"), "{seen}");
    }
}

#[test]
fn what_an_ignored_case_left_is_told() {
    let ignored = case(|_| Box::pin(async { Err(Failure::ignored("no")) }));
    let seen = seen_in(&patient(hanging(), SHORT), &ignored);
    assert!(seen.starts_with("what the case left"), "{seen}");
}

/// How many stores a case over this harness leaves that opens two clients of one store, and another store.
fn left(harness: Harness) -> usize {
    let run = patient(harness, PATIENCE);
    let opens = case(|cx| {
        Box::pin(async move {
            cx.server().await?;
            cx.server().await?;
            cx.fresh().server().await.map(drop)
        })
    });
    report(&run, opens, 0).left
}

#[test]
fn stores_that_nobody_removes_are_counted() {
    let open = |site: Site| async move {
        let server = StoredServer::new(Arc::new(MemoryStorage::new()), site.runtime, &site.domain)?;
        Ok(Arc::new(server) as Arc<dyn Server>)
    };
    let server = || Harness::server("server", open);
    assert_eq!(left(server()), 2);
    assert_eq!(left(server().removing(|_| async { Ok(()) })), 0);
    // What lives in this process ends with it.
    assert_eq!(left(server().in_this_process()), 0);
}

//! Stores that answer no more, late, or after all.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use async_trait::async_trait;
use longshore_core::{Error, ErrorKind, MemoryStorage, Storage};

use super::{Run, SHORT, STOPPED, case, failed_in, memory, patient, seen_in};
use crate::aside;
use crate::case::{Case, Need};
use crate::context::Context;
use crate::harness::{Harness, Killable};
use crate::health::PATIENCE;
use crate::suite::Suite;
use crate::verdict::{Failure, Verdict};

/// Answers while the flag is up, and else refuses every opener.
fn mortal() -> (Harness, Arc<AtomicBool>) {
    let (shared, alive) = (MemoryStorage::new(), Arc::new(AtomicBool::new(true)));
    let asked = Arc::clone(&alive);
    let open = move |_| {
        let (storage, alive) = (shared.clone(), asked.load(SeqCst));
        let gone = || Error::new(ErrorKind::Unavailable, "nobody answers");
        async move { if alive { Ok(Arc::new(storage) as Arc<dyn Storage>) } else { Err(gone()) } }
    };
    (Harness::storage("mortal", open), alive)
}

fn opening() -> Case {
    case(|cx| Box::pin(async move { cx.storage().await.map(drop) }))
}

#[test]
fn over_a_dead_store_no_case_is_run_until_it_answers() {
    let (harness, alive) = mortal();
    let run = Run { patience: SHORT, ..patient(harness, PATIENCE) };
    assert_eq!(run.case(&opening(), 0), Verdict::Passed);
    alive.store(false, SeqCst);
    let (rule, first) = failed_in(&run, &opening());
    assert!(rule.is_none() && first.contains("nobody answers") && first.ends_with(STOPPED), "{rule:?}: {first}");
    let untouched = case(|_| panic!("it was run"));
    for _ in 0..5 {
        let not_run = "not run: the store stopped answering in storage::x::y".to_owned();
        assert_eq!(failed_in(&run, &untouched), (None, not_run));
    }
    alive.store(true, SeqCst);
    let patient = Run { patience: PATIENCE, ..run };
    let verdicts: Vec<Verdict> = (0..8).map(|_| patient.case(&opening(), 0)).collect();
    assert!(verdicts[0].is_failed() && verdicts[7] == Verdict::Passed, "{verdicts:?}");
}

/// As a request that was lost on its way: the next one is answered.
#[test]
fn one_attempt_that_hangs_leaves_time_for_another() {
    let (asked, shared) = (AtomicUsize::new(0), MemoryStorage::new());
    let open = move |_| {
        let (first, storage) = (asked.fetch_add(1, SeqCst) == 0, shared.clone());
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            Ok(Arc::new(storage) as Arc<dyn Storage>)
        }
    };
    let run = Suite::new(memory()).begin().unwrap();
    let context = Context { harness: Harness::storage("slow", open), ..run.context(0) };
    assert!(aside::answers(&context, Duration::from_secs(2)), "it was declared dead");
}

#[test]
fn a_slow_store_has_longer_to_answer() {
    let patience = |harness: Harness| patient(harness, PATIENCE).patience();
    assert_eq!(patience(memory()), PATIENCE);
    assert_eq!(patience(memory().with_rate(20)), PATIENCE * 10);
}

#[test]
fn what_hangs_over_a_store_that_answers_stops_no_case() {
    let run = patient(memory(), PATIENCE);
    let hangs = case(|_| Box::pin(std::future::pending())).deadline(SHORT);
    assert_eq!(seen_in(&run, &hangs), "hangs: it did not end within 50ms");
    assert_eq!(run.case(&opening(), 0), Verdict::Passed);
}

/// A refusal by a store that is busy is an answer, and so is every error but that nobody is there.
#[test]
fn a_store_that_refuses_is_not_dead() {
    let busy = || Error::new(ErrorKind::Unavailable, "busy").with_throttled();
    let denied = || Error::new(ErrorKind::Denied, "not yours");
    for error in [busy, denied] {
        let run = patient(Harness::storage("refusing", move |_| async move { Err(error()) }), PATIENCE);
        assert!(aside::answers(&run.context(0), PATIENCE), "{}", error());
    }
}

#[test]
fn cases_at_once_over_a_dead_store_ask_it_once() {
    // None ends before all have begun.
    static BEGAN: AtomicUsize = AtomicUsize::new(0);
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let harness = Harness::storage("hanging", move |_| {
        count.fetch_add(1, SeqCst);
        std::future::pending()
    });
    let run = patient(harness, SHORT);
    let silent = case(|_| {
        Box::pin(async {
            BEGAN.fetch_add(1, SeqCst);
            while BEGAN.load(SeqCst) < 3 {
                tokio::task::yield_now().await;
            }
            Err(Failure::silence("no answer"))
        })
    });
    let before = opened.load(SeqCst);
    let seen: Vec<String> = std::thread::scope(|scope| {
        let running = [(); 3].map(|()| scope.spawn(|| seen_in(&run, &silent)));
        running.map(|run| run.join().unwrap()).into()
    });
    let told = seen.iter().filter(|seen| seen.ends_with(STOPPED)).count();
    assert_eq!(told, 1, "{seen:?}");
    assert!(seen.iter().all(|seen| seen.contains("the store stopped answering")), "{seen:?}");
    // Each that ran cleaned up after itself, and who asked did so in two attempts.
    assert!(opened.load(SeqCst) - before <= 3 + 2, "it was asked more than once");
}

/// The server is dead while the case runs, and is started before anybody asks.
#[test]
fn a_server_that_is_killed_on_purpose_did_not_stop_answering() {
    #[derive(Clone)]
    struct Server(Arc<AtomicBool>);

    #[async_trait]
    impl Killable for Server {
        async fn kill(&self) -> longshore_core::Result<()> {
            self.0.store(false, SeqCst);
            Ok(())
        }

        async fn start(&self) -> longshore_core::Result<()> {
            self.0.store(true, SeqCst);
            Ok(())
        }
    }

    let (harness, alive) = mortal();
    let run = patient(harness.killable(Server(alive)), PATIENCE);
    let kills = case(|cx| {
        Box::pin(async move {
            cx.harness.killable.as_ref().unwrap().kill().await?;
            cx.storage().await.map(drop)
        })
    });
    let seen = seen_in(&run, &kills.needs(&[Need::Killable]));
    assert!(seen.contains("nobody answers") && !seen.contains("stopped"), "{seen}");
    assert_eq!(run.case(&opening(), 0), Verdict::Passed);
}

//! What does not end by itself.

use std::sync::Arc;

use longshore_core::{MemoryStorage, Storage};

use super::{Run, SHORT, STOPPED, case, failed_in, hanging, memory, patient, seen, seen_in};
use crate::case::{Case, Rule};
use crate::context::Context;
use crate::harness::Harness;
use crate::health::PATIENCE;
use crate::suite::Suite;
use crate::verdict::{Failure, Verdict};

#[test]
fn an_opener_that_hangs_keeps_no_run_from_beginning_and_its_case_says_so() {
    let opens = case(|cx| Box::pin(async move { cx.storage().await.map(drop) })).deadline(SHORT);
    let seen = seen_in(&patient(hanging(), SHORT), &opens);
    assert_eq!(seen, format!("hangs: it did not end within 50ms{STOPPED}"));
}

#[test]
fn a_case_that_hangs_fails_at_its_deadline() {
    let seen = seen(memory(), &case(|_| Box::pin(std::future::pending())).deadline(SHORT));
    assert_eq!(seen, "hangs: it did not end within 50ms");
}

#[test]
fn a_case_that_blocks_its_threads_fails_too() {
    let blocks = case(|_| {
        Box::pin(async {
            drop([(); 3].map(|()| tokio::spawn(async { std::thread::park() })));
            std::future::pending().await
        })
    });
    assert!(seen(memory(), &blocks.deadline(SHORT)).starts_with("hangs"));
}

#[test]
fn only_what_came_to_a_judgement_names_a_rule() {
    let opens = || case(|cx| Box::pin(async move { cx.storage().await.map(drop) })).deadline(SHORT);
    let hangs = case(|_| Box::pin(std::future::pending())).deadline(SHORT);
    let panics = case(|_| panic!("no such luck"));
    let panics_later = case(|_| Box::pin(async { panic!("no such luck") }));
    let passes = case(|_| Box::pin(async { Ok(()) }));
    let gone = || Harness::storage("gone", |_| async { panic!("no such luck") });
    let unjudged: [(Run, &str, &Case); 6] = [
        (patient(memory(), PATIENCE), "hangs", &hangs),
        (patient(memory(), PATIENCE), "panicked", &panics),
        (patient(memory(), PATIENCE), "panicked", &panics_later),
        (patient(hanging(), SHORT), "hangs", &opens()),
        (patient(gone(), PATIENCE), "panicked", &opens()),
        (patient(hanging(), SHORT), "what the case left", &passes),
    ];
    for (run, begins, case) in unjudged {
        let (rule, seen) = failed_in(&run, case);
        assert!(rule.is_none() && seen.starts_with(begins), "{rule:?}: {seen}");
    }
    let breaks = case(|_| Box::pin(async { Err(Failure::new("two won")) }));
    let breaks_another = case(|_| Box::pin(async { Err(Failure::new("lost").with_rule(Rule::Invariant(2))) }));
    for (case, broken) in [(breaks, Rule::Storage(1)), (breaks_another, Rule::Invariant(2))] {
        // Also where its place cannot be cleaned up, because the store stopped answering.
        for (harness, patience) in [(memory(), PATIENCE), (hanging(), SHORT)] {
            assert_eq!(failed_in(&patient(harness, patience), &case).0, Some(broken));
        }
    }
}

/// Its writers go on when the case is over: by themselves, or as what hangs.
#[test]
fn what_a_case_left_running_does_not_write_beside_the_cleaning() {
    fn writes_on(cx: &Context) {
        let cx = cx.clone();
        drop(tokio::spawn(async move {
            let storage = cx.storage().await.unwrap();
            for number in 0.. {
                let key = cx.blob(&format!("blob-{number}")).unwrap();
                crate::context::put(&*storage, &key, "more").await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }
    let fails = case(|cx| {
        Box::pin(async move {
            writes_on(&cx);
            Err(Failure::new("two won"))
        })
    });
    let hangs = case(|cx| {
        Box::pin(async move {
            writes_on(&cx);
            std::future::pending().await
        })
    });
    for (case, wanted) in [(fails, "two won"), (hangs.deadline(SHORT), "hangs: it did not end within 50ms")] {
        let storage = MemoryStorage::new();
        let shared = storage.clone();
        let harness = Harness::storage("memory", move |_| {
            let storage = shared.clone();
            async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
        });
        let run = Suite::new(harness).begin().unwrap();
        let Verdict::Failed { seen, .. } = run.case(&case, 0) else { panic!("it must fail") };
        assert_eq!(seen, wanted);
        assert!(storage.objects().is_empty(), "something was written after the cleaning up");
    }
}
#[test]
fn one_trouble_is_told_once() {
    let gone = || Harness::storage("gone", |_| async { panic!("no such luck") });
    let seen = seen(gone(), &case(|cx| Box::pin(async move { cx.storage().await.map(drop) })));
    assert_eq!(seen, "panicked: no such luck");
}

//! Runs one case: in a thread of its own, in a place of its own, with a deadline, and cleans up after it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt as _;
use longshore_core::{Capabilities, DomainName, Folder};

use crate::case::{Case, Need, Size};
use crate::clock::VirtualClock;
use crate::context::Context;
use crate::harness::{Harness, Killable, RemoveStore, Scratch, Site, Subject};
use crate::litter;
use crate::pace::Pace;
use crate::verdict::{Failure, Verdict};

/// Places of one case: more than any asks for.
const PLACES: usize = 100_000;
/// For what comes after the case's own deadline: cleaning up after it.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// What a thread may take beyond a deadline to say that it passed.
const SLACK: Duration = Duration::from_secs(5);

/// What all cases of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) harness: Harness,
    pub(crate) scratch: Scratch,
    pub(crate) root: Folder,
    pub(crate) size: Size,
    pub(crate) seed: u64,
    /// What the storage says that it guarantees; unknown of a server, or of a storage that cannot be opened: then each case
    /// says so.
    pub(crate) claims: Option<Capabilities>,
    pub(crate) pace: Arc<Pace>,
    /// Held by every case, and by one that kills the server alone.
    pub(crate) alone: Arc<RwLock<()>>,
    /// How long cleaning up after a case may take.
    pub(crate) grace: Duration,
}

impl Run {
    /// Runs the case that has this place in the list of all cases.
    pub(crate) fn case(&self, case: &Case, at: usize) -> Verdict {
        if let Some(why) = self.lacks(case) {
            return Verdict::Ignored(why);
        }
        let deadline = self.pace.stretch(self.size.pick(case.deadline, case.deadline, case.deadline * 10));
        let failure = match self.in_turn(case, || self.ends(case, deadline, self.context(at))) {
            Ok(()) => return Verdict::Passed,
            Err(failure) => failure,
        };
        weigh(case, failure.verdict(case.rule), version())
    }

    /// No case may find the server dead but the one that kills it.
    fn in_turn<T>(&self, case: &Case, run: impl FnOnce() -> T) -> T {
        if case.kills() {
            let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
            run()
        } else {
            let _beside = self.alone.read().unwrap_or_else(PoisonError::into_inner);
            run()
        }
    }

    /// What came of the case itself and of cleaning up after it: each is told, also where both failed.
    fn ends(&self, case: &Case, deadline: Duration, context: Context) -> Result<(), Failure> {
        let (tell, told) = channel();
        let (body, grace) = (case.clone(), self.pace.stretch(self.grace));
        let begin = move || {
            let ran = catch_unwind(AssertUnwindSafe(|| go(&body, &context, deadline, grace, &tell)));
            if let Err(panic) = ran {
                // Nobody listens any more after the deadline.
                drop(tell.send(Err(panicked(panic.as_ref()))));
            }
        };
        std::thread::Builder::new()
            .name(case.name.to_owned())
            .spawn(begin)
            .map_err(|error| Failure::new(format!("no thread could be started: {error}")))?;
        let slack = SLACK.min(grace);
        // Where even the clock of its runtime stands still, nothing will be cleaned.
        let Some(own) = hear(&told, deadline + slack) else { return Err(hangs(deadline)) };
        // First the case's runtime ends, then the cleaning up.
        both(own, hear(&told, slack + grace + slack).unwrap_or_else(|| Err(hangs(grace))))
    }

    fn context(&self, at: usize) -> Context {
        let first = at * PLACES;
        Context {
            harness: self.harness.clone(),
            scratch: self.scratch.clone(),
            root: self.root.clone(),
            slot: first,
            next: Arc::new(AtomicUsize::new(first + 1)),
            size: self.size,
            seed: self.seed,
            clock: VirtualClock::new(),
            pace: Arc::clone(&self.pace),
            opened: Arc::default(),
            #[cfg(feature = "network")]
            via: None,
        }
    }

    /// Why the case cannot be run here.
    pub(crate) fn lacks(&self, case: &Case) -> Option<String> {
        case.needs.iter().find_map(|need| self.lacks_need(*need)).map(str::to_owned)
    }

    fn lacks_need(&self, need: Need) -> Option<&'static str> {
        let harness = &self.harness;
        let is_storage = matches!(harness.subject, Subject::Storage(_));
        match need {
            Need::Storage if !is_storage => Some("the adapter is a server, with no storage to look at"),
            Need::ReadTime if self.claims.as_ref().is_some_and(|claims| !claims.read_time) => {
                Some("replies to reads carry no server time, and it does not say that they do")
            }
            Need::MissingRoot if harness.missing_root.is_none() => Some("the harness does not open a missing root"),
            Need::WrongCredentials if harness.wrong_credentials.is_none() => {
                Some("the harness has no wrong credentials: this store asks for none, or none were given")
            }
            Need::Killable if harness.killable.is_none() => Some("the harness does not say how its server is killed"),
            Need::KillablePart if harness.killable_part.is_none() => {
                Some("the harness does not say how a part of its server is killed")
            }
            Need::Network => self.lacks_network(),
            Need::OtherProcess if !harness.other_process => Some("the store lives in this process only"),
            Need::Waits if harness.real_time && self.size < Size::Full => {
                Some("the server has a clock of its own, and the case waits for it: run it in full size")
            }
            Need::VirtualTime if harness.real_time => {
                Some("the server has a clock of its own, and the clients of this case wait for leases in virtual time")
            }
            _ => None,
        }
    }
}

impl Run {
    #[cfg(feature = "network")]
    fn lacks_network(&self) -> Option<&'static str> {
        let lacks = self.harness.network.is_none();
        lacks.then_some("the harness does not say how a client reaches its server through a proxy")
    }

    #[cfg(not(feature = "network"))]
    #[expect(clippy::unused_self, reason = "with the feature it asks the harness")]
    fn lacks_network(&self) -> Option<&'static str> {
        Some("the suite was built without the feature `network`")
    }
}

type Ended = Result<(), Failure>;

/// Tells twice: what came of the case, and then of cleaning up after it.
fn go(case: &Case, context: &Context, deadline: Duration, grace: Duration, tell: &Sender<Ended>) {
    let killed = case.needs.iter().find_map(|need| context.harness.killed_for(*need));
    on_its_own(within(deadline, (case.run)(context.clone())), grace, tell);
    let context = context.clone();
    on_its_own(within(grace, async move { clean(&context, killed.as_deref()).await }), grace, tell);
}

/// On a runtime of its own, which ends with it: what a case left running, however it ended, must not write beside the cleaning up.
fn on_its_own(work: impl Future<Output = Ended>, grace: Duration, tell: &Sender<Ended>) {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Err(Failure::new(format!("no runtime could be started: {error}"))))),
    };
    // Nobody listens any more after the deadline.
    drop(tell.send(runtime.block_on(work)));
    // What blocks a thread for ever must not keep the run from ending.
    runtime.shutdown_timeout(SLACK.min(grace));
}

/// As a task of its own, for so long.
async fn within(limit: Duration, work: impl Future<Output = Ended> + Send + 'static) -> Ended {
    match tokio::time::timeout(limit, tokio::spawn(work)).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(broken)) if broken.is_panic() => Err(panicked(broken.into_panic().as_ref())),
        Ok(Err(_)) => Err(Failure::new("it was cancelled")),
        Err(_) => Err(hangs(limit)),
    }
}

/// The next that a case's thread tells; none if it does not come in time.
fn hear(told: &Receiver<Ended>, limit: Duration) -> Option<Ended> {
    match told.recv_timeout(limit) {
        Ok(ended) => Some(ended),
        Err(RecvTimeoutError::Timeout) => None,
        // It told of a panic, or that it could not begin: there is nothing to clean.
        Err(RecvTimeoutError::Disconnected) => Some(Ok(())),
    }
}

/// A case's own failure comes first; what is wrong with its place is told beside it, unless it is the same.
fn both(own: Ended, cleaned: Ended) -> Ended {
    let Err(litter) = cleaned else { return own };
    let seen = format!("what the case left cannot be removed: {litter}");
    match own {
        Err(failure) if failure.seen().contains(litter.seen()) => Err(failure),
        Err(failure) if !failure.is_ignored() => Err(failure.and(&seen)),
        _ => Err(Failure::new(seen)),
    }
}

/// The version of this crate: major and minor.
fn version() -> (u16, u16) {
    let number = |text: &str| text.parse::<u16>().unwrap_or(0);
    (number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR")))
}

/// A case that is too new to count at this version only warns.
fn weigh(case: &Case, verdict: Verdict, now: (u16, u16)) -> Verdict {
    match verdict {
        Verdict::Failed { rule, seen } if now < case.mandatory_from => Verdict::Warned { rule, seen },
        verdict => verdict,
    }
}

/// Removes what the case left; first the server starts, if the case may have left it dead.
async fn clean(context: &Context, killed: Option<&dyn Killable>) -> Result<(), Failure> {
    if let Some(server) = killed {
        let dead = |error| Failure::new(format!("the harness could not start the server: {error}"));
        server.start().await.map_err(dead)?;
    }
    match (&context.harness.subject, &context.harness.removing) {
        (Subject::Storage(_), _) => remove_objects(context).await,
        (Subject::Server(_), Some(remove)) => remove_stores(context, remove).await,
        (Subject::Server(_), None) => Ok(()),
    }
}

async fn remove_objects(context: &Context) -> Result<(), Failure> {
    let storage = context.outer().await?;
    let used = context.next.load(std::sync::atomic::Ordering::SeqCst);
    for slot in context.slot..used {
        let place = Context { slot, ..context.clone() };
        litter::clean(&*storage, &place.prefix()?, context.at_once(litter::AT_ONCE)).await?;
    }
    Ok(())
}

/// Every store that the case opened is tried; the first trouble is told.
async fn remove_stores(context: &Context, remove: &RemoveStore) -> Result<(), Failure> {
    let opened = std::mem::take(&mut *context.opened.lock().unwrap_or_else(PoisonError::into_inner));
    let mut ended = Ok(());
    for store in opened {
        let (domain, runtime) = (DomainName::default(), context.clock.runtime());
        let site = Site { scratch: context.scratch.clone(), store: store.clone(), domain, runtime };
        let removed = AssertUnwindSafe(async { remove(site).await }).catch_unwind().await;
        let told = match removed {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => format!("failed: {error}"),
            Err(panic) => panicked(panic.as_ref()).to_string(),
        };
        ended =
            ended.and(Err(Failure::new(format!("the harness's hook `removing`, called for store {store}, {told}"))));
    }
    ended
}

fn hangs(deadline: Duration) -> Failure {
    Failure::new(format!("hangs: it did not end within {deadline:?}"))
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    Failure::new(format!("panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use longshore_core::{ByteRange, Created, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Storage};

    use super::*;
    use crate::case::{Group, Rule};
    use crate::suite::Suite;

    /// So short that what hangs is found at once; nothing here is judged by being faster.
    const SHORT: Duration = Duration::from_millis(50);

    fn case(run: crate::case::CaseFn) -> Case {
        Case::new("storage::x::y", Group::Storage, Rule::Storage(1), run)
    }

    fn memory() -> Harness {
        let shared = MemoryStorage::new();
        Harness::storage("memory", move |_| {
            let storage = shared.clone();
            async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
        })
    }

    fn hanging() -> Harness {
        Harness::storage("hanging", |_| std::future::pending())
    }

    /// What is seen of a case over this harness, with little patience for cleaning up.
    fn seen(harness: Harness, case: &Case) -> String {
        let mut suite = Suite::new(harness).opening(SHORT);
        let mut run = suite.begin().unwrap();
        run.grace = SHORT;
        match run.case(case, 0) {
            Verdict::Failed { seen, .. } => seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_opener_that_hangs_keeps_no_run_from_beginning_and_its_case_says_so() {
        let opens = case(|cx| Box::pin(async move { cx.storage().await.map(drop) })).deadline(SHORT);
        let seen = seen(hanging(), &opens);
        assert_eq!(seen, "hangs: it did not end within 50ms");
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
    fn a_storage_has_no_time_of_its_own() {
        let waits = case(|_| Box::pin(async { Ok(()) })).needs(&[Need::VirtualTime, Need::Waits]);
        let run =
            |harness: Harness, size| Suite::new(harness.in_real_time()).opening(SHORT).size(size).begin().unwrap();
        assert_eq!(run(memory(), Size::Quick).lacks(&waits), None);
        let server = || Harness::server("server", |_| std::future::pending());
        assert!(run(server(), Size::Quick).lacks(&waits).is_some());
        let earnest = case(|_| Box::pin(async { Ok(()) })).needs(&[Need::Waits]);
        assert!(run(server(), Size::Ci).lacks(&earnest).is_some());
        assert_eq!(run(server(), Size::Full).lacks(&earnest), None);
        assert!(run(server(), Size::Full).lacks(&waits).is_some());
    }

    #[test]
    fn cleaning_that_hangs_is_told_beside_the_cases_own_failure() {
        let seen = seen(hanging(), &case(|_| Box::pin(async { Err(Failure::new("two won")) })));
        assert_eq!(seen, "two won; what the case left cannot be removed: hangs: it did not end within 50ms");
    }

    #[test]
    fn cleaning_that_hangs_fails_a_case_that_passed() {
        let seen = seen(hanging(), &case(|_| Box::pin(async { Ok(()) })));
        assert_eq!(seen, "what the case left cannot be removed: hangs: it did not end within 50ms");
    }

    #[test]
    fn what_an_ignored_case_left_is_told() {
        let seen = seen(hanging(), &case(|_| Box::pin(async { Err(Failure::ignored("no")) })));
        assert!(seen.starts_with("what the case left"), "{seen}");
    }

    #[test]
    fn one_trouble_is_told_once() {
        let gone = || Harness::storage("gone", |_| async { panic!("no such luck") });
        let seen = seen(gone(), &case(|cx| Box::pin(async move { cx.storage().await.map(drop) })));
        assert_eq!(seen, "panicked: no such luck");
    }

    #[test]
    fn no_case_runs_beside_one_that_kills_the_server() {
        let run = Suite::new(memory()).begin().unwrap();
        let other = case(|_| Box::pin(async { Ok(()) }));
        for needs in [&[Need::Killable], &[Need::KillablePart]] {
            let killing = case(|_| Box::pin(async { Ok(()) })).needs(needs);
            assert!(run.in_turn(&killing, || run.alone.try_read().is_err()), "another could begin");
        }
        assert!(run.in_turn(&other, || run.alone.try_read().is_ok()), "others wait for each other");
        assert!(run.in_turn(&other, || run.alone.try_write().is_err()), "the server could be killed under it");
    }

    /// Counts the calls that come to it.
    #[derive(Clone, Debug, Default)]
    struct Counting(MemoryStorage, Arc<AtomicUsize>);

    impl Counting {
        fn count(&self) -> &MemoryStorage {
            self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            &self.0
        }
    }

    #[async_trait]
    impl Storage for Counting {
        fn capabilities(&self) -> Capabilities {
            self.0.capabilities()
        }

        async fn create(&self, key: &ObjectKey, bytes: Bytes) -> longshore_core::Result<Reply<Created>> {
            self.count().create(key, bytes).await
        }

        async fn put(&self, key: &ObjectKey, payload: Payload) -> longshore_core::Result<Reply<()>> {
            self.count().put(key, payload).await
        }

        async fn get(&self, key: &ObjectKey, range: ByteRange) -> longshore_core::Result<Reply<Option<Object>>> {
            self.count().get(key, range).await
        }

        async fn list(&self, folder: &Folder, after: Option<&str>) -> longshore_core::Result<Reply<Listing>> {
            self.count().list(folder, after).await
        }

        async fn delete(&self, key: &ObjectKey) -> longshore_core::Result<Reply<()>> {
            self.count().delete(key).await
        }
    }

    /// Every storage case and a sync, with all openers there are: no call may pass the pace by.
    #[test]
    fn every_call_of_a_run_has_its_turn() {
        let counting = Counting::default();
        let shared = counting.clone();
        let open = move |_| {
            let storage = shared.clone();
            async move { Ok(Arc::new(storage) as Arc<dyn Storage>) }
        };
        let harness = Harness::storage("counting", open.clone()).missing_root(open.clone()).wrong_credentials(open);
        let mut suite = Suite::new(harness.in_this_process().with_rate(u32::MAX)).size(Size::Quick);
        let run = suite.begin().unwrap();
        assert_eq!(run.pace.rate(), Some(u32::MAX));
        for (at, case) in Suite::cases().iter().enumerate() {
            let before = (run.pace.calls(), counting.1.load(std::sync::atomic::Ordering::SeqCst) as u64);
            if case.name.starts_with("storage::") || case.name.starts_with("sync::fleet") {
                run.case(case, at);
                let made = counting.1.load(std::sync::atomic::Ordering::SeqCst) as u64 - before.1;
                assert_eq!(run.pace.calls() - before.0, made, "{}", case.name);
            }
        }
        assert!(run.pace.calls() > 0);
    }

    #[test]
    fn a_case_counts_from_the_version_it_names() {
        let new = case(|_| Box::pin(async { Ok(()) })).mandatory_from(1, 4);
        let failed = || Verdict::Failed { rule: Rule::Storage(1), seen: "torn".to_owned() };
        let warned = Verdict::Warned { rule: Rule::Storage(1), seen: "torn".to_owned() };
        for before in [(0, 9), (1, 0), (1, 3)] {
            assert_eq!(weigh(&new, failed(), before), warned);
        }
        for from in [(1, 4), (1, 5), (2, 0)] {
            assert_eq!(weigh(&new, failed(), from), failed());
        }
        assert_eq!(weigh(&new, Verdict::Passed, (0, 1)), Verdict::Passed);
        assert_eq!(weigh(&new, Verdict::Ignored("no".to_owned()), (0, 1)), Verdict::Ignored("no".to_owned()));
        // Cases of the first release count in it.
        assert_eq!(weigh(&case(|_| Box::pin(async { Ok(()) })), failed(), version()), failed());
    }
}

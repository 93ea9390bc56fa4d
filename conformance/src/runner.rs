//! Runs one case: in a thread of its own, in a place of its own, with a deadline, and cleans up after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use longshore_core::{Capabilities, DomainName, Folder};

use crate::aside;
use crate::case::{Case, Need, Size};
use crate::clock::VirtualClock;
use crate::context::Context;
use crate::harness::{Harness, Killable, RemoveStore, Scratch, Site, Subject};
use crate::health::Health;
use crate::litter;
use crate::pace::Pace;
use crate::release::Releases;
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
    /// What is known of the store.
    pub(crate) health: Arc<Health>,
    /// How long cleaning up after a case may take.
    pub(crate) grace: Duration,
    /// How long a store of the usual pace has to answer when it is asked whether it still does.
    pub(crate) patience: Duration,
}

impl Run {
    /// Runs the case that has this place in the list of all cases.
    pub(crate) fn case(&self, case: &Case, at: usize) -> Verdict {
        if let Some(why) = self.lacks(case) {
            return Verdict::Ignored(why);
        }
        let failure = match self.in_turn(case, || self.admitted(case, at)) {
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

    /// Runs the case if the store is known to answer, and asks it where the case got no answer.
    fn admitted(&self, case: &Case, at: usize) -> Result<(), Failure> {
        let answers = || aside::answers(&self.context_for_asking(at), self.patience());
        self.health.admit(answers)?;
        let deadline = self.pace.stretch(self.size.pick(case.deadline, case.deadline, case.deadline * 10));
        self.ends(case, deadline, self.context(at)).map_err(|failure| {
            if failure.is_silence() { self.health.judge(case.name, failure, answers) } else { failure }
        })
    }

    /// How long this store has to answer: as the deadlines of cases, longer where it is slow.
    fn patience(&self) -> Duration {
        self.pace.stretch(self.patience)
    }

    /// What came of the case itself and of cleaning up after it: each is told, also where both failed.
    fn ends(&self, case: &Case, deadline: Duration, context: Context) -> Result<(), Failure> {
        let (tell, told) = channel();
        let (body, grace, releases) = (case.clone(), self.pace.stretch(self.grace), context.releases.clone());
        let begin = move || {
            let ran = catch_unwind(AssertUnwindSafe(|| go(&body, &context, deadline, grace, &tell)));
            if let Err(panic) = ran {
                // Nobody listens any more after the deadline.
                drop(tell.send(Err(Failure::panicked(panic.as_ref()))));
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
        let cleaned = hear(&told, slack + grace + slack + slack).unwrap_or_else(|| Err(hangs(grace)));
        // By now the clients are dropped: those of the case with its runtime, those of the cleaning with its task.
        beside(left(own, cleaned), releases.ended())
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
            releases: Releases::default(),
            #[cfg(feature = "network")]
            via: None,
        }
    }

    /// A place that the case itself does not come to.
    pub(crate) fn context_for_asking(&self, at: usize) -> Context {
        Context { slot: (at + 1) * PLACES - 1, ..self.context(at) }
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
    // What hangs in it is named before the whole does.
    let limit = grace + SLACK.min(grace);
    on_its_own(within(limit, async move { clean(&context, killed.as_deref(), grace).await }), grace, tell);
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
        Ok(Err(broken)) if broken.is_panic() => Err(Failure::panicked(broken.into_panic().as_ref())),
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

/// What is wrong with a case's place, unless its own failure is the same.
fn left(own: Ended, cleaned: Ended) -> Ended {
    match (&own, cleaned) {
        (Err(failure), Err(litter)) if failure.seen().contains(litter.seen()) => own,
        (_, cleaned) => beside(own, cleaned.map_err(|litter| litter.within("what the case left cannot be removed"))),
    }
}

/// A case's own failure comes first; what else is wrong is told beside it.
fn beside(own: Ended, other: Ended) -> Ended {
    match (own, other) {
        (own, Ok(())) => own,
        (Err(failure), Err(other)) if !failure.is_ignored() => Err(failure.beside(&other)),
        (_, other) => other,
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
async fn clean(context: &Context, killed: Option<&dyn Killable>, grace: Duration) -> Result<(), Failure> {
    if let Some(server) = killed {
        let dead = |error| Failure::silence(format!("the harness could not start the server: {error}"));
        server.start().await.map_err(dead)?;
    }
    match (&context.harness.subject, &context.harness.removing) {
        (Subject::Storage(_), _) => {
            let context = context.clone();
            within(grace, async move { remove_objects(&context).await }).await
        }
        (Subject::Server(_), Some(remove)) => remove_stores(context, remove, grace).await,
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

/// Every store that the case opened is tried, all within this time; the first trouble is told. A hook that hangs is not called again.
async fn remove_stores(context: &Context, remove: &RemoveStore, limit: Duration) -> Result<(), Failure> {
    let opened = std::mem::take(&mut *context.opened.lock().unwrap_or_else(PoisonError::into_inner));
    let (end, mut ended) = (tokio::time::Instant::now() + limit, Ok(()));
    for store in opened {
        let (domain, runtime) = (DomainName::default(), context.clock.runtime());
        let site = Site { scratch: context.scratch.clone(), store: store.clone(), domain, runtime };
        let remove = Arc::clone(remove);
        let removing = async move { remove(site).await.map_err(|error| Failure::new(format!("failed: {error}"))) };
        let removed = within(end.saturating_duration_since(tokio::time::Instant::now()), removing).await;
        let Err(trouble) = removed else { continue };
        let hangs = trouble.is_silence();
        let told = trouble.after(format_args!("the harness's hook `removing`, called for store {store},"));
        ended = ended.and(Err(told));
        if hangs {
            break;
        }
    }
    ended
}

fn hangs(deadline: Duration) -> Failure {
    Failure::silence(format!("hangs: it did not end within {deadline:?}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::SeqCst;

    use async_trait::async_trait;
    use bytes::Bytes;
    use longshore_core::{
        ByteRange, Created, Error, ErrorKind, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Server,
        Storage, StoredServer,
    };

    use super::*;
    use crate::case::{Group, Rule};
    use crate::harness::Killable;
    use crate::health::PATIENCE;
    use crate::suite::Suite;

    /// So short that what hangs is found at once; nothing here is judged by being faster.
    const SHORT: Duration = Duration::from_millis(50);
    const STOPPED: &str = "; the store stopped answering: asked once more, it gave no answer either";

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

    /// A run with little patience for cleaning up. A store that never answers is given up at once; one that answers has its time.
    fn impatient(harness: Harness, patience: Duration) -> Run {
        let mut run = Suite::new(harness).opening(SHORT).begin().unwrap();
        (run.grace, run.patience) = (SHORT, patience);
        run
    }

    /// What is seen of a case over this harness.
    fn seen(harness: Harness, case: &Case) -> String {
        seen_in(&impatient(harness, PATIENCE), case)
    }

    fn seen_in(run: &Run, case: &Case) -> String {
        match run.case(case, 0) {
            Verdict::Failed { seen, .. } => seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_opener_that_hangs_keeps_no_run_from_beginning_and_its_case_says_so() {
        let opens = case(|cx| Box::pin(async move { cx.storage().await.map(drop) })).deadline(SHORT);
        let seen = seen_in(&impatient(hanging(), SHORT), &opens);
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
        let fails = case(|_| Box::pin(async { Err(Failure::new("two won")) }));
        let seen = seen_in(&impatient(hanging(), SHORT), &fails);
        let left = "two won; what the case left cannot be removed: hangs: it did not end within 50ms";
        assert_eq!(seen, format!("{left}{STOPPED}"));
    }

    #[test]
    fn cleaning_that_hangs_fails_a_case_that_passed() {
        let seen = seen_in(&impatient(hanging(), SHORT), &case(|_| Box::pin(async { Ok(()) })));
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
        let waits = impatient(removing(std::future::pending), PATIENCE);
        let blocks = impatient(
            removing(|| async {
                loop {
                    std::thread::park();
                }
            }),
            PATIENCE,
        );
        for run in [waits, blocks] {
            let seen = seen_in(&run, &opens());
            let hook = seen
                .strip_prefix("what the case left cannot be removed: the harness's hook `removing`, called for store ");
            assert!(hook.is_some_and(|hook| hook.contains(", hangs: it did not end within ")), "{seen}");
            assert!(!seen.contains("stopped answering"), "{seen}");
        }
    }

    #[test]
    fn what_an_ignored_case_left_is_told() {
        let ignored = case(|_| Box::pin(async { Err(Failure::ignored("no")) }));
        let seen = seen_in(&impatient(hanging(), SHORT), &ignored);
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
        let run = impatient(harness, SHORT);
        assert_eq!(run.case(&opening(), 0), Verdict::Passed);
        alive.store(false, SeqCst);
        let first = seen_in(&run, &opening());
        assert!(first.contains("nobody answers") && first.ends_with(STOPPED), "{first}");
        let untouched = case(|_| panic!("it was run"));
        for _ in 0..5 {
            assert_eq!(seen_in(&run, &untouched), "not run: the store stopped answering in storage::x::y");
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
        let patience = |harness: Harness| impatient(harness, PATIENCE).patience();
        assert_eq!(patience(memory()), PATIENCE);
        assert_eq!(patience(memory().with_rate(20)), PATIENCE * 10);
    }

    #[test]
    fn what_hangs_over_a_store_that_answers_stops_no_case() {
        let run = impatient(memory(), PATIENCE);
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
            let run = impatient(Harness::storage("refusing", move |_| async move { Err(error()) }), SHORT);
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
        let run = impatient(harness, SHORT);
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
        let run = impatient(harness.killable(Server(alive)), PATIENCE);
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

    /// Counts the calls that come to it.
    #[derive(Clone, Debug, Default)]
    struct Counting(MemoryStorage, Arc<AtomicUsize>);

    impl Counting {
        fn count(&self) -> &MemoryStorage {
            self.1.fetch_add(1, SeqCst);
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
            let before = (run.pace.calls(), counting.1.load(SeqCst) as u64);
            if case.name.starts_with("storage::") || case.name.starts_with("sync::fleet") {
                run.case(case, at);
                let made = counting.1.load(SeqCst) as u64 - before.1;
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

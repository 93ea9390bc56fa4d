//! Runs one case: in a thread of its own, in a place of its own, with a deadline, and cleans up after it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use longshore_core::{Capabilities, Folder};

use crate::case::{Case, Need, Size};
use crate::clock::VirtualClock;
use crate::context::Context;
use crate::harness::{Harness, Scratch, Subject};
use crate::litter;
use crate::verdict::{Failure, Verdict};

/// Places of one case: more than any asks for.
const PLACES: usize = 100_000;
/// For what comes after the case's own deadline: its cleaning up.
const GRACE: Duration = Duration::from_secs(60);

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
}

impl Run {
    /// Runs the case that has this place in the list of all cases.
    pub(crate) fn case(&self, case: &Case, at: usize) -> Verdict {
        if let Some(why) = self.lacks(case) {
            return Verdict::Ignored(why);
        }
        let deadline = self.size.pick(case.deadline, case.deadline, case.deadline * 10);
        let (send, receive) = channel();
        let body = case.clone();
        let context = self.context(at);
        let started = std::thread::Builder::new().name(case.name.to_owned()).spawn(move || {
            // Nobody listens any more after the deadline.
            drop(send.send(catch_unwind(AssertUnwindSafe(|| go(&body, &context, deadline)))));
        });
        if let Err(error) = started {
            return Failure::new(format!("no thread could be started: {error}")).verdict(case.rule);
        }
        let result = match receive.recv_timeout(deadline + GRACE) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(Failure::new(format!("panicked: {}", text(panic.as_ref())))),
            Err(RecvTimeoutError::Timeout) => Err(hangs(deadline + GRACE)),
            Err(RecvTimeoutError::Disconnected) => Err(Failure::new("its thread ended without a verdict")),
        };
        result.map_or_else(|failure| weigh(case, failure.verdict(case.rule)), |()| Verdict::Passed)
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
            Need::OtherProcess if !harness.other_process => Some("the store lives in this process only"),
            Need::VirtualTime if harness.real_time && self.size < Size::Full => {
                Some("the server has a clock of its own, and the case waits for it: run it in full size")
            }
            _ => None,
        }
    }
}

fn go(case: &Case, context: &Context, deadline: Duration) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no runtime could be started: {error}")))?;
    let result = runtime.block_on(async {
        let ended = tokio::time::timeout(deadline, tokio::spawn((case.run)(context.clone()))).await;
        let result = match ended {
            Ok(Ok(result)) => result,
            Ok(Err(broken)) if broken.is_panic() => {
                Err(Failure::new(format!("panicked: {}", text(broken.into_panic().as_ref()))))
            }
            Ok(Err(_)) => Err(Failure::new("it was cancelled")),
            Err(_) => Err(hangs(deadline)),
        };
        let cleaned = clean(context).await;
        result.and(cleaned)
    });
    // What a hanging case left running must not keep the run from ending.
    runtime.shutdown_background();
    result
}

/// A case that is too new to count only warns.
fn weigh(case: &Case, verdict: Verdict) -> Verdict {
    let number = |text: &str| text.parse::<u16>().unwrap_or(0);
    let now = (number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR")));
    match verdict {
        Verdict::Failed { rule, seen } if now < case.mandatory_from => Verdict::Warned { rule, seen },
        verdict => verdict,
    }
}

async fn clean(context: &Context) -> Result<(), Failure> {
    if !matches!(context.harness.subject, Subject::Storage(_)) {
        return Ok(());
    }
    let storage = context.outer().await?;
    let used = context.next.load(std::sync::atomic::Ordering::SeqCst);
    for slot in context.slot..used {
        let place = Context { slot, ..context.clone() };
        litter::clean(&*storage, &place.prefix()?, context.at_once(litter::AT_ONCE))
            .await
            .map_err(|failure| Failure::new(format!("what the case left cannot be removed: {failure}")))?;
    }
    Ok(())
}

fn hangs(deadline: Duration) -> Failure {
    Failure::new(format!("hangs: it did not end within {} s", deadline.as_secs()))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

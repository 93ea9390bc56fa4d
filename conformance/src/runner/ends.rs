//! A case in a thread of its own: itself, and then cleaning up after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::Run;
use super::cleaning::clean;
use super::limit::{Ended, SLACK, hangs, hear, on_its_own, within};
use crate::case::Case;
use crate::context::Context;
use crate::verdict::Failure;

impl Run {
    /// What came of the case itself and of cleaning up after it: each is told, also where both failed.
    pub(super) fn ends(&self, case: &Case, deadline: Duration, context: Context) -> Result<(), Failure> {
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
            .map_err(|error| Failure::unjudged(format!("no thread could be started: {error}")))?;
        let slack = SLACK.min(grace);
        // Where even the clock of its runtime stands still, nothing will be cleaned.
        let Some(own) = hear(&told, deadline + slack) else { return Err(hangs(deadline)) };
        // First the case's runtime ends, then the cleaning up.
        let cleaned = hear(&told, slack + grace + slack + slack).unwrap_or_else(|| Err(hangs(grace)));
        // By now the clients are dropped: those of the case with its runtime, those of the cleaning with its task.
        beside(left(own, cleaned), releases.ended())
    }
}

/// Tells twice: what came of the case, and then of cleaning up after it.
fn go(case: &Case, context: &Context, deadline: Duration, grace: Duration, tell: &Sender<Ended>) {
    let killed = case.needs.iter().find_map(|need| context.harness.killed_for(*need));
    on_its_own(within(deadline, (case.run)(context.clone())), grace, tell);
    let context = context.clone();
    // What hangs in it is named before the whole does.
    let limit = grace + SLACK.min(grace);
    on_its_own(within(limit, async move { clean(&context, killed.as_deref(), grace).await }), grace, tell);
}

/// What is wrong with a case's place, unless its own failure is the same. It says nothing of the rule that the case guards.
fn left(own: Ended, cleaned: Ended) -> Ended {
    match (&own, cleaned) {
        (Err(failure), Err(litter)) if failure.seen().contains(litter.seen()) => own,
        (_, cleaned) => {
            let told = |litter: Failure| litter.within("what the case left cannot be removed").without_rule();
            beside(own, cleaned.map_err(told))
        }
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

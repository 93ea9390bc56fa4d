//! Whether the store still answers. Over one that is dead, each case would wait for its whole deadline: it is asked once, and then
//! no case is run until it answers again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::verdict::Failure;

/// How long a store of the usual pace has to answer when it is asked, both attempts together: longer than clients wait for a connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// After how many cases that were not run the store is asked again: at the first, for it may have been slow only. Each time that it
/// does not answer, after twice as many.
const ASKED_AGAIN: usize = 1;

/// What a run knows of its store. Where several cases run at once, one asks, and the others wait for what it hears.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Option<Stopped>>);

/// A store that does not answer.
#[derive(Debug)]
struct Stopped {
    /// The case in which it stopped.
    case: &'static str,
    /// How many cases were not run since it was asked, and at how many it is asked again.
    skipped: usize,
    asked_at: usize,
}

impl Health {
    /// Whether a case may begin: not while the store is known not to answer.
    pub(crate) fn admit(&self, answers: impl FnOnce() -> bool) -> Result<(), Failure> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stopped) = &mut *state else { return Ok(()) };
        stopped.skipped += 1;
        if stopped.skipped == stopped.asked_at {
            if answers() {
                *state = None;
                return Ok(());
            }
            (stopped.skipped, stopped.asked_at) = (0, stopped.asked_at * 2);
        }
        Err(Failure::unjudged(format!("not run: the store stopped answering in {}", stopped.case)))
    }

    /// The failure of a case that got no answer, and whether that is the store's doing.
    pub(crate) fn judge(&self, case: &'static str, failure: Failure, answers: impl FnOnce() -> bool) -> Failure {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            Some(stopped) => failure.stopped(&format!("the store stopped answering in {}", stopped.case)),
            None if answers() => failure,
            None => {
                *state = Some(Stopped { case, skipped: 0, asked_at: ASKED_AGAIN });
                failure.stopped("the store stopped answering: asked once more, it gave no answer either")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Failure {
        Failure::new("hangs")
    }

    fn never() -> bool {
        panic!("nobody may ask")
    }

    #[test]
    fn a_store_that_answers_is_asked_at_each_failure_only() {
        let health = Health::default();
        assert!(health.admit(never).is_ok());
        for _ in 0..3 {
            assert_eq!(health.judge("storage::x::y", lost(), || true).seen(), "hangs");
            assert!(health.admit(never).is_ok());
        }
    }

    #[test]
    fn a_dead_one_is_asked_more_and_more_rarely() {
        let health = Health::default();
        let told = health.judge("storage::x::y", lost(), || false);
        assert_eq!(told.seen(), "hangs; the store stopped answering: asked once more, it gave no answer either");
        let mut asked = Vec::new();
        for case in 1..=40 {
            let not_run = health.admit(|| {
                asked.push(case);
                false
            });
            assert_eq!(not_run.unwrap_err().seen(), "not run: the store stopped answering in storage::x::y");
        }
        assert_eq!(asked, [1, 3, 7, 15, 31]);
    }

    #[test]
    fn one_that_comes_back_is_noticed() {
        let health = Health::default();
        health.judge("storage::x::y", lost(), || false);
        let mut asked = 0;
        let mut admitted = |()| {
            let answers = || {
                asked += 1;
                asked > 2
            };
            health.admit(answers).is_ok()
        };
        let admitted = [(); 9].map(&mut admitted);
        assert_eq!(admitted, [false, false, false, false, false, false, true, true, true]);
        assert_eq!(asked, 3);
        assert_eq!(health.judge("storage::x::z", lost(), || true).seen(), "hangs");
    }

    #[test]
    fn who_was_under_way_when_it_stopped_does_not_ask_again() {
        let health = Health::default();
        health.judge("storage::x::y", lost(), || false);
        let told = health.judge("storage::x::z", lost(), never);
        assert_eq!(told.seen(), "hangs; the store stopped answering in storage::x::y");
    }
}

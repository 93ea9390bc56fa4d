//! What came of a case.

use std::any::Any;
use std::fmt;

use longshore_core::Error;

use crate::aside::is_silence;
use crate::case::Rule;

/// Why a case did not pass: what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    seen: String,
    rule: Option<Rule>,
    ignored: bool,
    silence: bool,
}

impl Failure {
    /// A broken rule, and what was seen of it.
    pub(crate) fn new(seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), rule: None, ignored: false, silence: false }
    }

    /// Not a failure after all: the case cannot be run here, and why.
    pub(crate) fn ignored(why: impl Into<String>) -> Self {
        Self { ignored: true, ..Self::new(why) }
    }

    /// No answer came: within a deadline, or because nobody can be reached.
    pub(crate) fn silence(seen: impl Into<String>) -> Self {
        Self { silence: true, ..Self::new(seen) }
    }

    /// A panic, with its message.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        Self::new(format!("panicked: {text}"))
    }

    /// Names another rule than the case's own.
    pub(crate) fn with_rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// What was seen.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    pub(crate) fn is_ignored(&self) -> bool {
        self.ignored
    }

    /// Whether no answer came: the store may be dead.
    pub(crate) fn is_silence(&self) -> bool {
        self.silence
    }

    /// Adds another failure beside it.
    pub(crate) fn beside(self, other: &Self) -> Self {
        let silence = self.silence || other.silence;
        Self { silence, ..self.and(&other.seen) }
    }

    /// Adds what else was seen.
    pub(crate) fn and(mut self, seen: &str) -> Self {
        self.seen = format!("{}; {seen}", self.seen);
        self
    }

    /// Says what it befell, before the words of what was seen.
    pub(crate) fn after(mut self, whom: impl fmt::Display) -> Self {
        self.seen = format!("{whom} {}", self.seen);
        self
    }

    /// Says where it was seen.
    pub(crate) fn within(mut self, place: impl fmt::Display) -> Self {
        self.seen = format!("{place}: {}", self.seen);
        self
    }

    pub(crate) fn verdict(self, rule: Rule) -> Verdict {
        if self.ignored {
            return Verdict::Ignored(self.seen);
        }
        Verdict::Failed { rule: self.rule.unwrap_or(rule), seen: self.seen }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen)
    }
}

/// A call that failed where it must not.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let outcome = error.outcome();
        let cause =
            std::error::Error::source(&error).map(|source| format!("; caused by: {source}")).unwrap_or_default();
        let seen = format!("a call failed that must not: {error} [{outcome:?}]{cause}");
        if is_silence(&error) { Self::silence(seen) } else { Self::new(seen) }
    }
}

/// What came of a case.
///
/// ```
/// use longshore_conformance::{Rule, Verdict};
///
/// let failed = Verdict::Failed { rule: Rule::Storage(3), seen: "two of 16 racers won".into() };
/// assert!(failed.is_failed());
/// assert!(!Verdict::Ignored("the store lives in this process only".into()).is_failed());
/// assert_eq!(failed.as_str(), "failed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule was kept.
    Passed,
    /// The rule was broken.
    Failed {
        /// Which one.
        rule: Rule,
        /// What was seen.
        seen: String,
    },
    /// As `Failed`, by a case that is too new to count.
    Warned {
        /// Which rule.
        rule: Rule,
        /// What was seen.
        seen: String,
    },
    /// The case was not run, and why.
    Ignored(String),
}

impl Verdict {
    /// Whether the case failed.
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// One lower-case word: passed, failed, warned or ignored.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Warned { .. } => "warned",
            Self::Ignored(_) => "ignored",
        }
    }
}

/// Goes on if the condition holds; else the case has failed, and the format says what was seen.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err($crate::verdict::Failure::new(format!($($seen)+)));
        }
    };
}
pub(crate) use ensure;

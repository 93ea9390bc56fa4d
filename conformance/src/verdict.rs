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
    breaks: Breaks,
    ignored: bool,
    /// Whether no answer came: to what failed, and to that or to what failed beside it.
    silent: bool,
    silence: bool,
}

/// What a failure says of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaks {
    /// The one that the case guards is broken.
    OfTheCase,
    /// Another one is.
    Other(Rule),
    /// Nothing: the case came to no judgement.
    Unknown,
}

impl Failure {
    /// A broken rule, and what was seen of it.
    pub(crate) fn new(seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), breaks: Breaks::OfTheCase, ignored: false, silent: false, silence: false }
    }

    /// A failure of the case itself, or of what runs it, from which nothing follows for any rule.
    pub(crate) fn unjudged(seen: impl Into<String>) -> Self {
        Self::new(seen).without_rule()
    }

    /// Not a failure after all: the case cannot be run here, and why.
    pub(crate) fn ignored(why: impl Into<String>) -> Self {
        Self { ignored: true, ..Self::new(why) }
    }

    /// No answer came: within a deadline, or because nobody can be reached.
    pub(crate) fn silence(seen: impl Into<String>) -> Self {
        Self { silent: true, silence: true, ..Self::new(seen) }
    }

    /// A panic, with its message.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        Self::unjudged(format!("panicked: {text}"))
    }

    /// Names another rule than the case's own.
    pub(crate) fn with_rule(mut self, rule: Rule) -> Self {
        self.breaks = Breaks::Other(rule);
        self
    }

    /// Names none: nothing is known of any.
    pub(crate) fn without_rule(mut self) -> Self {
        self.breaks = Breaks::Unknown;
        self
    }

    /// What was seen.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// Whether it tells of a rule.
    #[cfg(feature = "crash")]
    pub(crate) fn is_judged(&self) -> bool {
        self.breaks != Breaks::Unknown
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

    /// Adds that the store stopped answering. If nothing else was seen, no rule is judged.
    pub(crate) fn stopped(self, seen: &str) -> Self {
        let told = self.and(seen);
        if told.silent { told.without_rule() } else { told }
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
        let rule = match self.breaks {
            Breaks::OfTheCase => Some(rule),
            Breaks::Other(other) => Some(other),
            Breaks::Unknown => None,
        };
        Verdict::Failed { rule, seen: self.seen }
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
/// let failed = Verdict::Failed { rule: Some(Rule::Storage(3)), seen: "two of 16 racers won".into() };
/// assert!(failed.is_failed());
/// assert!(Verdict::Failed { rule: None, seen: "hangs: it did not end within 120s".into() }.is_failed());
/// assert!(!Verdict::Ignored("the store lives in this process only".into()).is_failed());
/// assert_eq!(failed.as_str(), "failed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule was kept.
    Passed,
    /// A rule was broken, or the case came to no judgement.
    Failed {
        /// Which rule. None if nothing is known of any: the case hung, it panicked, it was not run because the store had stopped
        /// answering, or its place could not be cleaned up.
        rule: Option<Rule>,
        /// What was seen.
        seen: String,
    },
    /// As `Failed`, by a case that is too new to count.
    Warned {
        /// Which rule; none as of `Failed`.
        rule: Option<Rule>,
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

/// What a failure says of a rule, in the words of every report.
pub(crate) fn breaks(rule: Option<Rule>) -> String {
    rule.map_or_else(|| "no rule is judged".to_owned(), |rule| format!("breaks {rule}"))
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

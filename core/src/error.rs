//! The one error type, whose kinds name the caller's next move.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Somebody else changed it first: read again, then decide.
    Conflict,
    /// A newer holder of the lease exists: stop.
    Fenced,
    /// Somebody else holds it: wait; [`Error::retry_after`] says for how long at most.
    Locked,
    /// The store cannot be reached or is busy: try again, after [`Error::retry_after`] if it says so.
    Unavailable,
    /// The credentials do not allow it.
    Denied,
    /// The bucket, the root folder or another prerequisite is not there.
    Missing,
    /// The store is not the one this replica knows: another, emptied, reset, rolled back, forked or moved.
    Replaced,
    /// No room is left.
    Full,
    /// This cannot be done here; also a store of a newer format.
    Unsupported,
    /// The call itself is wrong: mend it.
    Invalid,
    /// Stored bytes are damaged: repair.
    Corrupt,
    /// A defect of this library or of an adapter: report it.
    Internal,
}

impl ErrorKind {
    /// The kind as one lower-case word.
    ///
    /// ```
    /// assert_eq!(longshore_core::ErrorKind::Replaced.as_str(), "replaced");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Locked => "locked",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Replaced => "replaced",
            Self::Full => "full",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }

    const fn usual_outcome(self) -> Outcome {
        match self {
            Self::Unavailable | Self::Internal => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a failed write left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was written, and nothing of this call will be.
    NotApplied,
    /// It may have been written, or may still be: read back before deciding.
    Unknown,
}

/// A failure: what went wrong, in which operation, on which object, and what to do next.
///
/// `Display` is one lower-case line without the source; [`source`](StdError::source) gives that.
/// Never put secrets, tokens or signed addresses into a message or a source.
///
/// ```
/// use longshore_core::{Error, ErrorKind, Outcome};
/// use std::time::Duration;
///
/// let error = Error::new(ErrorKind::Unavailable, "the server answered 503")
///     .with_operation("create")
///     .with_key("domains/main/log/0/1/data")
///     .with_retry_after(Duration::from_secs(2));
/// assert_eq!(error.outcome(), Outcome::Unknown);
/// assert_eq!(
///     error.to_string(),
///     "create domains/main/log/0/1/data: the server answered 503 (unavailable)"
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<&'static str>,
    key: Option<String>,
    outcome: Outcome,
    retry_after: Option<Duration>,
    throttled: bool,
    below_floor: bool,
    expected: Option<String>,
    actual: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. Its outcome is `Unknown` for `Unavailable` and `Internal`, else `NotApplied`.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            key: None,
            outcome: kind.usual_outcome(),
            retry_after: None,
            throttled: false,
            below_floor: false,
            expected: None,
            actual: None,
            source: None,
        }))
    }

    /// Names the operation that failed, in the words of the traits: `create`, `get`, `lock` …; the innermost name stays.
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the object, file or document that it failed on; the innermost name stays.
    pub fn with_key(mut self, key: impl fmt::Display) -> Self {
        self.0.key.get_or_insert_with(|| key.to_string());
        self
    }

    /// Says what the failed write left behind.
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Says how long the caller should wait before it tries again.
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Says that the store limits our rate.
    pub fn with_throttled(mut self) -> Self {
        self.0.throttled = true;
        self
    }

    /// Marks it as what the engine meets where only a snapshot can go on: a sync takes that, and does not report it.
    pub(crate) fn with_below_floor(mut self) -> Self {
        self.0.below_floor = true;
        self
    }

    pub(crate) fn is_below_floor(&self) -> bool {
        self.0.below_floor
    }

    /// What was expected and what was found instead.
    pub fn with_expected(mut self, expected: impl fmt::Display, actual: impl fmt::Display) -> Self {
        self.0.expected = Some(expected.to_string());
        self.0.actual = Some(actual.to_string());
        self
    }

    /// Keeps the error that caused this one. It must not carry secrets.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The caller's next move.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The object, file or document that it failed on.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// What the failed write left behind; meaningless for reads.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// How long to wait before another try, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the store limits our rate.
    pub fn throttled(&self) -> bool {
        self.0.throttled
    }

    /// What was expected, on conflicts.
    pub fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What was found instead, on conflicts.
    pub fn actual(&self) -> Option<&str> {
        self.0.actual.as_deref()
    }

    /// The message alone, without operation, key and kind.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.operation(), self.key()) {
            (Some(operation), Some(key)) => write!(f, "{operation} {}: ", OneLine(key))?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(key)) => write!(f, "{}: ", OneLine(key))?,
            (None, None) => {}
        }
        write!(f, "{} ({})", OneLine(self.message()), self.kind())?;
        match (self.expected(), self.actual()) {
            (Some(expected), Some(actual)) => {
                write!(f, ", expected {}, found {}", OneLine(expected), OneLine(actual))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.kind()).field("message", &self.message());
        out.field("operation", &self.operation()).field("key", &self.key());
        out.field("outcome", &self.outcome());
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Text with its control characters escaped: a hostile id must not break a line of a log or move a cursor.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_stays_on_one_line() {
        let error = Error::new(ErrorKind::Invalid, "no\nway").with_key("a\r\n\u{1b}[2J");
        assert_eq!(error.to_string(), "a\\r\\n\\u{1b}[2J: no\\nway (invalid)");
    }

    #[test]
    fn the_innermost_name_stays() {
        let error = Error::new(ErrorKind::Full, "no room").with_operation("put").with_operation("sync");
        assert_eq!(error.operation(), Some("put"));
    }
}

//! What every answer tells, whatever it was asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{AGE, DATE, RETRY_AFTER};
use longshore_core::ServerTime;

/// The most that a server may ask us to wait. A longer wait is taken for this one.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The head of an answer, as far as every protocol over HTTP needs it.
///
/// ```
/// use longshore_http::Answer;
/// use std::time::Duration;
///
/// let reply = http::Response::builder()
///     .status(503)
///     .header("Date", "Thu, 01 Jan 1970 00:01:00 GMT")
///     .header("Retry-After", "Thu, 01 Jan 1970 00:01:30 GMT")
///     .body(())
///     .unwrap();
/// let answer = Answer::of(reply.status(), reply.headers());
/// assert_eq!(answer.status, 503);
/// assert_eq!(answer.time.unwrap().as_millis(), 60_000);
/// assert_eq!(answer.retry_after, Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The server's clock when it answered: `Date` (RFC 9110, section 6.6.1), to the second. None where a cache answered, as
    /// `Age` says (RFC 9111, section 5.1): that clock read so when the cache was filled.
    pub time: Option<ServerTime>,
    /// How long it asks us to wait: `Retry-After` in either of its forms (RFC 9110, section 10.2.3). The form that names a
    /// date is read by the server's own clock, so it needs `Date`.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Reads it from an answer's head. Malformed headers are as missing ones.
    pub fn of(status: http::StatusCode, headers: &HeaderMap) -> Self {
        let date = |name| {
            let text = headers.get(name)?.to_str().ok()?;
            httpdate::parse_http_date(text).ok()
        };
        let now: Option<SystemTime> = date(DATE);
        let wait = seconds(headers).or_else(|| date(RETRY_AFTER)?.duration_since(now?).ok());
        Self {
            status: status.as_u16(),
            time: now.filter(|_| !headers.contains_key(AGE)).and_then(server_time),
            retry_after: wait.map(|wait| wait.min(LONGEST_WAIT)),
        }
    }
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn server_time(time: SystemTime) -> Option<ServerTime> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(ServerTime::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let mut reply = http::Response::builder().status(429);
        for (name, value) in headers {
            reply = reply.header(*name, *value);
        }
        let reply = reply.body(()).unwrap();
        Answer::of(reply.status(), reply.headers())
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        assert_eq!(answer(&[("Retry-After", "7")]).retry_after, Some(Duration::from_secs(7)));
        let (now, then) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(answer(&[("Date", now), ("Retry-After", then)]).retry_after, Some(Duration::from_secs(30)));
        assert_eq!(answer(&[("Date", then), ("Retry-After", now)]).retry_after, None);
    }

    #[test]
    fn a_cache_tells_no_time() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(answer(&[date]).time.is_some());
        for age in ["0", "3600", "soon"] {
            assert_eq!(answer(&[date, ("Age", age)]).time, None, "{age}");
        }
    }

    #[test]
    fn what_is_malformed_is_as_missing() {
        for text in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(answer(&[("Retry-After", text), ("Date", text)]).retry_after, None, "{text}");
            assert_eq!(answer(&[("Date", text)]).time, None, "{text}");
        }
        assert_eq!(answer(&[("Retry-After", "18446744073709551615")]).retry_after, Some(LONGEST_WAIT));
    }
}

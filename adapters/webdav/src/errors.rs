//! What an answer means that is no success.

use longshore_core::{Error, ErrorKind, Outcome};

use crate::client::Answer;

/// The error of an answer. A refused write left nothing if the server says that it is our mistake, and a question if it is its own.
pub(crate) fn of_answer(answer: &Answer) -> Error {
    let error = of_status(answer.status, answer.is_page());
    // It is the answer to the last try, and says nothing of one that was lost.
    let error = if answer.repeated { error.with_outcome(Outcome::Unknown) } else { error };
    match answer.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

fn of_status(status: u16, page: bool) -> Error {
    use ErrorKind::{Denied, Full, Invalid, Missing, Unavailable, Unsupported};
    let error = |kind, hint: &str| {
        let outcome = if status >= 500 { Outcome::Unknown } else { Outcome::NotApplied };
        Error::new(kind, format!("the server answered {status}{hint}")).with_outcome(outcome)
    };
    match status {
        200..=299 if page => Error::new(
            Unavailable,
            format!(
                "a web page answered ({status}) instead of a WebDAV server: log in to the network, or check the address"
            ),
        )
        .with_outcome(Outcome::Unknown),
        200..=299 => error(Unavailable, ", which is no answer to this request").with_outcome(Outcome::Unknown),
        401 => error(Denied, ": it asks for credentials"),
        403 => error(Denied, ": it forbids this; reading, writing, moving and deleting are needed"),
        404 | 410 => error(Missing, ": the folder is not there; make it on the server, or check the address"),
        405 | 501 => error(Unsupported, ": no WebDAV at this address; check its path"),
        408 | 425 => error(Unavailable, ""),
        413 => error(Invalid, ": it takes no object this large; raise its limit for uploads"),
        423 => error(Unavailable, ": it says that somebody has locked it"),
        // A server that is overloaded may say so after the write has landed.
        429 | 503 | 509 => error(Unavailable, ": it limits our rate").with_outcome(Outcome::Unknown).with_throttled(),
        507 => error(Full, ": it has no room left; make some there"),
        409 | 412 | 500..=599 => error(Unavailable, "").with_outcome(Outcome::Unknown),
        _ => error(Invalid, ", which no folder of a WebDAV server does; check the address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_decided_is_settled() {
        let meaning = |status| {
            let error = of_status(status, false);
            (error.kind(), error.outcome())
        };
        assert_eq!(meaning(401), (ErrorKind::Denied, Outcome::NotApplied));
        assert_eq!(meaning(413), (ErrorKind::Invalid, Outcome::NotApplied));
        assert_eq!(meaning(507), (ErrorKind::Full, Outcome::Unknown));
        for status in [207, 409, 412, 429, 500, 502, 503, 504] {
            assert_eq!(meaning(status), (ErrorKind::Unavailable, Outcome::Unknown), "{status}");
        }
        assert!(of_status(503, false).throttled());
        assert!(of_status(200, true).to_string().contains("web page"));
    }
}

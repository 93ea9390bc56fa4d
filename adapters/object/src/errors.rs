//! What a failure means for the caller.

use longshore_core::{Error, ErrorKind, Outcome};

use crate::exchange::{Answered, Seen};

/// A server that complains of less than this many seconds means something else.
const LITTLE: u64 = 60;
const NOT_ALLOWED: &str = ": the credentials do not allow it; reading, writing, listing and deleting are needed, and where listing is \
                           denied a missing object is answered so as well";

/// The error of a call that failed.
///
/// What was seen of the answer decides; only of stores that are not watched, `object_store`'s own kind of error does. Its words
/// are repeated then only: behind HTTP they hold addresses, keys and the server's page.
pub(crate) fn meaning(error: object_store::Error, seen: Option<Seen>) -> Error {
    match seen {
        Some(Seen::Failed(error)) => error,
        Some(Seen::Answered(answered)) => of_answer(&answered),
        None => of_kind(error),
    }
}

/// Whether the object is missing, in the store's own words: a missing bucket is something else, and so is the 404 of a server on
/// the way.
pub(crate) fn is_missing(error: &object_store::Error, seen: Option<&Seen>) -> bool {
    match seen {
        Some(Seen::Answered(answered)) => {
            answered.status == 404
                && matches!(answered.code.as_deref(), Some("NoSuchKey" | "NotFound" | "BlobNotFound"))
        }
        Some(Seen::Failed(_)) => false,
        None => matches!(error, object_store::Error::NotFound { .. }),
    }
}

/// What an answer says that is not a success, or that cannot be read as one.
pub(crate) fn of_answer(answered: &Answered) -> Error {
    let error = match answered.code.as_deref().and_then(|code| of_code(code, answered)) {
        Some(error) => error,
        None => of_status(answered),
    };
    match answered.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

/// The codes of S3 and its like that say more than their status.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, and for storage that is full, `MinIO`'s and
/// Ceph's own codes.
fn of_code(code: &str, answered: &Answered) -> Option<Error> {
    use ErrorKind::{Denied, Full, Invalid, Missing, Unavailable, Unsupported};
    let error = |kind, message: &'static str| Some(Error::new(kind, message).with_outcome(settled(answered)));
    match code {
        "NoSuchBucket" => error(Missing, "the bucket does not exist; create it, or mend the address"),
        "NoSuchUpload" => error(Unavailable, "the server has dropped the upload"),
        "InvalidBucketName" => error(Invalid, "the server takes this for no bucket's name"),
        "ExpiredToken" | "TokenRefreshRequired" => error(Denied, "the session token has expired; get new credentials"),
        "InvalidToken" | "InvalidClientTokenId" => error(Denied, "the server does not know the session token"),
        "InvalidAccessKeyId" => error(Denied, "the server does not know the access key"),
        "SignatureDoesNotMatch" => {
            error(Denied, "the signature does not match: is the secret key right, and the region?")
        }
        "RequestTimeTooSkewed" | "RequestExpired" => Some(Error::new(Denied, skewed(answered))),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            Some(Error::new(Invalid, elsewhere(answered)))
        }
        "NotImplemented" | "MethodNotAllowed" => error(
            Unsupported,
            "the server does not know this request: it may lack conditional writes; use another, or a newer one",
        ),
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "InsufficientStorage"
        | "StorageFull"
        | "XMinioAdminBucketQuotaExceeded" => error(Full, "the server has no room left"),
        "EntityTooLarge" => error(Invalid, "the server takes no object this large"),
        "RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch" => {
            error(Unavailable, "the object did not arrive whole")
        }
        "SlowDown" | "Throttling" | "RequestLimitExceeded" | "TooManyRequests" => Some(busy(answered)),
        _ => None,
    }
}

fn of_status(answered: &Answered) -> Error {
    use ErrorKind::{Denied, Full, Invalid, Missing, Unavailable, Unsupported};
    let (status, told) = (answered.status, told(answered));
    let error = |kind, hint: &str| Error::new(kind, format!("{told}{hint}")).with_outcome(settled(answered));
    match status {
        // What came after the status is an error that says nothing else: as a gateway's, it leaves a question.
        200..=299 if answered.code.as_deref() == Some("AccessDenied") => error(Denied, NOT_ALLOWED),
        200..=299 if answered.code.is_some() => Error::new(Unavailable, told).with_outcome(Outcome::Unknown),
        200..=299 => Error::new(Unavailable, format!("{told}, and something that is no answer of an object store"))
            .with_outcome(Outcome::Unknown),
        300..=399 => Error::new(Invalid, elsewhere(answered)),
        401 => error(Denied, ": it asks for credentials"),
        403 => error(Denied, NOT_ALLOWED),
        404 => error(Missing, ": the place is not there"),
        405 | 501 => error(Unsupported, ": it may lack conditional writes; use another, or a newer one"),
        408 | 425 => error(Unavailable, ""),
        413 => error(Invalid, ": it takes no object this large"),
        429 | 503 | 509 => busy(answered),
        507 => error(Full, ": it has no room left"),
        // Of 409 and 412: two writes met, and neither is known to have won.
        409 | 412 | 500..=599 => Error::new(Unavailable, told).with_outcome(Outcome::Unknown),
        _ => error(Invalid, ""),
    }
}

/// The server's own words, as far as they are known.
fn told(answered: &Answered) -> String {
    let status = answered.status;
    match &answered.code {
        Some(code) if status < 300 => format!("the server answered {status}, and then {code}"),
        Some(code) => format!("the server answered {status} {code}"),
        None => format!("the server answered {status}"),
    }
}

fn busy(answered: &Answered) -> Error {
    // A gateway may say so after the write behind it has landed.
    Error::new(ErrorKind::Unavailable, format!("{}: it limits our rate", told(answered)))
        .with_outcome(Outcome::Unknown)
        .with_throttled()
}

/// One line about two clocks: by how much they differ, if both are known.
fn skewed(answered: &Answered) -> String {
    let theirs = answered.time.map(|time| time.as_millis() / 1000);
    let apart = answered.signed.zip(theirs).and_then(|(ours, theirs)| distance(ours, theirs));
    let apart = apart.unwrap_or_else(|| "too far from".to_owned());
    format!(
        "this machine's clock is {apart} the server's, which takes no signature that far from its own time; set the clock right, \
         best by a time service"
    )
}

/// Where our clock is, seen from theirs, both in seconds since 1970: `2 h 5 min behind`. None if they agree.
pub(crate) fn distance(ours: u64, theirs: u64) -> Option<String> {
    let (seconds, side) = (ours.abs_diff(theirs), if ours < theirs { "behind" } else { "ahead of" });
    let (minutes, hours) = (seconds / 60 % 60, seconds / 3600);
    match seconds {
        0..LITTLE => None,
        LITTLE..3600 => Some(format!("{minutes} min {side}")),
        3600..172_800 => Some(format!("{hours} h {minutes} min {side}")),
        _ => Some(format!("{} days {side}", hours / 24)),
    }
}

fn elsewhere(answered: &Answered) -> String {
    match &answered.region {
        Some(region) => format!("the bucket lies in another region; set the region to {region}"),
        None => format!(
            "the server answered {}: the bucket lies in another region or at another address; set region or endpoint",
            answered.status
        ),
    }
}

/// What an answer leaves of a write that it refuses: a gateway's 5xx leaves a question, any other nothing.
fn settled(answered: &Answered) -> Outcome {
    if answered.status >= 500 { Outcome::Unknown } else { Outcome::NotApplied }
}

fn of_kind(error: object_store::Error) -> Error {
    use object_store::Error as Theirs;
    let kind = match error {
        Theirs::NotFound { .. } => ErrorKind::Missing,
        Theirs::PermissionDenied { .. } | Theirs::Unauthenticated { .. } => ErrorKind::Denied,
        Theirs::NotSupported { .. } | Theirs::NotImplemented { .. } => ErrorKind::Unsupported,
        Theirs::InvalidPath { .. } | Theirs::UnknownConfigurationKey { .. } => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    let outcome = if kind == ErrorKind::Unavailable { Outcome::Unknown } else { Outcome::NotApplied };
    Error::new(kind, "the object store failed").with_outcome(outcome).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning_of(status: u16, code: &str) -> (ErrorKind, Outcome) {
        let code = (!code.is_empty()).then(|| code.to_owned());
        let error = of_answer(&Answered { status, code, ..Answered::default() });
        (error.kind(), error.outcome())
    }

    #[test]
    fn only_what_the_server_decided_is_settled() {
        assert_eq!(meaning_of(403, "AccessDenied"), (ErrorKind::Denied, Outcome::NotApplied));
        assert_eq!(meaning_of(404, "NoSuchBucket"), (ErrorKind::Missing, Outcome::NotApplied));
        assert_eq!(meaning_of(507, ""), (ErrorKind::Full, Outcome::Unknown));
        for (status, code) in
            [(500, "InternalError"), (502, ""), (503, "SlowDown"), (409, ""), (412, ""), (200, ""), (429, "")]
        {
            assert_eq!(meaning_of(status, code), (ErrorKind::Unavailable, Outcome::Unknown), "{status} {code}");
        }
        assert_eq!(meaning_of(200, "InternalError"), (ErrorKind::Unavailable, Outcome::Unknown));
        assert_eq!(meaning_of(200, "AccessDenied"), (ErrorKind::Denied, Outcome::NotApplied));
    }

    #[test]
    fn a_region_is_named() {
        let answered = Answered { status: 301, region: Some("eu-west-1".to_owned()), ..Answered::default() };
        let error = of_answer(&answered);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("eu-west-1"), "{error}");
    }

    #[test]
    fn a_distance_is_told_in_few_words() {
        let told = |ours, theirs| distance(ours, theirs).unwrap_or_default();
        assert_eq!(told(1000, 1059), "");
        assert_eq!(told(1000, 1000 + 16 * 60 + 5), "16 min behind");
        assert_eq!(told(8000, 8000 - 2 * 3600 - 300), "2 h 5 min ahead of");
        assert_eq!(told(0, 3 * 86_400 + 7), "3 days behind");
    }
}

//! Why there is no answer.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use longshore_core::{Error, ErrorKind, Outcome};
use rustls::CertificateError;

/// What went wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: the name is unknown, nobody listens, the network is down. Nothing was sent.
    Connect,
    /// The server's certificate is not trusted. Nothing was sent.
    Certificate,
    /// The server's certificate is made out to another name than that in the address. Nothing was sent.
    CertificateName,
    /// The server's certificate has expired, or is not valid yet. Nothing was sent.
    CertificateTime,
    /// What answers there does not speak TLS as we do. Nothing was sent.
    Tls,
    /// The server closed the connection, or the request, before it took the request up, and says so as only HTTP/2 can: nothing was
    /// done.
    Refused,
    /// Nothing moved for the idle timeout.
    Idle,
    /// The request took longer than the caller's budget.
    OverBudget,
    /// The connection broke.
    Broken,
    /// What came back is no HTTP.
    NotHttp,
    /// The request could not be built.
    Malformed,
}

/// A request that got no answer. It names no address and no header, so it can be logged.
#[derive(Clone, Debug)]
pub struct SendFailure {
    kind: FailureKind,
    detail: String,
}

impl SendFailure {
    pub(crate) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// What went wrong.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether the server can have seen the request, so that a write may have been applied.
    pub fn is_sent(&self) -> bool {
        matches!(self.kind, FailureKind::Idle | FailureKind::OverBudget | FailureKind::Broken | FailureKind::NotHttp)
    }

    /// The error of this failure: `Unavailable`, or `Invalid` for a request that could not be built; its outcome is `Unknown`
    /// if the request can have been seen. Its source is this failure.
    pub fn to_error(&self) -> Error {
        let kind = if self.kind == FailureKind::Malformed { ErrorKind::Invalid } else { ErrorKind::Unavailable };
        let outcome = if self.is_sent() { Outcome::Unknown } else { Outcome::NotApplied };
        Error::new(kind, self.to_string()).with_outcome(outcome).with_source(self.clone())
    }
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FailureKind::Connect => "the server cannot be reached",
            FailureKind::Certificate => {
                "the server's certificate is not trusted; if it is your own, give its CA certificate, in an address as ca=FILE"
            }
            FailureKind::CertificateName => {
                "the server's certificate does not match the host name; use a name in the address that the certificate is made out to"
            }
            FailureKind::CertificateTime => {
                "the server's certificate is out of date; renew it on the server, or set the clock of this machine"
            }
            FailureKind::Tls => "no TLS connection; is this an http address, or a port for plain text?",
            FailureKind::Refused => "the server did not take the request up",
            FailureKind::Idle => "the connection stood still",
            FailureKind::OverBudget => "the request took longer than its budget",
            FailureKind::Broken => "the connection broke",
            FailureKind::NotHttp => {
                "what answers there speaks no HTTP; is it a port for TLS, and the address to be https?"
            }
            FailureKind::Malformed => "the request could not be built",
        };
        f.write_str(what)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl StdError for SendFailure {}

impl From<reqwest::Error> for SendFailure {
    fn from(error: reqwest::Error) -> Self {
        let kind = if error.is_builder() {
            FailureKind::Malformed
        } else if error.is_connect() {
            // Later, TLS breaks as any connection does: the server may have read the request by then.
            find::<rustls::Error>(&error).map_or(FailureKind::Connect, of_tls)
        } else if find::<h2::Error>(&error).is_some_and(is_refusal) {
            FailureKind::Refused
        } else if find::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse) {
            FailureKind::NotHttp
        } else {
            FailureKind::Broken
        };
        Self::new(kind, innermost(&error.without_url()))
    }
}

/// Whether the server promises that it did nothing of the request (RFC 9113, section 8.7): it was reset as refused, or came after the
/// last one of a connection that is closed in order.
fn is_refusal(error: &h2::Error) -> bool {
    let reset = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let behind_the_last = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    error.is_remote() && (reset || behind_the_last)
}

fn of_tls(error: &rustls::Error) -> FailureKind {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    match error {
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            FailureKind::CertificateName
        }
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => FailureKind::CertificateTime,
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => FailureKind::Certificate,
        _ => FailureKind::Tls,
    }
}

/// The first of the causes that is of this type, also where an `io::Error` holds it.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The words of the last cause: the outer ones only say that there is one.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_decides_what_helps() {
        let hint = |error| SendFailure::new(of_tls(&rustls::Error::InvalidCertificate(error)), "").to_string();
        assert!(hint(CertificateError::UnknownIssuer).contains("give its CA certificate"));
        assert!(hint(CertificateError::NotValidForName).contains("does not match the host name"));
        for out_of_date in [CertificateError::Expired, CertificateError::NotValidYet] {
            assert!(hint(out_of_date).contains("is out of date"));
        }
    }
}

//! A folder on a scripted server.

#![allow(dead_code, reason = "each file of tests uses some of it")]

use std::fmt::Write as _;

use longshore_core::{Error, ObjectKey};
use longshore_http_script::{Answer, Script, response};
use longshore_webdav::WebDav;

/// A server that answers so.
pub(crate) fn script(answers: impl IntoIterator<Item = Answer>) -> Script {
    Script::new(answers).unwrap()
}

/// A folder on it, whose path has a space and whose password is `sesame`.
pub(crate) fn folder(server: &Script) -> WebDav {
    WebDav::builder(format!("http://{}/dav/my notes", server.address())).with_password("me", "sesame").build().unwrap()
}

pub(crate) fn record() -> ObjectKey {
    ObjectKey::new("log/0000000000000001/data").unwrap()
}

pub(crate) fn segment() -> ObjectKey {
    ObjectKey::new("segments/one").unwrap()
}

/// An answer that says it in its status.
pub(crate) fn done(status: u16) -> Answer {
    response(status, "", "")
}

/// An answer with these bytes.
pub(crate) fn read(bytes: &str) -> Answer {
    response(200, "", bytes)
}

/// A listing of these, four bytes each.
pub(crate) fn listing(members: &[&str]) -> Answer {
    let members: String = members.iter().map(|href| member(href)).collect();
    response(207, "", &format!("<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\">{members}</d:multistatus>"))
}

/// A member of a listing.
fn member(href: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:getcontentlength>4</d:getcontentlength></d:prop>\
         <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
}

/// The methods and targets of what was asked, with temporaries by one name.
pub(crate) fn asked(server: &Script) -> Vec<String> {
    let line = |head: &String| {
        let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        match line.find("tmp.") {
            Some(at) => format!("{}tmp{}", &line[..at], &line[at + 36..]),
            None => line,
        }
    };
    server.requests().iter().map(line).collect()
}

/// One line that holds no secret, also not in what is told of its causes.
pub(crate) fn is_clear(error: &Error) {
    let line = error.to_string();
    assert!(line.lines().count() == 1 && line.len() < 400, "{line}");
    let mut told = format!("{line} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(told, "{error} {error:?}").unwrap();
        cause = error.source();
    }
    for secret in ["sesame", "bWU6c2VzYW1l", "Authorization"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

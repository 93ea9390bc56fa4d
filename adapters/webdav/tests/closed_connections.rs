//! A busy server closes all connections that it kept, at any moment. Whoever comes then meets one after another of them.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use longshore_core::{ByteRange, Error, ErrorKind, ObjectKey, Outcome, Storage as _};
use longshore_http_script::{Answer, Script, response};
use longshore_webdav::WebDav;

/// What is read of a server that closes so many connections before it answers.
async fn read(closed: usize) -> Result<String, Error> {
    let answers = std::iter::repeat_n(Answer::Close(Vec::new()), closed).chain([response(200, "", "here")]);
    let server = Script::new(answers).unwrap();
    let storage = WebDav::builder(format!("http://{}/dav", server.address())).with_anonymous().build().unwrap();
    let key = ObjectKey::new("segments/one").unwrap();
    let object = storage.get(&key, ByteRange::ALL).await?.value.unwrap();
    Ok(String::from_utf8(object.read(100).await?.to_vec()).unwrap())
}

#[tokio::test]
async fn three_of_them_are_borne() {
    for closed in 0..=3 {
        assert_eq!(read(closed).await.unwrap(), "here", "{closed}");
    }
}

#[tokio::test]
async fn a_server_that_closes_all_is_left() {
    let error = read(4).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert!(error.to_string().contains("the connection broke"), "{error}");
}

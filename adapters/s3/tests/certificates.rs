//! A server whose certificate is right, under a name that it is not made out to.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::convert::Infallible;

use longshore_core::{ErrorKind, Folder, Outcome, Storage as _};
use longshore_http_script::{HttpServer, Scheme};
use longshore_s3::{HttpOptions, S3};

#[tokio::test]
async fn a_certificate_of_another_name_is_no_question_of_its_authority() {
    let answer = |_: hyper::Request<_>| async { Ok::<_, Infallible>(hyper::Response::new(String::new())) };
    let server = HttpServer::start(Scheme::Https, answer).unwrap();
    let storage = S3::builder("test")
        .with_endpoint(format!("https://[::ffff:127.0.0.1]:{}", server.address().port()))
        .with_credentials("key", "secret", None)
        .with_http(HttpOptions::default().with_root_certificate(HttpServer::AUTHORITY))
        .build()
        .unwrap();
    let error = storage.list(&Folder::ROOT, None).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(error.to_string().contains("does not match the host name"), "{error}");
    assert!(!error.to_string().contains("CA certificate"), "{error}");
}

//! A server whose certificate is right, under a name that it is not made out to.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use longshore_core::{ErrorKind, Folder, Outcome, Storage as _};
use longshore_webdav::{HttpOptions, WebDav};
use longshore_webdav_double::Double;

#[tokio::test]
async fn a_certificate_of_another_name_is_no_question_of_its_authority() {
    let server = Double::start_with_tls().unwrap();
    let list = |host: &str| {
        let address = format!("https://{host}:{}/store", server.address().port());
        let http = HttpOptions::default().with_root_certificate(Double::AUTHORITY);
        let storage = WebDav::builder(address).with_password(Double::USER, Double::PASSWORD).with_http(http).build();
        async move { storage.unwrap().list(&Folder::ROOT, None).await }
    };
    assert!(list("127.0.0.1").await.is_ok());
    let error = list("[::ffff:127.0.0.1]").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(error.to_string().contains("does not match the host name"), "{error}");
    assert!(!error.to_string().contains("CA certificate"), "{error}");
}

//! Who we are is shown as the server asks, and what it refuses is not shown again: servers lock accounts.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use longshore_core::{ByteRange, ErrorKind, Storage as _};
use longshore_http_script::response;
use longshore_webdav::WebDav;
use longshore_webdav_double::Double;
use support::{folder, is_clear, read, record, script};

const BASIC: &str = "WWW-Authenticate: Basic realm=\"dav\"\r\n";

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    let server = script([response(401, BASIC, "")]);
    let storage = folder(&server);
    for _ in 0..5 {
        let error = storage.get(&record(), ByteRange::ALL).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("the server does not take the user and the password"), "{error}");
        is_clear(&error);
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn many_at_once_send_a_wrong_password_three_times_at_the_most() {
    let server = script(vec![response(401, BASIC, ""); 20]);
    let storage = folder(&server);
    let key = record();
    join_all((0..20).map(|_| storage.get(&key, ByteRange::ALL))).await;
    assert!(server.requests().len() <= 3, "{}", server.requests().len());
}

/// As many as opening a session sends at once. However often it is tried again with the same client, no more are sent.
#[tokio::test]
async fn a_server_counts_three_wrong_logins_of_a_client_at_the_most() {
    let server = Double::start().unwrap();
    let storage = WebDav::builder(server.url("store")).with_password(Double::USER, "sesame").build().unwrap();
    let key = record();
    for _ in 0..3 {
        for reply in join_all((0..20).map(|_| storage.get(&key, ByteRange::ALL))).await {
            let error = reply.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            is_clear(&error);
        }
        assert!((1..=3).contains(&server.wrong_logins()), "{}", server.wrong_logins());
    }
}

#[tokio::test]
async fn digest_is_answered_and_its_nonce_is_renewed() {
    let digest = |nonce: &str, stale: &str| {
        let header = format!("WWW-Authenticate: Digest realm=\"dav\", qop=\"auth\", nonce=\"{nonce}\"{stale}\r\n");
        response(401, &header, "")
    };
    let server = script([digest("n1", ""), read("mine"), digest("n2", ", stale=true"), read("mine")]);
    let storage = folder(&server);
    for _ in 0..2 {
        assert!(storage.get(&record(), ByteRange::ALL).await.unwrap().value.is_some());
    }
    let requests = server.requests();
    assert!(requests[1].contains("nonce=\"n1\"") && requests[3].contains("nonce=\"n2\""), "{requests:?}");
    assert!(requests[1].contains("uri=\"/dav/my%20notes/log/0000000000000001/data\""), "{}", requests[1]);
    // A wrong one is answered once.
    let server = script([digest("n1", ""), digest("n1", ""), digest("n1", "")]);
    assert_eq!(folder(&server).get(&record(), ByteRange::ALL).await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_token_that_expires_is_renewed() {
    let server = script([read("mine"), response(401, "WWW-Authenticate: Bearer\r\n", ""), read("mine")]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let storage = WebDav::builder(format!("http://{}/dav", server.address()))
        .with_tokens(move || {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            async move { Ok(format!("sesame-{number}")) }
        })
        .build()
        .unwrap();
    for _ in 0..2 {
        assert!(storage.get(&record(), ByteRange::ALL).await.unwrap().value.is_some());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(server.requests()[2].contains("Bearer sesame-1"), "{:?}", server.requests());
}

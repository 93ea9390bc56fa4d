//! Who gives a password to another machine over plain HTTP is warned, once: one that is shown again and again is read no more.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use longshore_http_script::Log;
use longshore_webdav::{WebDav, WebDavBuilder};

#[test]
fn an_open_address_is_warned_of_once() {
    let log = Log::capture().unwrap();
    let warned = |builder: WebDavBuilder| {
        let before = log.text().len();
        builder.build().unwrap();
        let text = log.text()[before..].to_owned();
        text.lines().filter(|line| line.contains("WARN") && line.contains("without TLS")).count()
    };
    let with_password = |address: &str| WebDav::builder(address).with_password("me", "sesame");
    for address in ["http://127.0.0.1/dav", "http://[::1]:8080/dav", "http://localhost/dav", "https://nas/dav"] {
        assert_eq!(warned(with_password(address)), 0, "{address}");
    }
    assert_eq!(warned(WebDav::builder("http://nas/dav").with_anonymous()), 0, "there is no password");
    assert_eq!(warned(with_password("http://nas/dav")), 1);
    // The same, however it is written, and whoever is let in there.
    for address in ["http://nas/dav", "http://nas/dav/", "http://NAS:80/dav", "http://you:sesame@nas/dav"] {
        assert_eq!(warned(with_password(address)), 0, "{address}");
    }
    assert_eq!(warned(WebDav::builder("http://nas/other").with_tokens(|| async { Ok("token".to_owned()) })), 1);
    let text = log.text();
    assert!(text.contains("address=http://nas/dav/") && !text.contains("sesame"), "{text}");
}

//! A bucket on a scripted server.

use std::net::SocketAddr;
use std::time::Duration;

use longshore_core::ObjectKey;
use longshore_http_script::{Answer, Script, response};
use longshore_s3::{HttpOptions, S3};

/// A response as S3 gives it to a request that it refuses.
pub(crate) fn refusal(status: u16, headers: &str, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>sesame</Message></Error>");
    response(status, &format!("{headers}Content-Type: application/xml\r\n"), &body)
}

/// A server that answers so.
pub(crate) fn script(answers: impl IntoIterator<Item = Answer>) -> Script {
    Script::new(answers).unwrap()
}

/// A bucket on it, whose key, secret and token all hold the word `sesame`.
pub(crate) fn bucket(server: &Script) -> S3 {
    bucket_at(server.address(), Duration::from_secs(20))
}

/// The same, for a server that stands still.
pub(crate) fn impatient(server: &Script) -> S3 {
    bucket_at(server.address(), Duration::from_millis(300))
}

fn bucket_at(address: SocketAddr, idle: Duration) -> S3 {
    S3::builder("test")
        .with_prefix("notes")
        .with_endpoint(format!("http://{address}"))
        .with_allow_http(true)
        .with_credentials("key-sesame", "secret-sesame", Some("token-sesame".to_owned()))
        .with_http(HttpOptions::default().with_idle_timeout(idle))
        .build()
        .unwrap()
}

pub(crate) fn record() -> ObjectKey {
    ObjectKey::new("domains/main/log/0000000000000000/0000000000000001/data").unwrap()
}

pub(crate) fn segment() -> ObjectKey {
    ObjectKey::new("domains/main/segments/one").unwrap()
}

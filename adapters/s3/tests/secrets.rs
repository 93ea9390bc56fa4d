//! What is logged holds no secret, also at the level at which crates tell every step: whoever sends a log with a report sends no keys.
//!
//! All that the process logs is heard, of every crate.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

#[allow(dead_code, reason = "other tests use the rest")]
mod support;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::TryStreamExt as _;
use longshore_core::{
    ByteRange, Change, Client, Document, DomainName, Folder, MemoryReplica, Payload, Result, Storage as _, TokioRuntime,
};
use longshore_http_script::{Answer, Log, response};
use longshore_s3::{HttpOptions, S3, S3Builder};
use longshore_s3_double::{Double, Kind};
use support::{record, refusal, script, segment};

// As AWS makes them, but for the first: the server in this process knows one key only.
const KEY: &str = Double::ACCESS_KEY;
const OTHER_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDsecond+part==";
const PASSWORD: &str = "proxy-pass/word+1";
/// The token that stands for a container.
const CONTAINER: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImNvbnRhaW5lciJ9.eyJzdWIiOiJ1cyJ9";

/// A process with this variable is the one in a container.
const CHILD: &str = "LONGSHORE_TEST_CONTAINER";

fn bucket(endpoint: &str, key: &str) -> S3Builder {
    let builder = S3::builder(Double::BUCKET).with_endpoint(endpoint).with_allow_http(true);
    builder.with_credentials(key, SECRET, Some(TOKEN.to_owned())).with_http(HttpOptions::default())
}

/// For a server that stands still.
fn impatient() -> HttpOptions {
    HttpOptions::default().with_idle_timeout(Duration::from_millis(300))
}

fn at(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Each kind of request. What they end in is not the question here.
async fn use_all(bucket: &S3) -> Vec<Result<()>> {
    let large = Payload::from_parts(vec![vec![7; 1 << 20].into(); 17]);
    let mut ended = vec![
        bucket.create(&record(), "mine".into()).await.map(drop),
        bucket.create(&record(), "mine".into()).await.map(drop),
        bucket.put(&segment(), "bytes".into()).await.map(drop),
        bucket.put(&segment(), large).await.map(drop),
        bucket.list(&Folder::ROOT, None).await.map(drop),
        bucket.delete(&record()).await.map(drop),
    ];
    for range in [ByteRange::ALL, ByteRange::new(1, 2), ByteRange::new(99, 1), ByteRange::new(0, 0)] {
        ended.push(read(bucket, range).await);
    }
    ended
}

async fn read(bucket: &S3, range: ByteRange) -> Result<()> {
    match bucket.get(&segment(), range).await?.value {
        Some(object) => object.into_stream().try_collect::<Vec<_>>().await.map(drop),
        None => Ok(()),
    }
}

async fn sync(bucket: S3) {
    let server = bucket.server(Arc::new(TokioRuntime), &DomainName::default()).unwrap();
    let replica = MemoryReplica::new();
    replica.write(vec![Change::put(Document::new("note", "text").unwrap())]).await.unwrap();
    Client::builder(Arc::new(server), Arc::new(replica)).build().sync().await.unwrap();
}

/// What goes wrong, and what is answered then.
fn refusals() -> Vec<Answer> {
    let mut answers: Vec<Answer> =
        ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "RequestTimeTooSkewed"]
            .map(|code| refusal(403, "", code))
            .into();
    answers.extend([
        refusal(503, "Retry-After: 7\r\n", "SlowDown"),
        refusal(500, "", "InternalError"),
        response(307, "Location: http://127.0.0.1:9/test/x\r\n", ""),
        response(200, "", "<html>Welcome!</html>"),
        // A server that says what it was sent.
        response(403, "", &format!("<Error><Code>{SECRET}</Code><StringToSign>{TOKEN}</StringToSign></Error>")),
        Answer::Close(Vec::new()),
        Answer::Close(b"HTTP/1.1 2".to_vec()),
        Answer::Close(b"\0\x01garbage\r\n\r\n".to_vec()),
        Answer::Hold(b"HTTP/1.1 200 OK\r\n".to_vec()),
    ]);
    answers
}

fn is_silent(log: &Log, secrets: &[&str]) {
    for secret in secrets {
        assert_eq!(log.holding(secret), None, "{secret} was logged");
    }
}

#[tokio::test]
async fn no_credential_is_logged() {
    if std::env::var_os(CHILD).is_some() {
        return in_a_container().await;
    }
    let log = Log::capture().unwrap();
    let (double, encrypted) = (Double::start(Kind::Sound).unwrap(), Double::start_with_tls(Kind::Sound).unwrap());
    sync(bucket(&double.endpoint(), KEY).build().unwrap()).await;
    for ended in use_all(&bucket(&double.endpoint(), KEY).build().unwrap()).await {
        ended.unwrap();
    }
    let trusting = bucket(&encrypted.endpoint(), KEY).with_root_certificate(Double::AUTHORITY).build().unwrap();
    assert!(use_all(&trusting).await.into_iter().all(|ended| ended.is_ok()));

    let (proxy, refusing) =
        (script(vec![response(200, "ETag: \"0\"\r\n", ""); 20]), script(vec![response(407, "", ""); 20]));
    let through =
        |proxy: SocketAddr| HttpOptions::default().with_proxy(format!("http://us:{}@{proxy}", "proxy-pass%2Fword%2B1"));
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let mut builders = vec![
        // Another key than it knows; no trust; nobody there.
        bucket(&double.endpoint(), OTHER_KEY),
        bucket(&encrypted.endpoint(), KEY),
        bucket(&at(gone), KEY),
        bucket(&at(gone), KEY).with_http(through(proxy.address())),
        bucket("https://s3.invalid", KEY).with_http(through(refusing.address())),
    ];
    let servers: Vec<_> = refusals().into_iter().map(|answer| script(vec![answer; 20])).collect();
    builders.extend(servers.iter().map(|server| bucket(&at(server.address()), OTHER_KEY).with_http(impatient())));
    for builder in builders {
        use_all(&builder.build().unwrap()).await;
    }
    assert!(proxy.requests()[0].to_lowercase().contains("\r\nproxy-authorization: basic "));
    for address in
        [format!("s3://{OTHER_KEY}:{PASSWORD}@bucket/"), format!("s3://b/?endpoint=http://us:{PASSWORD}@host")]
    {
        S3::open(&address).unwrap_err();
    }

    let text = log.text();
    for heard in ["longshore_core", "reqwest::connect", "hyper_util::client"] {
        assert!(text.contains(heard), "nothing of {heard} was heard");
    }
    is_silent(&log, &[OTHER_KEY, SECRET, TOKEN, PASSWORD, "Signature=", "Credential="]);
    from_a_service();
}

/// In a process of its own, which finds its credentials as one in a container does.
fn from_a_service() {
    let keys = format!(r#""AccessKeyId":"{OTHER_KEY}","SecretAccessKey":"{SECRET}","Token":"{TOKEN}""#);
    let found = response(200, "", &format!(r#"{{"Code":"Success",{keys},"Expiration":"2999-01-01T00:00:00Z"}}"#));
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/container-token-of-secrets");
    std::fs::write(file, CONTAINER).unwrap();
    for answer in [found, response(403, "", TOKEN), response(200, "", &format!("{{{keys}"))] {
        let (service, server) = (script([answer]), script(vec![response(200, "ETag: \"0\"\r\n", ""); 20]));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "no_credential_is_logged", "--nocapture"])
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env(CHILD, at(server.address()))
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", at(service.address()))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        assert!(service.requests()[0].contains(CONTAINER));
    }
}

async fn in_a_container() {
    let log = Log::capture().unwrap();
    let endpoint = std::env::var(CHILD).unwrap();
    let builder = S3::builder("test").with_endpoint(endpoint).with_allow_http(true);
    use_all(&builder.build().unwrap()).await;
    assert!(log.text().contains("EKS Pod Identity"), "{}", log.text());
    is_silent(&log, &[OTHER_KEY, SECRET, TOKEN, CONTAINER, "Signature=", "Credential="]);
}

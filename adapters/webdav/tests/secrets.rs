//! What is logged holds no secret, also at the level at which crates tell every step: whoever sends a log with a report sends no
//! password.
//!
//! All that the process logs is heard, of every crate.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use longshore_core::{ByteRange, Folder, ObjectKey, Result, Storage as _};
use longshore_http_script::{Answer, Log, Script, response};
use longshore_webdav::{HttpOptions, WebDav};
use longshore_webdav_double::Double;

const USER: &str = Double::USER;
const PASSWORD: &str = Double::PASSWORD;

const OTHER: &str = "correct horse/battery+staple";
/// The same, as it stands in an address.
const ESCAPED: &str = "correct%20horse%2Fbattery%2Bstaple";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im91cnMifQ.eyJzdWIiOiJ1cyJ9.c2lnbmF0dXJl";

/// Each kind of call. What they end in is not the question here.
async fn use_all(storage: &WebDav) -> Vec<Result<()>> {
    let (record, segment) = (ObjectKey::new("log/one/data").unwrap(), ObjectKey::new("segments/one").unwrap());
    let mut ended = vec![
        storage.create(&record, "mine".into()).await.map(drop),
        storage.create(&record, "mine".into()).await.map(drop),
        storage.put(&segment, "bytes".into()).await.map(drop),
        storage.list(&Folder::ROOT, None).await.map(drop),
        storage.get(&record, ByteRange::ALL).await.map(drop),
        storage.delete(&segment).await.map(drop),
    ];
    if let Ok(Some(object)) = storage.get(&record, ByteRange::new(1, 2)).await.map(|reply| reply.value) {
        ended.push(object.read(10).await.map(drop));
    }
    ended
}

/// A server that always answers so.
fn saying(answer: &Answer) -> Script {
    Script::new(vec![answer.clone(); 60]).unwrap()
}

fn asking(scheme: &str) -> Answer {
    response(401, &format!("WWW-Authenticate: {scheme}\r\n"), "who are you?")
}

#[tokio::test]
async fn no_password_and_no_token_is_logged() {
    let log = Log::capture().unwrap();
    let server = Double::start().unwrap();
    let url = server.url("store");
    for builder in [
        WebDav::builder(&url).with_password(USER, PASSWORD),
        WebDav::builder(url.replace("http://", &format!("http://{USER}:{PASSWORD}@"))),
    ] {
        let ended = use_all(&builder.build().unwrap()).await;
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    }
    use_all(&WebDav::builder(&url).with_password(USER, OTHER).build().unwrap()).await;

    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    for answer in [
        asking("Basic realm=\"dav\""),
        asking("Digest realm=\"dav\", qop=\"auth\", nonce=\"n1\""),
        asking("Bearer"),
        response(200, "", "mine"),
        response(503, "Retry-After: 7\r\n", ""),
        response(302, "Location: http://127.0.0.1:9/\r\n", ""),
        response(207, "", "<html>Welcome!</html>"),
        // A server that says what it was sent.
        response(500, "", &format!("<error>{OTHER} {TOKEN}</error>")),
        Answer::Close(Vec::new()),
        Answer::Close(b"\0\x01garbage\r\n\r\n".to_vec()),
    ] {
        let servers = [saying(&answer), saying(&answer), saying(&answer), saying(&answer)];
        let [asked, address, tokens, proxy] = &servers;
        let with_tokens = WebDav::builder(format!("http://{}/dav", tokens.address()));
        let through = HttpOptions::default().with_proxy(format!("http://us:{ESCAPED}@{}", proxy.address()));
        let clients = [
            WebDav::builder(format!("http://{}/dav", asked.address())).with_password("me", OTHER),
            WebDav::builder(format!("http://me:{ESCAPED}@{}/dav", address.address())),
            with_tokens.with_tokens(|| async { Ok(TOKEN.to_owned()) }),
            // Where TLS is missing, it warns.
            WebDav::builder(format!("http://me:{ESCAPED}@dav.invalid/dav")).with_http(through),
            WebDav::builder(format!("http://me:{ESCAPED}@{gone}/dav")),
        ];
        for client in clients {
            use_all(&client.build().unwrap()).await;
        }
        assert!(servers.iter().all(|server| !server.requests().is_empty()), "{answer:?}");
    }
    for address in [format!("http://me:{ESCAPED}@ho st/"), format!("ftp://me:{ESCAPED}@host/")] {
        WebDav::builder(address).build().unwrap_err();
    }

    let text = log.text();
    for heard in ["longshore_webdav", "reqwest::connect", "goes over the network without TLS"] {
        assert!(text.contains(heard), "nothing of {heard} was heard");
    }
    for secret in [PASSWORD, OTHER, ESCAPED, TOKEN, "Basic ZGF2", "Bearer ey"] {
        assert_eq!(log.holding(secret), None, "{secret} was logged");
    }
}

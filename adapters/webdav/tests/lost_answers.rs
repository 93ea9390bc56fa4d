//! Answers that never come, and answers of others in their place: what was written is told from what was not.
#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use longshore_core::{Created, Error, ErrorKind, ObjectKey, Outcome, Payload, Storage as _};
use longshore_http_script::{Answer, Script, response};
use longshore_webdav::{HttpOptions, WebDav};

/// How often a request is sent whose connection breaks.
const TRIES: usize = 4;

fn folder(server: &Script) -> WebDav {
    WebDav::builder(format!("http://{}/dav", server.address())).with_anonymous().build().unwrap()
}

fn done(status: u16) -> Answer {
    response(status, "", "")
}

fn lost() -> Answer {
    Answer::Close(Vec::new())
}

/// What a `create` comes to that meets these answers to its `MOVE` and what follows.
async fn created(answers: impl IntoIterator<Item = Answer>) -> Result<Created, Error> {
    let server = Script::new([done(201), done(201)].into_iter().chain(answers)).unwrap();
    let key = ObjectKey::new("lease/0000000000000001/data").unwrap();
    folder(&server).create(&key, "mine".into()).await.map(|reply| reply.value)
}

/// The same bytes may have been created by an earlier call, whose answer was lost as well. Which of them did it decides from when a
/// lease counts.
#[tokio::test]
async fn the_same_bytes_of_an_earlier_call_are_not_taken_for_mine() {
    let lost = || std::iter::repeat_n(lost(), TRIES);
    let mine = || response(200, "", "mine");
    assert_eq!(created(lost().chain([mine(), done(404)])).await.unwrap(), Created::Created);
    assert_eq!(created(lost().chain([mine(), mine()])).await.unwrap(), Created::Exists);
}

/// A login or a hotel's network: whoever created the name, this is not what lies there.
#[tokio::test]
async fn a_page_in_the_place_of_the_object_is_nobodys() {
    let page = || response(200, "Content-Type: text/html\r\n", "<html>Welcome</html>");
    let packed = || response(200, "Content-Encoding: gzip\r\n", "\x1f\u{8b}");
    for answer in [page(), packed()] {
        for status in [201, 412] {
            let error = created([done(status), answer.clone()]).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{status}: {error}");
        }
    }
    let mine = response(200, "Content-Type: text/html\r\n", "mine");
    assert_eq!(created([done(201), mine]).await.unwrap(), Created::Created);
}

/// Sent to the same name again, it could meet its own first try: cut, late, and shorter.
#[tokio::test]
async fn a_put_is_sent_again_under_another_name() {
    let size = || response(200, "", "mine");
    let server = Script::new([lost(), lost(), done(201), size(), done(201)]).unwrap();
    let storage = folder(&server);
    let key = ObjectKey::new("one").unwrap();
    storage.put(&key, Payload::from("mine".to_owned().into_bytes())).await.unwrap();
    let lines: Vec<String> =
        server.requests().iter().map(|head| head.lines().next().unwrap_or_default().to_owned()).collect();
    let puts: BTreeSet<_> = lines.iter().filter(|line| line.starts_with("PUT ")).collect();
    assert_eq!(puts.len(), 3, "{lines:?}");
}

/// Who wants no limit says the largest one.
#[tokio::test]
async fn the_longest_times_are_none() {
    let server = Script::new([response(404, "", ""), response(207, "", "<multistatus xmlns='DAV:'/>")]).unwrap();
    let http = HttpOptions::default().with_idle_timeout(Duration::MAX);
    let builder = WebDav::builder(format!("http://{}/dav", server.address())).with_anonymous().with_http(http);
    let storage = builder.with_rate(1, Duration::MAX).build().unwrap();
    let error = storage.delete(&ObjectKey::new("one").unwrap()).await.err();
    assert!(error.is_none_or(|error| error.kind() != ErrorKind::Internal));
}

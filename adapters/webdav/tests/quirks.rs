//! What servers answer that no page describes, replayed. Each exchange is short, and ends in the right outcome and in one clear line.
//!
//! Where a server is named, it is one that was seen to answer so.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::time::Duration;

use longshore_core::{ByteRange, Created, Error, ErrorKind, Folder, Outcome, Payload, Storage as _};
use longshore_http_script::{Answer, raw, response};
use longshore_webdav::{HttpOptions, WebDav};
use support::{asked, done, folder, is_clear, listing, read, record, script, segment};

/// What a `create` comes to that meets these answers to its `MOVE` and what follows.
async fn created(answers: impl IntoIterator<Item = Answer>) -> Result<Created, Error> {
    let server = script([done(201), done(201)].into_iter().chain(answers));
    let result = folder(&server).create(&record(), "mine".into()).await;
    if let Err(error) = &result {
        is_clear(error);
        assert_eq!(error.operation(), Some("create"));
    }
    let asked = asked(&server);
    assert_eq!(
        asked[..3],
        [
            "MKCOL /dav/my%20notes/log/tmp/".to_owned(),
            "PUT /dav/my%20notes/log/tmp/data".to_owned(),
            "MOVE /dav/my%20notes/log/tmp/".to_owned(),
        ]
    );
    result.map(|reply| reply.value)
}

#[tokio::test]
async fn what_is_read_back_decides_whatever_the_status_is() {
    // lighttpd 207; sabre 201 to losers; Apache 412 and 500; nginx 405; WsgiDAV 500; Tomcat 409; a gateway 502.
    for status in [201, 204, 207, 405, 409, 412, 500, 502] {
        assert_eq!(created([done(status), read("another's")]).await.unwrap(), Created::Exists, "{status}");
    }
    for status in [200, 201, 204] {
        assert_eq!(created([done(status), read("mine")]).await.unwrap(), Created::Created, "{status}");
    }
    // The connection broke, and the server had done it, so that the next try finds nothing to move; or it had not.
    for answer in [Answer::Close(Vec::new()), Answer::Close(b"HTTP/1.1 20".to_vec())] {
        let again = || [answer.clone(), done(404)];
        assert_eq!(created(again().into_iter().chain([read("mine"), done(404)])).await.unwrap(), Created::Created);
        assert_eq!(created(again().into_iter().chain([read("another's")])).await.unwrap(), Created::Exists);
        assert_eq!(created([answer, done(201), read("mine")]).await.unwrap(), Created::Created);
    }
    // A refusal of a MOVE that was done: my temporary is gone.
    assert_eq!(created([done(500), read("mine"), done(404)]).await.unwrap(), Created::Created);
    assert_eq!(created([done(412), read("mine"), read("mine")]).await.unwrap(), Created::Exists);
}

#[tokio::test]
async fn a_member_that_is_shown_late_is_awaited() {
    assert_eq!(created([done(201), done(404), done(404), read("mine")]).await.unwrap(), Created::Created);
    assert_eq!(created([done(201), read("mi"), read("mine")]).await.unwrap(), Created::Created);
    // Another's object may be like the beginning of mine.
    assert_eq!(created([done(412), read("mi"), read("mi"), read("mi")]).await.unwrap(), Created::Exists);
}

#[tokio::test]
async fn a_lock_that_nobody_holds_is_waited_for() {
    assert_eq!(created([done(423), done(423), done(201), read("mine")]).await.unwrap(), Created::Created);
}

#[tokio::test]
async fn a_lock_that_nobody_holds_is_waited_for_by_every_write() {
    let server = script([done(201), done(423), done(201), response(200, "", "body"), done(423), done(201)]);
    folder(&server).put(&segment(), "body".into()).await.unwrap();
    assert_eq!(server.left(), 0);
    let server = script([done(423), done(423), done(204)]);
    folder(&server).delete(&segment()).await.unwrap();
    assert_eq!(asked(&server), ["DELETE /dav/my%20notes/segments/one"; 3]);
    let server = script([done(423), done(201), done(404), done(207), done(423), done(204)]);
    folder(&server).delete(&record()).await.unwrap();
    assert_eq!(asked(&server)[4..], ["DELETE /dav/my%20notes/log/tmp/"; 2]);
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_told() {
    let put = script([done(201)].into_iter().chain(vec![done(423); 20]));
    let delete = script(vec![done(423); 6].into_iter().chain([response(200, "", "body")]));
    let taken = script(vec![done(423); 6].into_iter().chain([response(200, "", "mine")]));
    for (server, error) in [
        (&put, folder(&put).put(&segment(), "body".into()).await.map(drop)),
        (&delete, folder(&delete).delete(&segment()).await.map(drop)),
        (&taken, folder(&taken).delete(&record()).await.map(drop)),
    ] {
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
        assert!(error.to_string().contains("somebody has locked it"), "{error}");
        let asked = asked(server);
        let most = asked.iter().map(|line| asked.iter().filter(|other| *other == line).count()).max();
        assert_eq!(most, Some(6), "{asked:?}");
        is_clear(&error);
    }
}

#[tokio::test]
async fn what_stays_open_is_unknown() {
    // The MOVE four times; then the look after it.
    for looks in [vec![done(404)], vec![Answer::Close(Vec::new()); 4]] {
        let error = created(vec![Answer::Close(Vec::new()); 4].into_iter().chain(looks)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    }
    // Refused for good; but the first may still be on its way.
    let refused = [Answer::Close(Vec::new()), done(403)].into_iter().chain(vec![done(404); 20]);
    assert_eq!(created(refused).await.unwrap_err().outcome(), Outcome::Unknown);
    let gone = vec![done(404); 20];
    let error = created([done(201)].into_iter().chain(gone)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
}

#[tokio::test]
async fn a_refusal_for_good_leaves_nothing() {
    for (status, kind) in [(403, ErrorKind::Denied), (507, ErrorKind::Full), (413, ErrorKind::Invalid)] {
        let error = created([done(status), done(404), done(204)]).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotApplied), "{error}");
    }
}

#[tokio::test]
async fn parents_are_made_as_each_server_says_that_they_are_missing() {
    // The temporary; its parent, which is there after all on one and has to be made on the other; the temporary again.
    for refusal in [409, 404, 403, 500] {
        let server = script([done(refusal), done(201), done(201), done(201), done(201), read("mine")]);
        let created = folder(&server).create(&record(), "mine".into()).await.unwrap().value;
        assert_eq!(created, Created::Created);
        assert_eq!(asked(&server)[1], "MKCOL /dav/my%20notes/log/");
    }
    // 405 stands for "exists"; also for "not allowed", which the next request shows.
    let server = script([done(409), done(405), done(405)]);
    let error = folder(&server).create(&record(), "mine".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    is_clear(&error);
}

/// Apache answers 403 to the second of two requests at once that make the same collection; the first lost its connection.
#[tokio::test]
async fn a_temporary_that_its_lost_request_made_is_taken() {
    let server = script([Answer::Close(Vec::new()), done(403), done(405), done(405)].into_iter().chain([
        done(201),
        done(201),
        read("mine"),
    ]));
    let reply = folder(&server).create(&record(), "mine".into()).await.unwrap();
    assert_eq!(reply.value, Created::Created);
    let temporary = "MKCOL /dav/my%20notes/log/tmp/";
    let asked = asked(&server);
    assert_eq!(asked[..4], [temporary, temporary, "MKCOL /dav/my%20notes/log/", temporary]);
}

/// The lost try is remembered also when the next one meets a lock, a login or another address.
#[tokio::test]
async fn a_lost_request_counts_whatever_the_next_try_meets() {
    let login = "WWW-Authenticate: Digest realm=\"dav\", qop=\"auth\", nonce=\"n1\"\r\n";
    let elsewhere = "Location: /dav/my%20notes/log/tmp/\r\n";
    for between in [done(423), response(401, login, ""), response(307, elsewhere, "")] {
        let before = [Answer::Close(Vec::new()), between, done(405)];
        let server = script(before.into_iter().chain([done(201), done(201), read("mine")]));
        let reply = folder(&server).create(&record(), "mine".into()).await.unwrap();
        assert_eq!(reply.value, Created::Created);
        assert_eq!(asked(&server)[..3], ["MKCOL /dav/my%20notes/log/tmp/"; 3]);
    }
}

/// What refuses the second try says nothing of the first.
#[tokio::test]
async fn a_refusal_after_a_lost_request_leaves_it_open() {
    let elsewhere = || response(307, "Location: http://example.org/\r\n", "");
    for answers in [vec![done(403), done(404)], vec![elsewhere()]] {
        let sent = [done(201), done(201), response(200, "", "body"), Answer::Close(Vec::new())];
        let server = script(sent.into_iter().chain(answers));
        let error = folder(&server).put(&segment(), "body".into()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        is_clear(&error);
    }
}

/// What a cache remembers is no news, and its time is that of long ago.
#[tokio::test]
async fn no_cache_answers_for_the_server() {
    let server = script([response(200, "Age: 3600\r\n", "old"), read("new")]);
    let folder = folder(&server);
    assert_eq!(folder.get(&segment(), ByteRange::ALL).await.unwrap().time, None);
    assert!(folder.get(&segment(), ByteRange::ALL).await.unwrap().time.is_some());
    let asked = |head: &String| head.to_lowercase().contains("\r\ncache-control: no-cache\r\n");
    assert!(server.requests().iter().all(asked));
}

#[tokio::test]
async fn a_missing_root_is_no_empty_store() {
    let server = script([done(404), done(404)]);
    let error = folder(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert_eq!(asked(&server)[1], "PROPFIND /dav/my%20notes/");
    let server = script([done(404), done(404), done(404)]);
    assert_eq!(folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap_err().kind(), ErrorKind::Missing);
}

#[tokio::test]
async fn errors_name_the_address_as_it_was_typed() {
    for scheme in ["webdav", "webdav+http"] {
        let server = script([done(403)]);
        let typed = format!("{scheme}://{}/dav", server.address());
        let error = WebDav::open(&typed).unwrap().get(&segment(), ByteRange::ALL).await.unwrap_err();
        assert_eq!(error.key(), Some(format!("{typed}/segments/one").as_str()));
    }
    let server = script([done(403)]);
    let typed = format!("http://{}/dav", server.address());
    let error = WebDav::builder(&typed).build().unwrap().get(&segment(), ByteRange::ALL).await.unwrap_err();
    assert_eq!(error.key(), Some(format!("{typed}/segments/one").as_str()));
}

#[tokio::test]
async fn a_root_that_was_seen_is_not_asked_for() {
    let server = script([read("here"), done(404)]);
    let storage = folder(&server);
    assert!(storage.get(&record(), ByteRange::ALL).await.unwrap().value.is_some());
    assert!(storage.get(&segment(), ByteRange::ALL).await.unwrap().value.is_none());
    assert_eq!(server.requests().len(), 2);
}

async fn range(answers: impl IntoIterator<Item = Answer>) -> Result<(u64, String), Error> {
    let server = script(answers);
    let object = folder(&server).get(&record(), ByteRange::new(2, 3)).await?.value.unwrap();
    assert!(server.requests()[0].to_lowercase().contains("range: bytes=2-4"));
    let size = object.size();
    let bytes = object.read(100).await?;
    Ok((size, String::from_utf8(bytes.to_vec()).unwrap()))
}

#[tokio::test]
async fn ranges_are_read_from_servers_that_know_none() {
    let part = |range: &str, body| response(206, &format!("Content-Range: bytes {range}\r\n"), body);
    assert_eq!(range([part("2-4/9", "cde")]).await.unwrap(), (9, "cde".to_owned()));
    assert_eq!(range([read("abcdefghi")]).await.unwrap(), (9, "cde".to_owned()));
    assert_eq!(range([part("2-2/3", "c")]).await.unwrap(), (3, "c".to_owned()));
    // sabre sends all of it for the first byte.
    assert_eq!(range([part("0-8/9", "abcdefghi")]).await.unwrap(), (9, "cde".to_owned()));
    // npm's server sends an empty part of what ends before.
    assert_eq!(range([part("2-4/2", "")]).await.unwrap(), (2, String::new()));
    assert_eq!(range([response(416, "Content-Range: bytes */2\r\n", "")]).await.unwrap(), (2, String::new()));
    let told = response(416, "", "");
    assert_eq!(range([told, response(200, "", "ab")]).await.unwrap(), (2, String::new()));
    for answer in [part("3-5/9", "def"), part("x", "cde"), response(206, "", "cde")] {
        let error = range([answer]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        is_clear(&error);
    }
}

#[tokio::test]
async fn bytes_that_break_off_are_no_object() {
    let server = script([Answer::Close(raw(200, "Content-Length: 9\r\n", "half"))]);
    let object = folder(&server).get(&record(), ByteRange::ALL).await.unwrap().value.unwrap();
    let error = object.read(100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    is_clear(&error);
}

#[tokio::test]
async fn a_size_that_is_not_told_is_asked_for() {
    // sabre behind php-fpm answers in chunks.
    let chunks = Answer::Keep(raw(200, "Transfer-Encoding: chunked\r\n", "4\r\nmine\r\n0\r\n\r\n"));
    let server = script([chunks, listing(&["/dav/my%20notes/log/0000000000000001/data"])]);
    let object = folder(&server).get(&record(), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!((object.size(), object.read(100).await.unwrap().as_ref()), (4, b"mine".as_slice()));
}

#[tokio::test]
async fn a_web_page_is_no_object_and_no_listing() {
    let page = || response(200, "Content-Type: text/html; charset=utf-8\r\n", "<html>log in</html>");
    let server = script([page(), page(), page(), page(), page(), page()]);
    let storage = folder(&server);
    for error in [
        storage.get(&record(), ByteRange::ALL).await.map(drop).unwrap_err(),
        storage.list(&Folder::ROOT, None).await.map(drop).unwrap_err(),
        storage.create(&record(), "mine".into()).await.map(drop).unwrap_err(),
        storage.put(&segment(), "body".into()).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("web page"), "{error}");
        is_clear(&error);
    }
    // An object that a server takes for a page is one, if its properties say so.
    let server = script([response(200, "Content-Type: text/html\r\n", "mine"), listing(&["/x"])]);
    let object = folder(&server).get(&record(), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!(object.read(100).await.unwrap(), "mine");
}

#[tokio::test]
async fn bytes_that_were_compressed_on_the_way_are_refused() {
    let server = script([response(200, "Content-Encoding: gzip\r\nETag: \"1-gzip\"\r\n", "mine")]);
    let error = folder(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    is_clear(&error);
    // Some servers only mark their tags; nothing rests on those.
    let server = script([response(200, "ETag: W/\"1-gzip\"\r\n", "mine")]);
    assert!(folder(&server).get(&record(), ByteRange::ALL).await.unwrap().value.is_some());
}

/// Where the name is taken, a server may put the collection into the one that is there, as `mv` does, and say that it is done.
#[tokio::test]
async fn a_move_that_nests_inside_the_target_publishes_nothing() {
    assert_eq!(created([done(201), read("another's"), done(404)]).await.unwrap(), Created::Exists);
    // The first try was lost, and came after another's.
    let late = [Answer::Close(Vec::new()), done(404), read("another's")];
    assert_eq!(created(late).await.unwrap(), Created::Exists);
    // What was nested is no object, and is not in the way of the one that it lies beside.
    let within = "/dav/my%20notes/log/0000000000000001/";
    let nested = format!("{within}tmp.{:032x}/", 7);
    let server = script([listing(&[within, &format!("{within}data"), &nested]), done(201), done(404), done(204)]);
    let storage = folder(&server);
    let listed = storage.list(&Folder::new("log/0000000000000001").unwrap(), None).await.unwrap();
    assert_eq!(listed.value.names, ["data"]);
    // It goes with the object.
    storage.delete(&record()).await.unwrap();
    assert!(asked(&server)[1].starts_with("MOVE /dav/my%20notes/log/0000000000000001/"));
}

#[tokio::test]
async fn a_put_that_did_not_arrive_whole_is_not_shown() {
    let server = script([done(201), done(201), response(200, "", "bod"), done(204)]);
    let error = folder(&server).put(&segment(), "body".into()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
    assert!(error.to_string().contains("whole"), "{error}");
    assert!(!asked(&server).iter().any(|line| line.starts_with("MOVE")));
}

#[tokio::test]
async fn a_put_whose_name_is_taken_by_itself_is_done() {
    for status in [412, 404, 403, 409, 500, 207] {
        let server = script([
            done(201),
            done(201),
            response(200, "", "body"),
            done(status),
            response(200, "", "body"),
            done(204),
        ]);
        folder(&server).put(&segment(), "body".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_the_caller_s() {
    use futures::StreamExt as _;
    let broken = futures::stream::iter([Err(Error::new(ErrorKind::Corrupt, "the disk is gone"))]).boxed();
    let server = script([done(201), done(201)]);
    let error = folder(&server).put(&segment(), Payload::new(1 << 20, broken)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn busy_servers_say_until_when() {
    for (header, seconds) in [("Retry-After: 7\r\n", 7), ("Retry-After: Thu, 01 Jan 1970 00:01:30 GMT\r\n", 30)] {
        for status in [429, 503] {
            let server = script([response(status, header, "")]);
            let error = folder(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
            assert!(error.throttled(), "{error}");
            assert_eq!(
                (error.kind(), error.retry_after()),
                (ErrorKind::Unavailable, Some(Duration::from_secs(seconds)))
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_to_another_host() {
    let other = script([read("mine")]);
    for status in [301, 302, 307, 308] {
        let moved = response(status, &format!("Location: http://localhost:{}/dav/\r\n", other.address().port()), "");
        let server = script([moved]);
        let error = folder(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NotApplied), "{error}");
        assert!(error.to_string().contains("log in to the network or, if that is right, use its address"), "{error}");
        is_clear(&error);
        // Another server on the same host is no hotel's network, but an address that was mistyped.
        let moved = response(status, &format!("Location: http://{}/dav/\r\n", other.address()), "");
        let error = folder(&script([moved])).get(&record(), ByteRange::ALL).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("unasked; if that is right, use its address"), "{error}");
        is_clear(&error);
    }
    assert!(other.requests().is_empty());
    // On the same host it is followed.
    let server = script([response(301, "Location: /other/place\r\n", ""), read("mine")]);
    assert!(folder(&server).get(&record(), ByteRange::ALL).await.unwrap().value.is_some());
    assert_eq!(asked(&server)[1], "GET /other/place");
    let circle = vec![response(301, "Location: /x\r\n", ""); 20];
    let server = script(circle);
    assert_eq!(folder(&server).get(&record(), ByteRange::ALL).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(server.requests().len() < 10);
}

#[tokio::test]
async fn a_server_that_stands_still_is_left() {
    let server = script([Answer::Hold(Vec::new())]);
    let http = HttpOptions::default().with_idle_timeout(Duration::from_millis(300));
    let address = format!("http://{}/dav", server.address());
    let storage = WebDav::builder(address).with_anonymous().with_http(http).build().unwrap();
    let error = storage.get(&record(), ByteRange::ALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    is_clear(&error);
}

#[tokio::test]
async fn what_is_missing_is_deleted_whatever_the_server_says() {
    // Go and rclone 403, chezdav 409, npm 500.
    for status in [404, 403, 409, 500] {
        let server = script([done(status), done(404), done(207)]);
        folder(&server).delete(&record()).await.unwrap();
    }
    let server = script([done(403), response(200, "", "mine")]);
    let error = folder(&server).delete(&record()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    // A server that says that it moved what it did not.
    let server = script([done(201), response(200, "", "mine")]);
    assert_eq!(folder(&server).delete(&record()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

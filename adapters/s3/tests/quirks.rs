//! Servers answer in ways that no page describes. Each of those that were seen ends in the right outcome and in one clear line.
//!
//! No answer makes a `create` be sent twice, and none makes a success of what may not be stored.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::TryStreamExt as _;
use longshore_core::{
    ByteRange, Created, DomainName, Error, ErrorKind, Folder, MetadataName, Outcome, Payload, Server as _,
    Storage as _, TokioRuntime,
};
use longshore_http_script::{Answer, Script, raw, response};
use support::{bucket, impatient, record, refusal, script, segment};

const TAG: &str = "ETag: \"0\"\r\n";

/// One line that holds no secret, also not in what is told of its causes.
fn is_clear(error: &Error) {
    let line = error.to_string();
    assert!(line.lines().count() == 1 && line.len() < 400, "{line}");
    let mut told = format!("{line} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(told, "{error} {error:?}").unwrap();
        cause = error.source();
    }
    for secret in ["sesame", "Signature", "X-Amz", "Credential", "127.0.0.1"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

/// The error of a `create` that meets this answer, and how it says what to do.
async fn refused(answer: Answer) -> Error {
    refused_by(&script([answer])).await
}

async fn refused_by(server: &Script) -> Error {
    let error = bucket(server).create(&record(), "mine".into()).await.unwrap_err();
    assert_eq!(server.requests().len(), 1, "a create is sent once: {error}");
    let head = &server.requests()[0];
    assert!(head.to_lowercase().contains("\r\nif-none-match: *\r\n"), "{head}");
    assert_eq!(error.operation(), Some("create"));
    assert_eq!(error.key(), Some(format!("s3://test/notes/{}", record()).as_str()));
    is_clear(&error);
    error
}

/// What a `create` that meets this answer ends in.
async fn ends(answer: Answer, kind: ErrorKind, outcome: Outcome, hint: &str) {
    let error = refused(answer.clone()).await;
    assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{answer:?}: {error}");
    assert!(error.to_string().contains(hint), "{answer:?}: {error}");
}

#[tokio::test]
async fn an_empty_entity_tag_is_one() {
    let server = script([response(200, "ETag: \r\n", "")]);
    let reply = bucket(&server).create(&record(), "mine".into()).await.unwrap();
    assert_eq!(reply.value, Created::Created);
    assert_eq!(reply.time.unwrap().as_millis(), 60_000);
    assert_eq!(server.requests().len(), 1);
}

/// What a cache remembers is no news, and its time is that of long ago.
#[tokio::test]
async fn no_cache_answers_for_the_server() {
    let missing = |headers| refusal(404, headers, "NoSuchKey");
    let server = script([missing("Age: 3600\r\n"), missing(""), response(200, TAG, "")]);
    let bucket = bucket(&server);
    let old = bucket.get(&record(), ByteRange::ALL).await.unwrap();
    assert!(old.value.is_none() && old.time.is_none(), "{old:?}");
    assert!(bucket.get(&record(), ByteRange::ALL).await.unwrap().time.is_some());
    bucket.create(&record(), "mine".into()).await.unwrap();
    let asked = |head: &String| head.to_lowercase().contains("\r\ncache-control: no-cache\r\n");
    // With a write it would be kept, and sent to readers.
    assert_eq!(server.requests().iter().map(asked).collect::<Vec<_>>(), [true, true, false]);
}

/// Two creators met in the store behind a gateway: the loser hears of an error of the server, and finds the other's bytes.
#[tokio::test]
async fn a_loser_that_hears_of_an_error_reads_back() {
    let name = MetadataName::new("settings").unwrap();
    for lost in [
        refusal(500, "", "InternalError"),
        refusal(409, "", "ConditionalRequestConflict"),
        refusal(412, "", "PreconditionFailed"),
        refusal(503, "", "SlowDown"),
        response(200, TAG, "<html>Welcome!</html>"),
        Answer::Close(Vec::new()),
    ] {
        let server = script([page(&[], &[], ""), lost, response(200, TAG, "another's")]);
        let stored = bucket(&server).server(Arc::new(TokioRuntime), &DomainName::default()).unwrap();
        let error = stored.metadata_write(&name, None, "mine".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        let methods: Vec<String> = server.requests().iter().map(|head| head[..4].to_owned()).collect();
        assert_eq!(methods, ["GET ", "PUT ", "GET "]);
    }
}

#[tokio::test]
async fn two_writes_that_met_are_an_open_question() {
    let unknown = Outcome::Unknown;
    ends(refusal(500, "", "InternalError"), ErrorKind::Unavailable, unknown, "500 InternalError").await;
    ends(refusal(409, "", "ConditionalRequestConflict"), ErrorKind::Unavailable, unknown, "409").await;
}

#[tokio::test]
async fn a_server_without_conditional_writes_is_told_so() {
    for status in [400, 501] {
        let error = refused(refusal(status, "", "NotImplemented")).await;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("conditional writes"), "{error}");
    }
}

/// Whoever sits between, in a hotel, answers everything with a page and 200.
#[tokio::test]
async fn a_page_of_another_server_is_no_success() {
    let page = "<html><body>Welcome! Please log in.</body></html>";
    let chunked = format!("{:x}\r\n{page}\r\n0\r\n\r\n", page.len());
    for answer in [
        response(200, "Content-Type: text/html\r\n", page),
        response(200, &format!("Content-Type: text/html\r\n{TAG}"), page),
        response(200, "Content-Type: text/html\r\n", ""),
        Answer::Keep(raw(200, &format!("{TAG}Transfer-Encoding: chunked\r\n"), &chunked)),
    ] {
        ends(answer.clone(), ErrorKind::Unavailable, Outcome::Unknown, "no answer of an object store").await;
        let server = script([answer]);
        let error = bucket(&server).put(&segment(), "body".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        is_clear(&error);
    }
    // A read cannot tell it from an object; the frame of an object can.
    let server = script([response(200, "Content-Type: text/html\r\n", page)]);
    let object = bucket(&server).get(&record(), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!(object.read(1000).await.unwrap(), page);
    let server = script([response(200, "Content-Type: text/html\r\n", page)]);
    let error = bucket(&server).list(&Folder::ROOT, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    is_clear(&error);
}

/// A page that says 404 is no word of the store's: nothing says that the object is missing.
#[tokio::test]
async fn only_the_store_says_that_an_object_is_missing() {
    for range in [ByteRange::ALL, ByteRange::new(1, 2), ByteRange::new(1, 0)] {
        let missing = script([refusal(404, "", "NoSuchKey")]);
        assert!(bucket(&missing).get(&record(), range).await.unwrap().value.is_none());
        for answer in
            [response(404, "", "<html>Not Found</html>"), response(404, "", ""), refusal(404, "", "NoSuchBucket")]
        {
            let server = script([answer]);
            let error = bucket(&server).get(&record(), range).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
            is_clear(&error);
        }
    }
    let server = script([response(404, "", "<html>Not Found</html>")]);
    assert_eq!(bucket(&server).delete(&record()).await.unwrap_err().kind(), ErrorKind::Missing);
}

#[tokio::test]
async fn where_missing_objects_are_forbidden_the_message_says_so() {
    let server = script([refusal(403, "", "AccessDenied")]);
    let error = bucket(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("a missing object is answered so"), "{error}");
    is_clear(&error);
}

/// The server says 200 before it has joined the parts, and keeps the line busy meanwhile.
#[tokio::test]
async fn an_upload_that_fails_with_200_has_failed() {
    let begun = "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>";
    let (unavailable, unknown) = (ErrorKind::Unavailable, Outcome::Unknown);
    for (code, kind, outcome, throttled) in [
        ("InternalError", unavailable, unknown, false),
        ("SlowDown", unavailable, unknown, true),
        ("AccessDenied", ErrorKind::Denied, Outcome::NotApplied, false),
        ("Unheard.Of", unavailable, unknown, false),
    ] {
        let error = format!("<?xml version=\"1.0\"?>\n  \n<Error><Code>{code}</Code><Message>sesame</Message></Error>");
        let part = || response(200, TAG, "");
        let server = script([
            response(200, "", begun),
            part(),
            part(),
            part(),
            response(200, "", &error),
            response(204, "", ""),
        ]);
        let parts = vec![vec![7; 1 << 20].into(); 17];
        let error = bucket(&server).put(&segment(), Payload::from_parts(parts)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome(), error.throttled()), (kind, outcome, throttled), "{code}: {error}");
        assert!(error.to_string().contains(&format!("200, and then {code}")), "{error}");
        is_clear(&error);
        assert_eq!(server.left(), 0, "it was aborted: {:#?}", server.requests());
        assert!(server.requests()[5].starts_with("DELETE "), "{:#?}", server.requests());
    }
}

/// Of several failures the first is the cause: that its upload is gone is what the abort says afterwards.
#[tokio::test]
async fn a_failed_upload_is_told_by_its_first_failure() {
    let begun = "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>";
    let part = || response(200, TAG, "");
    let (full, gone) = (refusal(403, "", "QuotaExceeded"), refusal(404, "", "NoSuchUpload"));
    let server = script([response(200, "", begun), part(), part(), part(), full, gone]);
    let parts = vec![vec![7; 1 << 20].into(); 17];
    let error = bucket(&server).put(&segment(), Payload::from_parts(parts)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
}

fn page(keys: &[&str], folders: &[&str], more: &str) -> Answer {
    let mut xml = format!("<?xml version=\"1.0\"?><ListBucketResult><Prefix>notes/</Prefix>{more}");
    for key in keys {
        let rest = "<LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>";
        write!(xml, "<Contents><Key>{key}</Key>{rest}").unwrap();
    }
    for folder in folders {
        write!(xml, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").unwrap();
    }
    response(200, "", &(xml + "</ListBucketResult>"))
}

/// A bucket holds whatever its owner puts there.
#[tokio::test]
async fn foreign_keys_hide_none_of_ours() {
    let keys = [
        "notes/",
        "notes/ours",
        "notes/a+b",
        "notes/a b",
        "notes/\u{e4}\u{4e2d}",
        "notes/&lt;&amp;&quot;",
        "notes/.",
        "notes/a&#10;b",
        "notes/UPPER",
        "elsewhere/ours-not",
    ];
    let folders = ["notes//", "notes/../", "notes/a+b/", "notes/domains/", "notes/%2e/"];
    let server = script([page(&keys, &folders, "")]);
    let listing = bucket(&server).list(&Folder::ROOT, None).await.unwrap().value;
    assert_eq!(listing.names, ["domains", "ours"]);
    assert!(!listing.more);
}

#[tokio::test]
async fn a_listing_that_never_ends_is_an_error() {
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>";
    let server = script(vec![page(&["notes/a-b"], &[], more); 50]);
    let error = bucket(&server).list(&Folder::ROOT, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.left(), 48);
    is_clear(&error);
}

#[tokio::test]
async fn refused_credentials_are_told_apart() {
    let (denied, nothing) = (ErrorKind::Denied, Outcome::NotApplied);
    ends(refusal(403, "", "RequestTimeTooSkewed"), denied, nothing, "clock").await;
    ends(refusal(400, "", "ExpiredToken"), denied, nothing, "expired").await;
    ends(refusal(403, "", "InvalidAccessKeyId"), denied, nothing, "access key").await;
    ends(refusal(403, "", "SignatureDoesNotMatch"), denied, nothing, "secret key").await;
    ends(refusal(403, "", "AccessDenied"), denied, nothing, "do not allow").await;
}

/// The scripted server lives in 1970.
#[tokio::test]
async fn a_wrong_clock_is_told_by_its_distance() {
    let error = refused(refusal(403, "", "RequestTimeTooSkewed")).await;
    let line = error.to_string();
    let days: u64 =
        line.split(" days ahead of the server's").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(days > 20_000, "{line}");
    assert!(line.contains("set the clock right"), "{line}");
    // A server that does not say what time it is.
    let xml = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    let answer = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{xml}", xml.len());
    let line = refused(Answer::Keep(answer.into_bytes())).await.to_string();
    assert!(line.contains("clock is too far from the server's") && line.contains("set the clock right"), "{line}");
}

#[tokio::test]
async fn a_bucket_elsewhere_is_told_and_not_followed() {
    let elsewhere = script([response(200, TAG, "")]);
    let location = format!("Location: http://{}/test/x\r\n", elsewhere.address());
    let region = "x-amz-bucket-region: eu-west-3\r\n";
    let (invalid, nothing) = (ErrorKind::Invalid, Outcome::NotApplied);
    ends(refusal(301, region, "PermanentRedirect"), invalid, nothing, "eu-west-3").await;
    ends(refusal(301, &format!("{region}{location}"), "PermanentRedirect"), invalid, nothing, "eu-west-3").await;
    ends(refusal(400, region, "AuthorizationHeaderMalformed"), invalid, nothing, "eu-west-3").await;
    ends(refusal(400, "", "AuthorizationHeaderMalformed"), invalid, nothing, "region").await;
    for status in [301, 302, 303, 307, 308] {
        ends(response(status, &location, ""), invalid, nothing, "address").await;
        let server = script([response(status, &location, "")]);
        let error = bucket(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
        assert_eq!(error.kind(), invalid, "{error}");
        is_clear(&error);
    }
    assert_eq!(elsewhere.requests(), [""; 0], "no credentials went to another host");
}

#[tokio::test]
async fn a_server_that_limits_our_rate_says_for_how_long() {
    for (status, code) in [(503, "SlowDown"), (429, "TooManyRequests"), (503, "Whatever"), (429, "")] {
        for (wait, seconds) in [("7", Some(7)), ("Thu, 01 Jan 1970 00:01:30 GMT", Some(30)), ("soon", None)] {
            let error = refused(refusal(status, &format!("Retry-After: {wait}\r\n"), code)).await;
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{error}");
            assert!(error.throttled(), "{error}");
            assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{wait}");
        }
    }
}

/// The answer was lost: who knows what became of the request?
#[tokio::test]
async fn a_lost_answer_is_an_open_question() {
    let (kind, unknown) = (ErrorKind::Unavailable, Outcome::Unknown);
    for cut in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nContent-Le"] {
        ends(Answer::Close(cut.into()), kind, unknown, "broke").await;
    }
    for garbage in ["\0\u{1}\u{2}garbage\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\u{15}\u{3}\u{1}\0\u{2}\u{2}F"] {
        ends(Answer::Close(garbage.into()), kind, unknown, "speaks no HTTP").await;
    }
    ends(Answer::Close(raw(200, &format!("{TAG}Content-Length: 9\r\n"), "half")), kind, unknown, "broke").await;
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    for held in ["", "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nX-Slow: "] {
        let server = script([Answer::Hold(held.into())]);
        let error = impatient(&server).create(&record(), "mine".into()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{error}");
        assert!(error.to_string().contains("nothing moved"), "{error}");
        assert_eq!(server.requests().len(), 1);
        is_clear(&error);
    }
    let server = script([Answer::Hold(raw(200, "Content-Length: 9\r\n", "half"))]);
    let object = impatient(&server).get(&record(), ByteRange::ALL).await.unwrap().value.unwrap();
    let error = object.read(100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    is_clear(&error);
}

/// Its server may say anything for as long as it likes; what is read of that is little.
#[tokio::test]
async fn an_endless_error_is_not_read_to_its_end() {
    let endless = Answer::Flood(raw(500, "Content-Length: 99999999999\r\n", ""));
    ends(endless, ErrorKind::Unavailable, Outcome::Unknown, "500").await;
    let endless = Answer::Flood(raw(200, &format!("{TAG}Content-Length: 99999999999\r\n"), ""));
    ends(endless, ErrorKind::Unavailable, Outcome::Unknown, "no answer of an object store").await;
    let server = script([Answer::Flood(raw(200, "Content-Length: 99999999999\r\n", "<ListBucketResult>"))]);
    let error = bucket(&server).list(&Folder::ROOT, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_body_shorter_than_promised_is_an_error() {
    let server = script([Answer::Close(raw(200, "Content-Length: 9\r\n", "half"))]);
    let object = bucket(&server).get(&record(), ByteRange::ALL).await.unwrap().value.unwrap();
    let error = object.into_stream().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.operation(), Some("get"));
    is_clear(&error);
}

/// A server that is killed while it answers: its status is not taken for the whole answer, but a failed condition is one.
#[tokio::test]
async fn an_error_that_breaks_off_settles_nothing() {
    for status in [400, 403, 404, 500] {
        let server = script([Answer::Close(raw(status, "Content-Length: 90\r\n", "<?xml"))]);
        let error = bucket(&server).get(&record(), ByteRange::ALL).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}: {error}");
        is_clear(&error);
        let server = script([Answer::Close(raw(status, "Content-Length: 90\r\n", "<?xml"))]);
        let error = bucket(&server).create(&record(), "mine".into()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{status}: {error}");
    }
    let server = script([Answer::Close(raw(412, "Content-Length: 90\r\n", "<?xml"))]);
    assert_eq!(bucket(&server).create(&record(), "mine".into()).await.unwrap().value, Created::Exists);
}

/// A server that knows no ranges sends all of the object.
#[tokio::test]
async fn a_range_that_is_ignored_is_an_error() {
    for answer in [
        response(200, TAG, "0123456789"),
        response(206, &format!("{TAG}Content-Range: bytes 0-9/10\r\n"), "0123456789"),
        response(206, TAG, "0123456789"),
        response(206, &format!("{TAG}Content-Range: bytes 4-18446744073709551614/9\r\n"), "0"),
        response(206, &format!("{TAG}Content-Range: bytes 4-18446744073709551615/9\r\n"), "0"),
    ] {
        let server = script([answer]);
        let error = bucket(&server).get(&record(), ByteRange::new(4, 2)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("server"), "{error}");
        is_clear(&error);
    }
}

/// All of an object can be had also where no ranges are known; and an empty one has no beginning.
#[tokio::test]
async fn a_beginning_is_asked_for_only_where_it_can_be_had() {
    let server = script([response(200, TAG, "0123456789"), response(200, TAG, "0123456789")]);
    let object = bucket(&server).get(&segment(), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!(object.read(100).await.unwrap(), "0123456789");
    let asked = server.requests().iter().map(|head| head.contains("ange: bytes=0-16777215")).collect::<Vec<_>>();
    assert_eq!(asked, [true, false]);
    let empty = refusal(416, "Content-Range: bytes */0\r\n", "InvalidRange");
    let object = bucket(&script([empty])).get(&segment(), ByteRange::ALL).await.unwrap().value.unwrap();
    assert_eq!((object.size(), object.len()), (0, 0));
}

/// The connection that is kept from an earlier request was closed meanwhile, or closes now.
#[tokio::test]
async fn on_a_kept_connection_a_create_is_sent_once_as_well() {
    let server = script([response(200, TAG, ""), Answer::Close(Vec::new()), response(200, TAG, "")]);
    let bucket = bucket(&server);
    assert_eq!(bucket.create(&record(), "mine".into()).await.unwrap().value, Created::Created);
    let error = bucket.create(&record(), "mine".into()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{error}");
    assert_eq!((server.requests().len(), server.left()), (2, 1));
    // Now none is kept.
    assert_eq!(bucket.create(&record(), "mine".into()).await.unwrap().value, Created::Created);
    assert_eq!(server.requests().len(), 3);
}

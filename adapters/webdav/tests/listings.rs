//! Listings: in all forms that servers give them, cut, endless, and with leftovers of killed writers in them.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

mod support;

use longshore_core::{ByteRange, Created, ErrorKind, Folder, ObjectKey, Storage as _};
use longshore_http_script::{Answer, raw, response};
use support::{asked, done, folder, is_clear, listing, read, script};

#[tokio::test]
async fn listings_come_in_every_form() {
    let names = |answer: Answer| async move {
        let server = script([answer]);
        folder(&server).list(&Folder::new("log").unwrap(), None).await.map(|reply| reply.value.names)
    };
    let base = "/dav/my%20notes/log/";
    let all = ["2", "1"].map(|name| format!("{base}{name}/"));
    assert_eq!(names(listing(&[base, &all[0], &all[1]])).await.unwrap(), ["1", "2"]);
    assert_eq!(names(listing(&[&all[0], &all[1]])).await.unwrap(), ["1", "2"]);
    assert_eq!(
        names(listing(&["http://nas/dav/my%20notes/log", "http://nas/dav/my%20notes/log/1"])).await.unwrap(),
        ["1"]
    );
    assert_eq!(names(listing(&["/dav/my notes/log/", "/dav/my notes/log/%31"])).await.unwrap(), ["1"]);
    let temporary = format!("{base}tmp.{:032x}/", 7);
    assert_eq!(names(listing(&[base, &temporary, &format!("{base}.DS_Store")])).await.unwrap(), [""; 0]);
    let without_colon = "<d:multistatus xmlns:d=\"DAV\"><d:response><d:href>/dav/my%20notes/log/1</d:href></d:response></d:multistatus>";
    assert_eq!(names(response(207, "", without_colon)).await.unwrap(), ["1"]);
    for broken in ["<d:multistatus xmlns:d=\"DAV:\"><d:response>", "", "<html></html>"] {
        let error = names(response(207, "", broken)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{broken}");
        is_clear(&error);
    }
    let cut = Answer::Close(raw(207, "Content-Length: 900\r\n", "<d:multistatus xmlns:d=\"DAV:\">"));
    assert_eq!(names(cut).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Some servers show 750 names of a folder at the most, and some hide names that they keep for themselves. What is not listed is there all
/// the same: it is found by its name, it is refused to who would create it, and it can be deleted.
#[tokio::test]
async fn what_a_listing_leaves_out_is_there() {
    let base = "/dav/my%20notes/log/";
    let numbered = |number: u64| format!("{base}{number:016}/");
    let all: Vec<String> = (1..=750).map(numbered).collect();
    let cut: Vec<&str> = all.iter().map(String::as_str).collect();
    let hidden: Vec<&str> = cut.iter().copied().filter(|href| !href.ends_with("7/")).collect();
    for (listed, beyond) in [(&cut, 751), (&hidden, 7)] {
        let log = Folder::new("log").unwrap();
        let server = script([listing(listed), listing(listed), read("another's")]);
        let storage = folder(&server);
        let names = storage.list(&log, None).await.unwrap().value.names;
        assert_eq!(names.len(), listed.len());
        assert!(names.is_sorted() && names[0] == format!("{:016}", 1));
        let last = names.last().unwrap();
        assert_eq!(storage.list(&log, Some(last)).await.unwrap().value.names, [""; 0]);
        let key = ObjectKey::new(format!("log/{beyond:016}/data")).unwrap();
        let object = storage.get(&key, ByteRange::ALL).await.unwrap().value.unwrap();
        assert_eq!(object.read(100).await.unwrap(), "another's");
        // The server may say to the loser that it is done.
        for status in [201, 412] {
            let server = script([listing(listed), done(201), done(201), done(status), read("another's"), done(204)]);
            let storage = folder(&server);
            storage.list(&log, None).await.unwrap();
            assert_eq!(storage.create(&key, "mine".into()).await.unwrap().value, Created::Exists);
        }
        let server = script([listing(listed), done(201), done(404), done(204)]);
        let storage = folder(&server);
        storage.list(&log, None).await.unwrap();
        storage.delete(&key).await.unwrap();
        assert_eq!(asked(&server)[1], format!("MOVE {}", numbered(beyond)));
    }
}

/// A listing without end would fill the memory.
#[tokio::test]
async fn a_listing_is_read_up_to_a_limit() {
    let endless = Answer::Flood(raw(207, "", "<d:multistatus xmlns:d=\"DAV:\">"));
    let announced = Answer::Close(raw(207, "Content-Length: 999999999999\r\n", "<d:multistatus xmlns:d=\"DAV:\"/>"));
    for (answer, said) in [(endless, "one resource of more than 256 KiB"), (announced, "")] {
        let server = script([answer]);
        let error = folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(said), "{error}");
        is_clear(&error);
    }
}

/// As Apache says it, with what else a server may know of a member. Held whole, this would be 80 MB.
#[tokio::test]
async fn a_hundred_thousand_names_are_listed() {
    const COUNT: usize = 100_000;
    let known = format!("<d:propstat><d:prop><d:displayname>{}</d:displayname></d:prop></d:propstat>", "x".repeat(600));
    let member = |number| format!("<d:response><d:href>/dav/my%20notes/log/{number:016}/</d:href>{known}</d:response>");
    let members = (0..COUNT).map(member).collect::<Vec<_>>().concat();
    let listing = format!("<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\">{members}</d:multistatus>");
    assert!(listing.len() > 64 << 20);
    let server = script([response(207, "", &listing)]);
    let names = folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap().value.names;
    assert!(names.iter().cloned().eq((0..COUNT).map(|number| format!("{number:016}"))));
}

/// A shorter listing would hide what is there.
#[tokio::test]
async fn a_listing_that_is_cut_is_no_shorter_one() {
    let member = |name| format!("<d:response><d:href>/dav/log/{name}/</d:href></d:response>");
    let members = (0..5).map(member).collect::<Vec<_>>().concat();
    let listing = format!("<d:multistatus xmlns:d=\"DAV:\">{members}</d:multistatus>");
    let all = listing.len();
    for at in (0..all).step_by(9) {
        let part = &listing[..at];
        let ends_early = raw(207, &format!("Content-Length: {all}\r\n"), part);
        let within_a_chunk = raw(207, "Transfer-Encoding: chunked\r\n", &format!("{all:x}\r\n{part}"));
        let between_chunks = raw(207, "Transfer-Encoding: chunked\r\n", &format!("{at:x}\r\n{part}\r\n"));
        // Here nothing but the XML tells.
        let without_length = raw(207, "Connection: close\r\n", part);
        for answer in [ends_early, within_a_chunk, between_chunks, without_length] {
            let server = script([Answer::Close(answer)]);
            let error = folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{at}: {error}");
            is_clear(&error);
        }
    }
}

/// Seen of sabre (404) and of WsgiDAV (500): they look at each member after they have read the names.
#[tokio::test]
async fn a_listing_that_fails_because_a_member_went_is_asked_for_again() {
    let base = "/dav/my%20notes/log/";
    let whole = || listing(&[base, "/dav/my%20notes/log/1"]);
    let there = || listing(&[base]);
    for answers in [vec![done(404), there(), whole()], vec![done(500), done(500), whole()]] {
        let server = script(answers);
        let names = folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap().value.names;
        assert_eq!(names, ["1"]);
        assert_eq!(asked(&server), ["PROPFIND /dav/my%20notes/log/"; 3]);
    }
    let never = (0..5).flat_map(|_| [done(404), there()]);
    for answers in [never.collect(), (0..5).map(|_| done(500)).collect::<Vec<_>>()] {
        let server = script(answers);
        let error = folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        is_clear(&error);
    }
    let server = script([done(404), done(404), there()]);
    let reply = folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap();
    assert_eq!(reply.value.names, [""; 0], "a folder that is not there is empty");
}

const COLLECTION: &str = "<d:collection/>";

/// The listing of a folder with one temporary in it, a day and a minute after the epoch by the server's clock.
fn with_temporary(slash: &str, kind: &str, modified: &str) -> Answer {
    response(
        207,
        "Date: Fri, 02 Jan 1970 00:01:00 GMT\r\n",
        &format!(
            "<d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/dav/my%20notes/log/tmp.{:032x}{slash}</d:href><d:propstat><d:prop>\
             <d:resourcetype>{kind}</d:resourcetype><d:getlastmodified>{modified}</d:getlastmodified></d:prop>\
             <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>",
            7
        ),
    )
}

/// What a listing asks for that meets this.
async fn swept(answers: impl IntoIterator<Item = Answer>) -> Vec<String> {
    let server = script(answers);
    folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap();
    asked(&server)[1..].to_vec()
}

#[tokio::test]
async fn a_leftover_is_taken_away_first_and_only_when_it_is_old() {
    // Its writer may still be about to move it: a collection is met whole or not at all.
    for old in ["Thu, 01 Jan 1970 00:00:59 GMT", "1970-01-01T00:00:59Z"] {
        let answers = [with_temporary("/", COLLECTION, old), done(201), done(404), done(204)];
        let [taken, looked, removed] = <[String; 3]>::try_from(swept(answers).await).unwrap();
        assert_eq!(taken, "MOVE /dav/my%20notes/log/tmp/");
        assert_eq!(looked, "HEAD /dav/my%20notes/log/tmp/data");
        assert_eq!(removed, "DELETE /dav/my%20notes/log/tmp/");
        let answers = [with_temporary("", "", old), done(204)];
        assert_eq!(swept(answers).await, ["DELETE /dav/my%20notes/log/tmp"]);
    }
    for young in ["Thu, 01 Jan 1970 00:01:00 GMT", "1970-01-01T00:01:00Z", "1970-01-01T01:00:59+00:00"] {
        assert_eq!(swept([with_temporary("/", COLLECTION, young)]).await, [""; 0], "{young}");
    }
    for unknown in ["1970-01-01", "soon", ""] {
        assert_eq!(swept([with_temporary("/", COLLECTION, unknown)]).await, [""; 0], "{unknown}");
    }
}

/// Who took it away has another name for it: what is removed is that, and not what is new under the old name.
#[tokio::test]
async fn a_leftover_is_removed_where_it_was_taken_to() {
    let old = with_temporary("/", COLLECTION, "Thu, 01 Jan 1970 00:00:59 GMT");
    let server = script([old.clone(), done(201), done(404), done(204)]);
    folder(&server).list(&Folder::new("log").unwrap(), None).await.unwrap();
    let requests = server.requests();
    let away =
        requests[1].lines().find_map(|line| line.split_once("/log/tmp.").filter(|_| line.starts_with("destination")));
    let away = away.unwrap().1.trim();
    assert!(requests[3].starts_with(&format!("DELETE /dav/my%20notes/log/tmp.{away}")), "{requests:?}");
    assert!(!away.starts_with(&format!("{:032x}", 7)));
    // What cannot be taken away stays, and the listing is as good.
    for answers in [vec![done(423); 12], vec![done(403), done(404)], vec![done(500), done(404)]] {
        let asked = swept([old.clone()].into_iter().chain(answers)).await;
        assert!(!asked.iter().any(|line| line.starts_with("DELETE")), "{asked:?}");
    }
}

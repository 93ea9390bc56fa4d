//! Reads the answers of `PROPFIND` (RFC 4918, section 13), whatever prefixes and namespaces they are written with.
//!
//! It is read event by event, as it comes: nothing is held of it but what each resource is said to be. Nothing in it can make that grow:
//! no entity but the five of XML is known, a document type is refused, and these are bounded: elements within elements, the bytes of
//! one resource, and all names together.

use std::time::UNIX_EPOCH;

use longshore_core::{ByteStream, Error, ErrorKind, Result, ServerTime};
use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use url::Url;

use crate::arriving::Arriving;
use crate::place::decoded;

/// What is asked for.
pub(crate) const PROPFIND: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>"#
);

/// Elements within elements; RFC 4918 needs six.
const DEEPEST: usize = 64;
/// Bytes of one resource, with all properties that nobody asked for. It is also the most that is held of what was not understood yet.
const LARGEST: usize = 256 * 1024;
/// Bytes that all resources may take in memory together: a folder of ours has a few hundred.
const MOST: usize = 64 * 1024 * 1024;

/// One resource of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its path, decoded, without a slash at its end.
    pub(crate) path: String,
    pub(crate) collection: bool,
    pub(crate) len: Option<u64>,
    /// When the server last changed it, by its own clock.
    pub(crate) modified: Option<ServerTime>,
    /// The resource is not there: the server had it in mind only.
    pub(crate) gone: bool,
}

impl Member {
    /// The collection it lies in.
    pub(crate) fn parent(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// Its own name.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The resources of an answer, in its order.
///
/// Errors: `Unavailable` for what is no whole answer: a page for people, one that was cut, one beyond the bounds; that of the stream.
pub(crate) async fn members(answer: ByteStream) -> Result<Vec<Member>> {
    let (arriving, failure) = Arriving::new(answer, LARGEST, too_large);
    let mut reader = NsReader::from_reader(arriving);
    let (mut reading, mut event) = (Reading::default(), Vec::new());
    while !reading.ended {
        event.clear();
        let read = reader.read_resolved_event_into_async(&mut event).await;
        let (namespace, event) = read.map_err(|_| failure.take().unwrap_or_else(malformed))?;
        // Some servers forget the colon. Properties of other namespaces have names of their own.
        let dav = matches!(namespace, ResolveResult::Bound(bound) if matches!(bound.0, b"DAV:" | b"DAV"));
        if reading.take(dav, event)? {
            reader.get_mut().allow(LARGEST);
        }
    }
    Ok(reading.members)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Multistatus,
    Response,
    Href,
    Propstat,
    Prop,
    Status,
    ResourceType,
    Collection,
    Length,
    Modified,
    Other,
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    open: Vec<Element>,
    text: String,
    member: Member,
    /// What the properties of one status say, until the status is known.
    found: Found,
    members: Vec<Member>,
    /// What they take in memory.
    held: usize,
    /// The outermost element has ended,
    whole: bool,
    /// and then the answer.
    ended: bool,
}

#[derive(Default)]
struct Found {
    collection: bool,
    len: Option<u64>,
    modified: Option<ServerTime>,
    status: Option<u16>,
}

impl Reading {
    /// Says whether one resource more is known.
    fn take(&mut self, dav: bool, event: Event<'_>) -> Result<bool> {
        let before = self.members.len();
        match event {
            Event::Start(tag) => self.begin(if dav { tag.local_name().into_inner() } else { b"" })?,
            Event::Empty(tag) => {
                self.begin(if dav { tag.local_name().into_inner() } else { b"" })?;
                self.end()?;
            }
            Event::Text(text) => self.text.push_str(&text.decode().map_err(|_| malformed())?),
            Event::CData(text) => self.text.push_str(&text.decode().map_err(|_| malformed())?),
            Event::GeneralRef(reference) => {
                if let Some(letter) = reference.resolve_char_ref().map_err(|_| malformed())? {
                    self.text.push(letter);
                } else {
                    let name = reference.decode().map_err(|_| malformed())?;
                    self.text.push_str(resolve_predefined_entity(&name).ok_or_else(malformed)?);
                }
            }
            Event::End(_) => self.end()?,
            Event::Eof if self.whole => self.ended = true,
            Event::DocType(_) | Event::Eof => return Err(malformed()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        Ok(self.members.len() > before)
    }

    fn begin(&mut self, name: &[u8]) -> Result<()> {
        let element = match name {
            b"multistatus" => Element::Multistatus,
            b"response" => Element::Response,
            b"href" => Element::Href,
            b"propstat" => Element::Propstat,
            b"prop" => Element::Prop,
            b"status" => Element::Status,
            b"resourcetype" => Element::ResourceType,
            b"collection" => Element::Collection,
            b"getcontentlength" => Element::Length,
            b"getlastmodified" => Element::Modified,
            _ => Element::Other,
        };
        let outermost = self.open.is_empty();
        if self.open.len() == DEEPEST {
            return Err(beyond("more than 64 elements within elements"));
        }
        if self.whole || outermost != (element == Element::Multistatus) {
            return Err(malformed());
        }
        match element {
            Element::Response => self.member = Member::default(),
            Element::Propstat => self.found = Found::default(),
            Element::Collection if self.open.last() == Some(&Element::ResourceType) => self.found.collection = true,
            _ => {}
        }
        self.open.push(element);
        self.text.clear();
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(element) = self.open.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match (element, self.open.last()) {
            (Element::Href, Some(Element::Response)) => self.member.path = path_of(text),
            (Element::Length, Some(Element::Prop)) => self.found.len = text.parse().ok(),
            (Element::Modified, Some(Element::Prop)) => self.found.modified = time_of(text),
            (Element::Status, Some(Element::Propstat)) => self.found.status = status_of(text),
            (Element::Status, Some(Element::Response)) => {
                self.member.gone = status_of(text).is_some_and(|code| code == 404);
            }
            (Element::Propstat, _) => {
                let found = std::mem::take(&mut self.found);
                if found.status.is_none_or(|status| (200..300).contains(&status)) {
                    self.member.collection |= found.collection;
                    self.member.len = self.member.len.or(found.len);
                    self.member.modified = self.member.modified.or(found.modified);
                }
            }
            (Element::Response, _) => return self.hold(),
            (Element::Multistatus, None) => self.whole = true,
            _ => {}
        }
        Ok(())
    }

    fn hold(&mut self) -> Result<()> {
        let mut member = std::mem::take(&mut self.member);
        member.path.shrink_to_fit();
        self.held += size_of::<Member>() + member.path.len();
        if self.held > MOST {
            return Err(beyond("names of more than 64 MiB"));
        }
        self.members.push(member);
        Ok(())
    }
}

/// The path of an `href`, which is a path or a whole address.
fn path_of(href: &str) -> String {
    let path = match href.split_once("://") {
        Some(_) => Url::parse(href).map_or_else(|_| href.to_owned(), |url| url.path().to_owned()),
        None => href.to_owned(),
    };
    decoded(&path).trim_end_matches('/').to_owned()
}

/// The code of `HTTP/1.1 200 OK`.
fn status_of(line: &str) -> Option<u16> {
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// As RFC 4918 has it (an HTTP date), or as some servers do (RFC 3339).
fn time_of(text: &str) -> Option<ServerTime> {
    http_date(text).or_else(|| iso_date(text)).map(ServerTime::from_millis)
}

fn http_date(text: &str) -> Option<u64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// The milliseconds since the epoch of `2024-01-31T23:59:59.25+01:00` (RFC 3339, section 5.6). One that does not say its zone is none.
fn iso_date(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, zone) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction = zone.strip_prefix('.').unwrap_or_default();
    let digits = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let zone = if digits > 0 { &fraction[digits..] } else { zone };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    // The fraction is left out: ages are told in days.
    u64::try_from(seconds).ok()?.checked_mul(1000)
}

/// Three numbers of so many digits, and this between them.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut next = |digits: usize| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok()
    };
    Some([next(digits[0])?, next(digits[1])?, next(digits[2])?])
}

/// The seconds by which a zone is ahead, as `Z` or `+01:30`.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) =
        zone.strip_prefix('+').map(|rest| (1, rest)).or(zone.strip_prefix('-').map(|rest| (-1, rest)))?;
    let [hours, minutes, _] = numbers(&format!("{rest}:00"), ':', [2, 2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The days from the epoch to a day of the Gregorian calendar: years begin in March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (month * 153 + 2) / 5 + day
        - 1
        - 719_468
}

fn malformed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the server's listing cannot be read; is this a WebDAV address, and no web page on the way?",
    )
}

fn too_large() -> Error {
    beyond("one resource of more than 256 KiB")
}

fn beyond(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the server's listing has {what}, which is beyond what is read of any"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{FutureExt as _, StreamExt as _, stream};

    use super::*;

    /// What is read of an answer that comes in such pieces.
    fn read_in(pieces: impl Iterator<Item = Result<Bytes>> + Send + 'static) -> Result<Vec<Member>> {
        members(stream::iter(pieces).boxed()).now_or_never().unwrap()
    }

    fn in_pieces(xml: &str, len: usize) -> Result<Vec<Member>> {
        let pieces: Vec<_> = xml.as_bytes().chunks(len).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        read_in(pieces.into_iter())
    }

    /// The same, however it is cut in pieces.
    fn all(xml: &str) -> Result<Vec<Member>> {
        let whole = in_pieces(xml, xml.len().max(1));
        for len in [1, 2, 3, 7, 100] {
            let pieces = in_pieces(xml, len);
            assert_eq!(pieces.as_ref().ok(), whole.as_ref().ok(), "{len}: {xml}");
        }
        whole
    }

    fn read(xml: &str) -> Vec<Member> {
        all(xml).unwrap()
    }

    #[test]
    fn prefixes_addresses_and_escapes_are_as_servers_like() {
        let members = read(
            r#"<?xml version="1.0"?><!-- x --><lp0:multistatus xmlns:lp0="DAV:" xmlns:o="urn:other">
            <lp0:response><lp0:href>http://host:1/my%20notes/%c3%bc/</lp0:href>
              <lp0:propstat><lp0:prop><lp0:resourcetype><lp0:collection/></lp0:resourcetype><o:href>no</o:href></lp0:prop>
                <lp0:status>HTTP/1.1 200 OK</lp0:status></lp0:propstat>
              <lp0:propstat><lp0:prop><lp0:getcontentlength/></lp0:prop><lp0:status>HTTP/1.1 404 Not Found</lp0:status></lp0:propstat>
            </lp0:response>
            <response xmlns="DAV:"><href>/my%20notes/&#252;/a&amp;b</href><propstat><prop>
              <getcontentlength>12</getcontentlength><getlastmodified>Thu, 01 Jan 1970 00:01:00 GMT</getlastmodified>
              <resourcetype/></prop><status>HTTP/1.1 200 OK</status></propstat></response>
            <response xmlns="DAV:"><href>/x</href><status>HTTP/1.1 404 Not Found</status></response>
            </lp0:multistatus>"#,
        );
        assert_eq!((members[0].path.as_str(), members[0].collection, members[0].len), ("/my notes/ü", true, None));
        assert_eq!((members[1].parent(), members[1].name()), ("/my notes/ü", "a&b"));
        assert_eq!((members[1].len, members[1].collection), (Some(12), false));
        assert_eq!(members[1].modified, Some(ServerTime::from_millis(60_000)));
        assert!(members[2].gone && members.len() == 3);
    }

    fn modified(date: &str) -> Option<u64> {
        let xml = format!(
            "<multistatus xmlns='DAV:'><response><href>/a</href><propstat><prop>\
             <getlastmodified>{date}</getlastmodified></prop></propstat></response></multistatus>"
        );
        read(&xml)[0].modified.map(ServerTime::as_millis)
    }

    #[test]
    fn dates_are_read_as_http_and_as_iso_has_them() {
        for same in [
            "Thu, 29 Feb 2024 23:59:59 GMT",
            "2024-02-29T23:59:59Z",
            "2024-02-29t23:59:59z",
            "2024-02-29 23:59:59Z",
            "2024-02-29T23:59:59.987654Z",
            "2024-03-01T01:29:59+01:30",
            "2024-02-29T15:59:59.1-08:00",
        ] {
            assert_eq!(modified(same), Some(1_709_251_199_000), "{same}");
        }
        assert_eq!(modified("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(modified("2000-03-01T00:00:00Z"), Some(951_868_800_000));
        assert_eq!(modified("2100-03-01T00:00:00Z"), Some(4_107_542_400_000));
    }

    #[test]
    fn what_is_no_date_or_names_no_zone_is_none() {
        for date in [
            "",
            "soon",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.5",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00+24:00",
            "2024-13-01T00:00:00Z",
            "2024-00-10T00:00:00Z",
            "2024-01-32T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00Z and more",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2024-01-0☂T00:00:00Z",
            "☂☂☂☂☂☂☂☂☂☂☂☂☂☂",
        ] {
            assert_eq!(modified(date), None, "{date}");
        }
    }

    #[test]
    fn a_namespace_without_its_colon_is_taken_for_what_is_meant() {
        let members = read(
            "<D:multistatus xmlns:D='DAV'><D:response><D:href>/a/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/>\
             </D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>",
        );
        assert_eq!((members[0].path.as_str(), members[0].collection), ("/a", true));
        assert!(members_of("urn:other").is_err() && members_of("DAVE:").is_err());
    }

    fn members_of(namespace: &str) -> Result<Vec<Member>> {
        all(&format!("<multistatus xmlns='{namespace}'><response/></multistatus>"))
    }

    #[test]
    fn what_is_no_whole_answer_is_no_empty_listing() {
        let deep = format!("<multistatus xmlns='DAV:'>{}", "<a>".repeat(1000));
        for xml in [
            "",
            "<html><body>log in</body></html>",
            "<multistatus xmlns='DAV:'><response>",
            "<multistatus xmlns='DAV:'>",
            "<multistatus/>",
            "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><multistatus xmlns='DAV:'></multistatus>",
            "<multistatus xmlns='DAV:'><response><href>&a;</href></response></multistatus>",
            "<multistatus xmlns='DAV:'/><multistatus xmlns='DAV:'/>",
            "<multistatus xmlns='DAV:'></response></multistatus>",
            &deep,
        ] {
            assert!(all(xml).is_err(), "{xml}");
        }
        assert!(read("<multistatus xmlns='DAV:'/>").is_empty());
    }

    const BEGIN: &str = "<multistatus xmlns='DAV:'>";

    /// Whatever goes on for ever is read up to a bound, which the error names.
    #[test]
    fn what_is_beyond_the_bounds_names_them() {
        let response = format!("<response><href>/{}</href></response>", "a".repeat(LARGEST - 100));
        let endless = [
            ("<response><href>", "a", "one resource of more than 256 KiB"),
            ("", " ", "one resource of more than 256 KiB"),
            ("<response><propstat><prop>", "<a/>", "one resource of more than 256 KiB"),
            ("<", "a", "one resource of more than 256 KiB"),
            ("</multistatus>", " ", "one resource of more than 256 KiB"),
            ("", "<a>", "more than 64 elements within elements"),
            ("", response.as_str(), "names of more than 64 MiB"),
        ];
        for (begin, on, bound) in endless {
            let piece = Bytes::from(on.repeat(1000 / on.len() + 1));
            let pieces = std::iter::once(Bytes::from(format!("{BEGIN}{begin}"))).chain(std::iter::repeat(piece));
            let error = read_in(pieces.map(Ok)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains(bound), "{begin}{on}: {error}");
        }
    }

    #[test]
    fn a_resource_may_be_as_large_as_the_bound_after_any_number_of_others() {
        let large = format!("<response><href>/a</href><a>{}</a></response>", "a".repeat(LARGEST - 100));
        let members = in_pieces(&format!("{BEGIN}{}</multistatus>", large.repeat(10)), 5000).unwrap();
        assert_eq!(members.len(), 10);
    }

    /// What broke the stream is told, and what came before is no listing.
    #[test]
    fn a_stream_that_breaks_is_no_shorter_listing() {
        let whole = format!("{BEGIN}<response><href>/a</href></response></multistatus>");
        for at in 0..whole.len() {
            let pieces =
                [Ok(Bytes::copy_from_slice(&whole.as_bytes()[..at])), Err(Error::new(ErrorKind::Unavailable, "cut"))];
            assert!(read_in(pieces.into_iter()).unwrap_err().to_string().contains("cut"), "{at}");
            assert!(all(&whole[..at]).is_err(), "{at}");
        }
    }
}

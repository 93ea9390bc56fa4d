//! Reads the answers of `PROPFIND` (RFC 4918, section 13), whatever prefixes and namespaces they are written with.
//!
//! It is read event by event. Nothing in it can make it grow: no entity but the five of XML is known, a document type is refused,
//! depth and length are bounded.

use std::time::UNIX_EPOCH;

use longshore_core::{Error, ErrorKind, Result, ServerTime};
use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use url::Url;

use crate::place::decoded;

/// What is asked for.
pub(crate) const PROPFIND: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>"#
);

/// Elements within elements; RFC 4918 needs six.
const DEEPEST: usize = 64;

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
/// Errors: `Unavailable` for what is no whole answer: a page for people, one that was cut.
pub(crate) fn members(xml: &[u8]) -> Result<Vec<Member>> {
    let mut reader = NsReader::from_reader(xml);
    let mut answer = Reading::default();
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| malformed())?;
        // Some servers forget the colon. Properties of other namespaces have names of their own.
        let dav = matches!(namespace, ResolveResult::Bound(bound) if matches!(bound.0, b"DAV:" | b"DAV"));
        match event {
            Event::Start(tag) => answer.begin(if dav { tag.local_name().into_inner() } else { b"" })?,
            Event::Empty(tag) => {
                answer.begin(if dav { tag.local_name().into_inner() } else { b"" })?;
                answer.end();
            }
            Event::Text(text) => answer.text.push_str(&text.decode().map_err(|_| malformed())?),
            Event::CData(text) => answer.text.push_str(&text.decode().map_err(|_| malformed())?),
            Event::GeneralRef(reference) => {
                if let Some(letter) = reference.resolve_char_ref().map_err(|_| malformed())? {
                    answer.text.push(letter);
                } else {
                    let name = reference.decode().map_err(|_| malformed())?;
                    answer.text.push_str(resolve_predefined_entity(&name).ok_or_else(malformed)?);
                }
            }
            Event::End(_) => answer.end(),
            Event::Eof if answer.whole => return Ok(answer.members),
            Event::DocType(_) | Event::Eof => return Err(malformed()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
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
    whole: bool,
}

#[derive(Default)]
struct Found {
    collection: bool,
    len: Option<u64>,
    modified: Option<ServerTime>,
    status: Option<u16>,
}

impl Reading {
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
        if self.open.len() == DEEPEST || self.whole || outermost != (element == Element::Multistatus) {
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

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
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
            (Element::Response, _) => self.members.push(std::mem::take(&mut self.member)),
            (Element::Multistatus, None) => self.whole = true,
            _ => {}
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Vec<Member> {
        members(xml.as_bytes()).unwrap()
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
        members(format!("<multistatus xmlns='{namespace}'><response/></multistatus>").as_bytes())
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
            assert!(members(xml.as_bytes()).is_err(), "{xml}");
        }
        assert!(read("<multistatus xmlns='DAV:'/>").is_empty());
    }
}

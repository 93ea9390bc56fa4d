//! Reads the answers of `PROPFIND` (RFC 4918, section 13), whatever prefixes and namespaces they are written with.
//!
//! It is read event by event. Nothing in it can make it grow: no entity but the five of XML is known, a document type is refused,
//! depth and length are bounded.

use std::time::{SystemTime, UNIX_EPOCH};

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

fn time_of(text: &str) -> Option<ServerTime> {
    let since = http_date(text)?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(ServerTime::from_millis)
}

fn http_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
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

    #[test]
    fn dates_that_are_no_http_dates_are_none() {
        let xml = "<multistatus xmlns='DAV:'><response><href>/a</href><propstat><prop>\
                   <getlastmodified>2024-01-01T00:00:00Z</getlastmodified></prop></propstat></response></multistatus>";
        assert_eq!(read(xml)[0].modified, None);
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

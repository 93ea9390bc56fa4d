//! Looks through a page of a listing before `object_store` reads it, which takes any XML for one.
//!
//! - **Foreign keys** are cut out. A bucket may hold anything beside our objects, also keys that `object_store` has no path for,
//!   such as `notes//old` or `a/../b`: one of them would fail the whole page.
//! - **Another server's page**, such as a hotel's, is none: it would be an empty listing.
//! - **A page that says that more follows, and not where**, as servers answer that know only the first version of listings, is none
//!   either: it would be taken for the last.

use bytes::Bytes;
use object_store::path::Path;
use quick_xml::Reader;
use quick_xml::events::{BytesText, Event};

/// The page without the entries that have no path; `None` if it is no page.
pub(crate) fn checked(page: Bytes) -> Option<Bytes> {
    let mut reader = Reader::from_reader(&*page);
    let mut found = Found::default();
    let mut kept = Vec::new();
    // Where the bytes begin that are not kept yet.
    let mut from = 0;
    loop {
        let before = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let after = usize::try_from(reader.buffer_position()).ok()?;
        match event {
            Event::Start(tag) => found.begin(tag.local_name().as_ref(), before)?,
            Event::Empty(tag) => {
                found.begin(tag.local_name().as_ref(), before)?;
                found.end(tag.local_name().as_ref());
            }
            Event::Text(text) => found.text(&text)?,
            // A named one is a plain character.
            Event::GeneralRef(reference) => found.text.push(reference.resolve_char_ref().ok()?.unwrap_or('&')),
            Event::End(tag) if found.end(tag.local_name().as_ref()) => {
                kept.extend_from_slice(page.get(from..found.entry)?);
                from = after;
            }
            Event::Eof if !found.is_page() => return None,
            Event::Eof if from == 0 => return Some(page),
            Event::Eof => {
                kept.extend_from_slice(page.get(from..)?);
                return Some(kept.into());
            }
            _ => {}
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    root: Root,
    /// More follows.
    more: bool,
    /// It says where.
    token: bool,
    /// Where the entry began that is being read.
    entry: usize,
    key: String,
    /// What stands in the innermost element.
    text: String,
}

#[derive(Default, PartialEq, Eq)]
enum Root {
    #[default]
    Awaited,
    Open,
    Closed,
}

const ROOT: &[u8] = b"ListBucketResult";

impl Found {
    fn begin(&mut self, name: &[u8], at: usize) -> Option<()> {
        match (&self.root, name) {
            (Root::Awaited, ROOT) => self.root = Root::Open,
            (Root::Open, _) => {}
            _ => return None,
        }
        self.text.clear();
        if is_entry(name) {
            (self.entry, self.key) = (at, String::new());
        }
        Some(())
    }

    fn text(&mut self, text: &BytesText<'_>) -> Option<()> {
        self.text.push_str(&text.decode().ok()?);
        Some(())
    }

    /// Whether it is the end of an entry that has no path.
    fn end(&mut self, name: &[u8]) -> bool {
        let text = std::mem::take(&mut self.text);
        match name {
            b"Key" | b"Prefix" => self.key = text,
            b"IsTruncated" => self.more = text.trim() == "true",
            b"NextContinuationToken" => self.token = !text.is_empty(),
            ROOT => self.root = Root::Closed,
            _ => {}
        }
        is_entry(name) && Path::parse(&self.key).is_err()
    }

    fn is_page(&self) -> bool {
        self.root == Root::Closed && (self.token || !self.more)
    }
}

fn is_entry(name: &[u8]) -> bool {
    matches!(name, b"Contents" | b"CommonPrefixes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: &[&str]) -> Bytes {
        let entry = |key: &&str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>\n");
        let entries: String = keys.iter().map(entry).collect();
        let xml = "<?xml version=\"1.0\"?><ListBucketResult><Prefix>a//b</Prefix>";
        format!("{xml}{entries}<CommonPrefixes><Prefix>x//</Prefix></CommonPrefixes></ListBucketResult>").into()
    }

    #[test]
    fn keys_without_a_path_are_cut_out_and_all_others_stay() {
        let kept =
            checked(page(&["a//b", "ours", "a/../b", "./a", "a&#10;b", "c+d e&amp;f\u{e4}/", "a&#x2f;/b", "last"]))
                .unwrap();
        let kept = String::from_utf8(kept.to_vec()).unwrap();
        let keys: Vec<&str> = kept.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
        assert_eq!(keys, ["ours", "c+d e&amp;f\u{e4}/", "last"]);
        assert!(kept.ends_with("</Contents>\n</ListBucketResult>"), "{kept}");
        assert!(kept.contains("<Prefix>a//b</Prefix>"), "what was asked for is no entry: {kept}");
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let whole = page(&["ours"]);
        let v1 = "<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>a</NextMarker></ListBucketResult>";
        let pages = [b"".as_slice(), b"<html><body></body></html>", b"\0\xff", b"{}", v1.as_bytes()];
        for other in pages.into_iter().chain((0..whole.len() - 1).map(|len| &whole[..len])) {
            assert_eq!(checked(Bytes::copy_from_slice(other)), None, "{}", String::from_utf8_lossy(other));
        }
        let last = "<ListBucketResult xmlns=\"x\"><IsTruncated>false</IsTruncated></ListBucketResult>\n";
        assert_eq!(checked(last.into()), Some(last.into()));
        let empty = Bytes::from("<ListBucketResult/>");
        assert_eq!(checked(empty.clone()), Some(empty));
        let token = "<NextContinuationToken>t</NextContinuationToken>";
        let more = format!("<ListBucketResult><IsTruncated>true</IsTruncated>{token}</ListBucketResult>");
        assert_eq!(checked(more.clone().into()), Some(more.into()));
    }
}

//! Reads that give other bytes than were written.

use std::borrow::Cow;

use bytes::Bytes;
use longshore_core::{ByteRange, Error, ErrorKind, Result};

use super::broken;
use super::hooked::{Found, cut, hooked};
use crate::broken::runs::Broken;

pub(crate) fn table() -> Vec<Broken> {
    let mut table = ranges();
    table.extend(missing());
    table.extend(changed());
    table
}

fn ranges() -> Vec<Broken> {
    vec![
        broken(
            "a range is ignored",
            hooked!(found: |stored, _| Ok(stored.map(sized))),
            &["storage::range::gives_exactly_its_bytes", "storage::range::of_no_bytes_is_empty"],
        ),
        broken("a range has one byte more", hooked!(found: one_more), &["storage::range::gives_exactly_its_bytes"]),
        broken(
            "a range's length is given as the size",
            hooked!(found: |stored, range| Ok(stored.map(|bytes| sized(cut(&bytes, range))))),
            &["storage::range::knows_the_size_of_the_whole"],
        ),
        broken(
            "a range from the end on is an error",
            hooked!(found: not_satisfiable),
            &["storage::range::of_no_bytes_is_empty"],
        ),
        broken(
            "a range past the end is an error",
            hooked!(found: past_the_end),
            &["storage::range::is_cut_at_the_end"],
        ),
        broken(
            "a range that starts past 1 MiB starts at 0",
            hooked!(found: wraps),
            &["storage::range::of_a_large_object_is_found"],
        ),
        broken(
            "a range across 8 MiB is shifted by a byte behind it",
            hooked!(found: |stored, range| Ok(stored.map(|bytes| shifted(&bytes, range)))),
            &["storage::range::of_a_large_object_is_found"],
        ),
    ]
}

fn missing() -> Vec<Broken> {
    const PAGE: &[u8] = b"<html><body>Not Found</body></html>";
    vec![
        broken(
            "a missing object is an empty one",
            hooked!(found: |stored, range| right(stored.or(Some(Bytes::new())), range)),
            &["storage::get::a_missing_object_is_none"],
        ),
        broken(
            "a missing object is a page that says so",
            hooked!(found: |stored, range| right(stored.or(Some(Bytes::from_static(PAGE))), range)),
            &["storage::get::a_missing_object_is_none"],
        ),
        broken(
            "a missing object is an error",
            hooked!(found: |stored, range| match stored {
                None => Err(Error::new(ErrorKind::Missing, "404")),
                stored => right(stored, range),
            }),
            &["storage::get::a_missing_object_is_none"],
        ),
        broken(
            "an empty object reads as a missing one",
            hooked!(found: |stored, range| right(stored.filter(|bytes| !bytes.is_empty()), range)),
            &["storage::bytes::none_are_an_object_too"],
        ),
    ]
}

fn changed() -> Vec<Broken> {
    vec![
        broken(
            "gzip is unpacked on its way",
            hooked!(found: |stored, range| right(stored.map(unpack), range)),
            &["storage::bytes::come_back_exactly"],
        ),
        broken(
            "an object reads as so many NULs",
            hooked!(found: |stored, range| right(stored.map(|bytes| vec![0; bytes.len()].into()), range)),
            &["storage::bytes::come_back_exactly", "storage::create::a_second_one_changes_nothing"],
        ),
        broken(
            "trailing NULs are cut off",
            hooked!(kept: |bytes| Some(trim(&bytes, |byte| byte == 0))),
            &["storage::bytes::come_back_exactly"],
        ),
        broken(
            "trailing line ends are cut off",
            hooked!(kept: |bytes| Some(trim(&bytes, |byte| byte == b'\n'))),
            &["storage::bytes::come_back_exactly"],
        ),
        broken(
            "CRLF becomes LF",
            hooked!(kept: |bytes| Some(without_returns(&bytes))),
            &["storage::bytes::come_back_exactly"],
        ),
        broken(
            "a byte order mark is taken away",
            hooked!(found: |stored, range| right(stored.map(|bytes| match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => Bytes::copy_from_slice(rest),
            None => bytes,
        }), range)),
            &["storage::bytes::come_back_exactly"],
        ),
        broken(
            "bytes are taken for text",
            hooked!(kept: |bytes| Some(as_text(&bytes))),
            &["storage::bytes::come_back_exactly", "storage::bytes::of_every_length_come_back"],
        ),
        broken(
            "an error page is taken for an error",
            hooked!(found: |stored, range| match stored {
                Some(bytes) if bytes.starts_with(b"<!DOCTYPE html>") => Err(Error::new(ErrorKind::Unavailable, "a page")),
                stored => right(stored, range),
            }),
            &["storage::bytes::come_back_exactly"],
        ),
        broken(
            "a short reply is taken for the whole",
            hooked!(found: |stored, range| {
                Ok(stored.map(|bytes| { let short = bytes.slice(..bytes.len().min(64 << 10)); (short.len() as u64, cut(&short, range)) }))
            }),
            &["storage::bytes::of_every_length_come_back", "storage::get::is_free_to_repeat"],
        ),
        broken(
            "a reply is short of the size it gives",
            hooked!(found: |stored, range| {
                Ok(stored.map(|bytes| { let part = cut(&bytes, range); (bytes.len() as u64, part.slice(..part.len().min(100_000))) }))
            }),
            &["storage::bytes::of_every_length_come_back"],
        ),
    ]
}

fn right(stored: Option<Bytes>, range: ByteRange) -> Result<Found> {
    (super::hooked::Hooked::RIGHT.found)(stored, range)
}

fn sized(bytes: Bytes) -> (u64, Bytes) {
    (bytes.len() as u64, bytes)
}

fn one_more(stored: Option<Bytes>, range: ByteRange) -> Result<Found> {
    right(stored, ByteRange::new(range.start(), range.len().saturating_add(1)))
}

fn not_satisfiable(stored: Option<Bytes>, range: ByteRange) -> Result<Found> {
    match &stored {
        Some(bytes) if !range.is_all() && range.start() >= bytes.len() as u64 => {
            Err(Error::new(ErrorKind::Invalid, "416"))
        }
        _ => right(stored, range),
    }
}

fn past_the_end(stored: Option<Bytes>, range: ByteRange) -> Result<Found> {
    match &stored {
        Some(bytes) if !range.is_all() && range.start().saturating_add(range.len()) > bytes.len() as u64 => {
            Err(Error::new(ErrorKind::Invalid, "416"))
        }
        _ => right(stored, range),
    }
}

fn wraps(stored: Option<Bytes>, range: ByteRange) -> Result<Found> {
    right(stored, ByteRange::new(range.start() % (1 << 20), range.len()))
}

/// What the suite's gzip specimen says when it is unpacked.
fn unpack(bytes: Bytes) -> Bytes {
    if bytes.starts_with(&[0x1f, 0x8b]) { Bytes::from_static(b"longshore longshore") } else { bytes }
}

fn trim(bytes: &Bytes, cut: fn(u8) -> bool) -> Bytes {
    let end = bytes.iter().rposition(|byte| !cut(*byte)).map_or(0, |last| last + 1);
    bytes.slice(..end)
}

fn without_returns(bytes: &Bytes) -> Bytes {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let Some((last, ended)) = lines.split_last() else { return bytes.clone() };
    let ended = ended.iter().flat_map(|line| [line.strip_suffix(b"\r").unwrap_or(line), b"\n"]);
    ended.chain([*last]).collect::<Vec<_>>().concat().into()
}

fn as_text(bytes: &Bytes) -> Bytes {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => bytes.clone(),
        Cow::Owned(text) => text.into(),
    }
}

/// The last byte of the first part comes again, and that of the range is lost.
fn shifted(bytes: &Bytes, range: ByteRange) -> (u64, Bytes) {
    const PART: u64 = 8 << 20;
    let whole = bytes.len() as u64;
    let within = range.within(whole);
    if range.is_all() || within.start >= PART || within.end <= PART {
        return (whole, cut(bytes, range));
    }
    let first = cut(bytes, ByteRange::new(within.start, PART - within.start));
    let rest = cut(bytes, ByteRange::new(PART - 1, within.end - PART));
    (whole, [first, rest].concat().into())
}
